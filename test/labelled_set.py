# SPDX-License-Identifier: Apache-2.0
"""A small native data set on disk, for tests: pictures of a straight road with exact labels.

And what a sample, a view or a frame says of its lanes and its mask.
"""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

HEIGHT, WIDTH = 180, 320


def record(index: int, **changes) -> dict:
    """One line of frames.jsonl; ``changes`` replace keys, ``None`` removes one."""
    rows = np.arange(HEIGHT - 5.0, 60.0, -5.0)
    lanes = {}
    for name, near in (("ego", 160 + index), ("left_ego", 20 + index), ("right_ego", 290 - index)):
        x = 160 + (near - 160) * (rows - 50) / (HEIGHT - 55)
        lanes[name] = [[round(float(a), 2), float(b)] for a, b in zip(x, rows, strict=True)]
    base = {
        "image": f"images/road/{index:03d}.png",
        "size": [HEIGHT, WIDTH],
        "crop": [0, 52, 320, 128],
        "lanes": {**lanes, "left_split_ego": None, "right_split_ego": None},
        "mask": f"masks/road/{index:03d}.png",
        "source": "road",
    }
    return {key: value for key, value in {**base, **changes}.items() if value is not None}


def write_set(folder: Path, count: int = 4, **changes) -> Path:
    """Write a set of ``count`` frames with pictures and masks; return its folder."""
    records = [record(index, **changes) for index in range(count)]
    write_records(folder, records)
    for index, item in enumerate(records):
        _write_pictures(folder, item, index)
    return folder


def write_records(folder: Path, records: list) -> None:
    """Write lines only; text is written as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [item if isinstance(item, str) else json.dumps(item) for item in records]
    (folder / "frames.jsonl").write_text("".join(line + "\n" for line in lines))


def _write_pictures(folder: Path, item: dict, index: int) -> None:
    """Write picture and mask of one line."""
    image = np.random.default_rng(index).integers(0, 90, (HEIGHT, WIDTH, 3), np.uint8)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.fillPoly(mask, [np.array([[0, 179], [140, 50], [180, 50], [319, 179]])], 255)
    mask[:, :4] = 127
    image[mask == 255] += 80
    for points in (item.get("lanes") or {}).values():
        if points:
            line = np.array(points).round().astype(np.int32)
            cv2.polylines(image, [line], False, (255, 255, 255), 2)
    for key, pixels in (("image", image), ("mask", mask)):
        if key in item:
            path = folder / item[key]
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), pixels)


def label_of(labelled, task: str):
    """The label of a task in a sample, a view or a frame; ``None`` where there is none."""
    label = labelled.labels.get(task)
    return label() if callable(label) else label


def lanes_of(labelled) -> dict:
    """Centre lines by lane; empty where nothing is known."""
    label = label_of(labelled, "lanes")
    return {} if label is None else label.lines


def mask_of(labelled):
    """The mask of the drivable surface, or ``None``."""
    label = label_of(labelled, "drivable_surface")
    return None if label is None else label.mask
