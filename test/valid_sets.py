# SPDX-License-Identifier: Apache-2.0
"""A valid set of each format that is read, as the contents of its files."""

import cv2
import numpy as np

SIZE = (72, 128)
AREA = [[0, 71], [127, 71], [64, 30]]
LINES = [[[64 + side * 10, 30], [64 + side * 60, 71]] for side in (-1.5, -0.5, 0.5, 1.5)]


def encoded(pixels, suffix=".png"):
    return cv2.imencode(suffix, pixels)[1].tobytes()


PICTURE = encoded(np.full((*SIZE, 3), 90, np.uint8))
ROAD = np.zeros(SIZE, np.uint8)
cv2.fillPoly(ROAD, [np.array(AREA)], 1)
BDD_FILE = {
    "name": "a.png",
    "frames": [
        {
            "timestamp": 10000,
            "objects": [
                {"category": "area/drivable", "poly2d": [[x, y, "L"] for x, y in AREA]},
                {"category": "car", "box2d": {"x1": 1, "y1": 2, "x2": 3, "y2": 4}},
                *(
                    {
                        "category": "lane/single white",
                        "attributes": {"direction": "parallel", "style": "solid"},
                        "poly2d": [[x, y, "L"] for x, y in line],
                    }
                    for line in LINES
                ),
            ],
        }
    ],
    "attributes": {"weather": "clear", "scene": "highway", "timeofday": "night"},
}
BDD_LIST = [
    {
        "name": "a.png",
        "size": {"height": SIZE[0], "width": SIZE[1]},
        "labels": [
            {
                "category": "drivable area",
                "attributes": {"areaType": "direct"},
                "poly2d": [{"vertices": [*AREA, [10, 50]], "types": "LLCC", "closed": True}],
            },
            *(
                {
                    "category": "lane",
                    "attributes": {
                        "laneDirection": "parallel",
                        "laneStyle": "solid",
                        "laneTypes": "road curb" if index == 1 else "single white",
                    },
                    "poly2d": [{"vertices": line, "types": "LL", "closed": False}],
                }
                for index, line in enumerate(LINES)
            ),
        ],
    }
]
TUSIMPLE = {
    "raw_file": "a.png",
    "h_samples": list(range(240, 720, 10)),
    "lanes": [[round(640 + k * (y - 237)) for y in range(240, 720, 10)] for k in (-1, 1)],
    "classes": [4, 1],
}
CURVES = {"Lines": [[{"x": str(x), "y": str(y)} for x, y in line] for line in LINES]}
CULANE = "\n".join(" ".join(f"{x} {y}" for x, y in line) for line in LINES) + "\n"
YOLO = "names: ['car', 'road', 'bus']\nnc: 3\n"
POLYGON = "1 0 1 1 1 0.5 0.4\n0 0.5 0.5 0.1 0.1\n"
COLOURS = np.where(ROAD[:, :, None] > 0, (255, 0, 255), (0, 0, 255)).astype(np.uint8)

NATIVE = {
    "image": "images/road/a.png",
    "size": list(SIZE),
    "lanes": {"ego": [[64, 71], [64, 30]], "left_ego": None},
    "boundaries": [line[::-1] for line in LINES],
    "mask": "masks/road/a.png",
    "source": "road",
}

SETS = {
    "bdd file": ("bdd100k", {"a.png": PICTURE}, {"a.json": BDD_FILE}),
    "bdd list": ("bdd100k", {"a.png": PICTURE}, {"a.json": BDD_LIST}),
    "tusimple": ("tusimple", {"a.png": PICTURE}, {"label_data_1.json": TUSIMPLE}),
    "curvelanes": ("curvelanes", {"images/a.png": PICTURE}, {"labels/a.lines.json": CURVES}),
    "culane": ("culane", {"a.png": PICTURE}, {"list/train.txt": "/a.png\n", "a.lines.txt": CULANE}),
    "yolo": ("yolo", {"images/a.png": PICTURE}, {"data.yaml": YOLO, "labels/a.txt": POLYGON}),
    "camvid": ("camvid", {"train/a.png": PICTURE}, {"trainannot/a.png": encoded(ROAD * 3)}),
    "native": (
        "native",
        {"images/road/a.png": PICTURE, "masks/road/a.png": encoded(ROAD * 255)},
        {"frames.jsonl": NATIVE},
    ),
    "modest": (
        "modest",
        {
            "bg/bg1.png": PICTURE,
            "bg_fg/bg1_fg1_1.png": PICTURE,
            "bg_fg_mask/bg1_fg1_1_mask.png": encoded(ROAD * 255),
        },
        {"file_map.txt": "bg1\tbg1_fg1_1\tbg1_fg1_1_mask\tbg1_fg1_1_depth_map\n"},
    ),
    "kitti": (
        "kitti_road",
        {"training/image_2/um_1.png": PICTURE},
        {"training/gt_image_2/um_road_1.png": encoded(COLOURS)},
    ),
}
"""Name -> format, pictures, and the label files that are damaged: text, bytes or JSON."""
