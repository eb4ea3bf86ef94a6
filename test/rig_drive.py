# SPDX-License-Identifier: Apache-2.0
"""Two moments of a drive by four cameras, as folders, and ``predict --rig`` of them."""

import json
from functools import cache

import cv2
import numpy as np
from flat_ground import four_cameras, pictures, town
from tiny_model import write_tiny_model

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.rig.rig_file import RigFile, write_rig
from shared_encoder_perception.rig_predictor import RigPredictor

COUNT = 2
RIG = four_cameras()


@cache
def moment(index):
    """Return the pictures of a drive that gets 2 m further."""
    return pictures(RIG, lambda x, y: town(x + 2.0 * index, y))


def picture_name(camera, index):
    """Return the file of a picture. The left camera counts otherwise: order is what counts."""
    return f"{camera}/{index + 9 * (camera == 'left')}.png"


def write_place(folder):
    """Write the model, a rig.yaml, and a folder of pictures for each camera."""
    write_tiny_model(folder / "tiny.onnx")
    write_rig(folder / "rig.yaml", RigFile.of(RIG))
    for index in range(COUNT):
        for name, image in moment(index).items():
            path = folder / "in" / picture_name(name, index)
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), image)
    return folder


def predictor_at(place, rig=RIG):
    """Return what the command uses."""
    return RigPredictor(load_backend(place / "tiny.onnx"), rig)


def expected_maps(place):
    """Return the map of each moment as bytes, 254 times the probability, 255 for not seen."""
    predictor = predictor_at(place)
    found = [predictor.predict(moment(index)).surround.drivable for index in range(COUNT)]
    return [np.where(np.isnan(one), 255, np.rint(254 * np.nan_to_num(one))) for one in found]


def predict(place, source, out, *options, rig="rig.yaml", status=0):
    """Run the command, and return the lines of the moments."""
    args = ["predict", "--input", source, "--model", place / "tiny.onnx"]
    args += ["--backend", "onnxruntime", "--out", out, *options]
    args += ["--rig", place / rig] if rig else []
    assert main([str(one) for one in args]) == status
    path = out / "surround.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else None


def map_of(out, line):
    """Read the map that a line names."""
    return cv2.imread(str(out / line["surround_drivable"]), cv2.IMREAD_UNCHANGED)
