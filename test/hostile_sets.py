# SPDX-License-Identifier: Apache-2.0
"""Label files of public formats with whatever names of pictures, and a file that must survive."""

import json

import cv2
import numpy as np

from shared_encoder_perception.__main__ import main

PICTURE = cv2.imencode(".jpg", np.full((720, 1280, 3), 90, np.uint8))[1].tobytes()
VICTIM = b"mine"


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def tusimple(folder, *names):
    rows = list(range(260, 720, 10))
    lanes = [[600 - row // 4 for row in rows], [700 + row // 4 for row in rows]]
    lines = [{"raw_file": name, "h_samples": rows, "lanes": lanes} for name in names]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "label_data_1.json").write_text(text)


def as_lines(names):
    return "".join(f"{name}\n" for name in names).encode("utf-8", "surrogatepass")


def culane(folder, *names):
    (folder / "list").mkdir(exist_ok=True)
    (folder / "list/train.txt").write_bytes(as_lines(names))


def curvelanes(folder, *names):
    (folder / "labels").mkdir(exist_ok=True)
    (folder / "labels/a.lines.json").write_text('{"Lines": []}')
    (folder / "train.txt").write_bytes(as_lines(names))


def bdd100k(folder, *names):
    (folder / "a.json").write_text(json.dumps([{"name": name, "labels": []} for name in names]))


FORMATS = {
    "tusimple": (tusimple, ""),
    "culane": (culane, ""),
    "curvelanes": (curvelanes, "train.txt"),
    "bdd100k": (bdd100k, ""),
}


def convert(home, form, *names, out="in/out"):
    """Write a public set and convert it; return the exit status."""
    write, path = FORMATS[form]
    folder = home / "set" / form
    folder.mkdir(exist_ok=True, parents=True)
    write(folder, *names)
    return main(["dataset", "convert", form, str(folder / path), "--out", str(home / out)])
