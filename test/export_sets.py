# SPDX-License-Identifier: Apache-2.0
"""A native set with every label that tools draw, and exports of it, changed as people change them.

Each editor changes one picture of an export in the tool's own file, and knows nothing of our code.
"""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree
from xml.etree import ElementTree

import cv2
import numpy as np
from labelled_set import HEIGHT, WIDTH, record, write_records

from shared_encoder_perception.__main__ import main

CLASSES = [
    {"id": 0, "name": "road", "category": "flat", "colour": [128, 64, 128], "drivable": True},
    {"id": 1, "name": "vehicle", "category": "thing", "colour": [0, 0, 142], "drivable": False},
    {"id": 2, "name": "sky", "category": "", "colour": [70, 130, 180], "drivable": False},
]
IMAGE = "000.png"


def planes():
    """The files of one picture's labels, by their keys."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.fillPoly(mask, [np.array([[3, 179], [140, 50], [180, 50], [300, 179]])], 255)
    mask[100:130, 140:170] = 0  # a hole
    mask[150:170, 100:125] = 127
    mask[20, 30] = mask[22, 30] = 255  # specks
    ids = np.full((HEIGHT, WIDTH), 255, np.uint8)
    ids[mask == 255] = 0
    ids[:40] = 2
    ids[100:130, 140:170] = ids[60:80, 20:50] = 1
    instances = np.zeros((HEIGHT, WIDTH), np.uint16)
    instances[100:130, 140:170], instances[60:80, 20:50] = 7, 300
    new = np.where(ids == 1, 255, 0).astype(np.uint8)
    new[:, -5:] = 127
    sure = np.where(mask == 255, 200, 90).astype(np.uint8)
    sure[:, :160] = 255
    return {
        "mask": mask,
        "mask_confidence": sure,
        "classes": ids,
        "classes_confidence": np.where(ids == 2, 128, 250).astype(np.uint8),
        "instances": instances,
        "foreground": new,
        "background": np.full((HEIGHT, WIDTH, 3), 80, np.uint8),
    }


def write_labelled(folder: Path) -> Path:
    """Write a set: a picture with all labels by a model, one by people, and one without any."""
    files = {key: f"{key}/road/000.png" for key in planes()}
    files |= {"mask": "masks/road/000.png", "class_table": "class_tables/t.json"}
    lanes = record(0)["lanes"]
    del lanes["right_split_ego"]
    whole = record(
        0,
        **files,
        lanes=lanes,
        lane_confidence={"ego": 0.75, "left_ego": 0.5},
        boundaries=[[[100, 170], [150, 60]]],
        pseudo=["lanes", "mask", "classes"],
        licence="mine",
        attributes={"timeofday": "night"},
        notes=["a note"],
    )
    by_people = record(1, mask=None)
    alone = record(2, mask=None, lanes=None, crop=None)
    write_records(folder, [whole, by_people, alone])
    image = np.random.default_rng(0).integers(0, 90, (HEIGHT, WIDTH, 3), np.uint8)
    for index in range(3):
        write_picture(folder / f"images/road/{index:03d}.png", image + index)
    for key, plane in planes().items():
        write_picture(folder / files[key], plane)
    (folder / "class_tables").mkdir()
    (folder / files["class_table"]).write_text(json.dumps(CLASSES))
    return folder


def write_picture(path: Path, pixels) -> None:
    """Write a picture, and the folder above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels)


def export(tool: str, folder: Path, out: Path, *more: str) -> Path:
    """Export a set; return the export's folder."""
    assert main(["dataset", "export", tool, str(folder), "--out", str(out), *more]) == 0
    return out


def write_exports(home: Path) -> Path:
    """Write a set, and its export for each tool, to be copied; return the folder of all."""
    folder = write_labelled(home / "set")
    for tool in EDITORS:
        export(tool, folder, home / tool)
    return home


def copies(home: Path, tool: str, where: Path) -> tuple[Path, Path]:
    """Copy the set and an export of ``write_exports``; return both folders."""
    copytree(home / "set", where / "set")
    copytree(home / tool, where / "export")
    return where / "set", where / "export"


def convert(tool: str, path: Path, out: Path, *more: str) -> int:
    """Read an export back; return the exit status."""
    return main(["dataset", "convert", tool, str(path), "--out", str(out), *more])


def lines_of(folder: Path) -> list:
    """The lines of a set."""
    return [json.loads(line) for line in (folder / "frames.jsonl").read_text().splitlines()]


class Cvat:
    """Changes ``annotations.xml``."""

    def __init__(self, folder: Path, image: str = IMAGE) -> None:
        self.file = folder / "annotations.xml"
        self.tree = ElementTree.parse(self.file)
        self.images = self.tree.getroot().findall("image")
        (self.image,) = [one for one in self.images if one.get("name").endswith(image)]

    def shapes(self, label):
        return [one for one in self.image if one.get("label") == label]

    def move(self, label, dx):
        for one in self.shapes(label):
            pairs = (point.split(",") for point in one.get("points").split(";"))
            one.set("points", ";".join(f"{float(x) + dx:.2f},{y}" for x, y in pairs))

    def remove(self, label):
        for one in self.shapes(label):
            self.image.remove(one)

    def rename(self, label, other):
        for one in self.shapes(label):
            one.set("label", other)

    def add(self, label, points, closed=True):
        text = ";".join(f"{x},{y}" for x, y in points)
        keys = {"label": label, "points": text, "z_order": "9"}
        ElementTree.SubElement(self.image, "polygon" if closed else "polyline", keys)

    def flag(self, label, on):
        self.remove(label)
        if on:
            ElementTree.SubElement(self.image, "tag", {"label": label})

    def name(self, change):
        self.image.set("name", change(self.image.get("name")))

    def size(self, width):
        self.image.set("width", str(width))

    def confidence(self, label, value):
        for one in self.shapes(label):
            one.find("attribute").text = str(value)

    def drop(self):
        self.tree.getroot().remove(self.image)

    def save(self):
        self.tree.write(self.file)


class Labelme:
    """Changes the JSON beside a picture."""

    def __init__(self, folder: Path, image: str = IMAGE) -> None:
        self.file = folder / "images" / "road" / image.replace(".png", ".json")
        self.content = json.loads(self.file.read_text())
        self.gone = False

    def shapes(self, label):
        return [one for one in self.content["shapes"] if one["label"] == label]

    def move(self, label, dx):
        for one in self.shapes(label):
            one["points"] = [[x + dx, y] for x, y in one["points"]]

    def remove(self, label):
        kept = [one for one in self.content["shapes"] if one["label"] != label]
        self.content["shapes"] = kept

    def rename(self, label, other):
        for one in self.shapes(label):
            one["label"] = other

    def add(self, label, points, closed=True):
        kind = "polygon" if closed else "linestrip"
        self.content["shapes"].append({"label": label, "points": points, "shape_type": kind})

    def flag(self, label, on):
        self.content["flags"][label] = on

    def name(self, change):
        self.content["imagePath"] = change(self.content["imagePath"])

    def size(self, width):
        self.content["imageWidth"] = width

    def confidence(self, label, value):
        for one in self.shapes(label):
            one["attributes"]["confidence"] = value

    def drop(self):
        self.gone = True

    def save(self):
        self.file.unlink()
        if not self.gone:
            self.file.write_text(json.dumps(self.content))


class Coco:
    """Changes ``instances_default.json``."""

    def __init__(self, folder: Path, image: str = IMAGE) -> None:
        self.file = folder / "annotations" / "instances_default.json"
        self.content = json.loads(self.file.read_text())
        images = self.content["images"]
        (self.image,) = [one for one in images if one["file_name"].endswith(image)]
        self.ids = {one["name"]: one["id"] for one in self.content["categories"]}

    def shapes(self, label):
        key = (self.image["id"], self.ids[label])
        those = self.content["annotations"]
        return [one for one in those if (one["image_id"], one["category_id"]) == key]

    def move(self, label, dx):
        for one in self.shapes(label):
            one["polyline"][::2] = [x + dx for x in one["polyline"][::2]]

    def remove(self, label):
        for one in self.shapes(label):
            self.content["annotations"].remove(one)

    def rename(self, label, other):
        for one in self.shapes(label):
            one["category_id"] = self.ids.setdefault(other, 99)
        if 99 in self.ids.values():
            self.content["categories"].append({"id": 99, "name": other})

    def add(self, label, points, closed=True):
        flat = [value for point in points for value in point]
        key = {"image_id": self.image["id"], "category_id": self.ids[label], "id": 10_000}
        more = {"segmentation": [flat]} if closed else {"segmentation": [], "polyline": flat}
        self.content["annotations"].append({**key, **more})

    def flag(self, label, on):
        flags = [one for one in self.image["flags"] if one != label]
        self.image["flags"] = [*flags, label] if on else flags

    def name(self, change):
        self.image["file_name"] = change(self.image["file_name"])

    def size(self, width):
        self.image["width"] = width

    def confidence(self, label, value):
        for one in self.shapes(label):
            one["attributes"]["confidence"] = value

    def drop(self):
        self.content["images"].remove(self.image)
        those = self.content["annotations"]
        kept = [one for one in those if one["image_id"] != self.image["id"]]
        self.content["annotations"] = kept

    def save(self):
        self.file.write_text(json.dumps(self.content))


EDITORS = {"cvat": Cvat, "labelme": Labelme, "coco": Coco}
TOOLS = sorted(EDITORS)
