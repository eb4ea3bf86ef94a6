# SPDX-License-Identifier: Apache-2.0
"""A small scene around a vehicle, with its truth and the answer that says just that."""

from dataclasses import replace

import numpy as np

from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.ground.extrinsics import Extrinsics
from shared_encoder_perception.ground.view import CameraView
from shared_encoder_perception.rig.boxes import Box
from shared_encoder_perception.rig.ground_map import NO, YES, GroundLabel, GroundMap, drivable_map
from shared_encoder_perception.rig.rig import Rig, RigCamera
from shared_encoder_perception.tasks.surround.decode import Decoder, Options
from shared_encoder_perception.tasks.surround.spec import Block
from shared_encoder_perception.tasks.surround.target import encode, ideal, truth

BLOCK = Block()
GRID = BLOCK.grid
NARROW = Block(x_min_m=-4.0, y_min_m=-3.0, cells_x=40, cells_y=16, cell_m=0.5)
"""Of other numbers of rows and columns: what mixes them up fails."""
BOXES = (
    Box("vehicle", 12.1, 3.2, 0.8, 4.4, 1.8, 1.5, 0.1),
    Box("vehicle", 7.0, -4.1, 0.8, 4.6, 1.9, 1.6, -0.6),
    Box("vehicle", -8.3, 1.2, 1.2, 8.0, 2.4, 2.6, np.pi - 0.2),
    Box("vehicle", 24.0, -1.4, 0.8, 4.2, 1.8, 1.5, np.pi / 2),
)
ROAD = (
    np.array([(-15.0, -6.0), (35.0, -6.0), (35.0, 6.0), (-15.0, 6.0)]),
    np.array([(18.0, 6.0), (26.0, 6.0), (26.0, 25.0), (18.0, 25.0)]),
)
LABEL = GroundLabel(BOXES, drivable_map(ROAD, GRID))


def seen_behind_nothing(grid=GRID):
    """Return where it is seen: neither below the vehicle nor in a corner behind on the right."""
    x, y = grid.centres()[..., 0], grid.centres()[..., 1]
    return (np.hypot(x, y) > 2.0) & ~((x < -9) & (y < -10))


def answer_of(label=LABEL, seen=None, block=BLOCK, options=None):
    """Return what is decoded from the outputs that the label asks for."""
    seen = np.ones(block.grid.shape, np.bool_) if seen is None else seen
    targets = encode(truth(label, block.grid, seen), (96, 256), block)
    outputs = ideal(targets, (96, 256), block)
    return Decoder(block)(outputs, seen, options or Options.of(block))


def truth_of(label=LABEL, seen=None, grid=GRID):
    """Return the truth of a label where cells are seen."""
    return truth(label, grid, np.ones(grid.shape, np.bool_) if seen is None else seen)


def partly_in_view(label=LABEL):
    """Return a label of which what is on the left is hidden."""
    values = np.where(GRID.centres()[..., 1] > 0, NO, YES).astype(np.uint8)
    return replace(label, in_view=GroundMap(GRID, values))


def one_vehicle(x_m, y_m, yaw_rad=0.0, length_m=4.5, width_m=2.0):
    """Return the label of a lone vehicle, and nothing about where one may drive."""
    return GroundLabel((Box("vehicle", x_m, y_m, 0.8, length_m, width_m, 1.5, yaw_rad),))


def soft(answer, seed=0):
    """Return an answer whose probabilities are neither 0 nor 1."""
    rng = np.random.default_rng(seed)
    maps = {
        name: np.where(answer.seen, rng.uniform(0, 1, answer.seen.shape), np.nan).astype(np.float32)
        for name in ("vehicle", "drivable")
    }
    return replace(answer, **maps)


def four_cameras():
    """Return pinhole cameras that look ahead, left, back and right."""
    size, focal = (240, 400), 220.0
    matrix = np.array([[focal, 0, 199.5], [0, focal, 119.5], [0, 0, 1]])
    lens = CameraModel(size, matrix, np.zeros(0), False, np.eye(3), (1, 1), (0.0, 0.0))

    def camera(name, place, yaw):
        pose = Extrinsics.from_angles(place, 0.0, 0.15, np.deg2rad(yaw))
        return RigCamera(name, CameraView(lens, pose))

    places = ((1.5, 0, 1.6), (0.5, 0.9, 1.6), (-1.0, 0, 1.6), (0.5, -0.9, 1.6))
    names = ("front", "left", "rear", "right")
    return Rig(tuple(map(camera, names, places, (0, 90, 180, -90))))
