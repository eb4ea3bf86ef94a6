# SPDX-License-Identifier: Apache-2.0
"""Labelled moments of a rig in a flat town, as answers that are known, and as a set on disk."""

from dataclasses import replace
from functools import cache

import numpy as np
from flat_ground import four_cameras, pictures, town

from shared_encoder_perception.evaluation.rigs.answers import Answers
from shared_encoder_perception.evaluation.rigs.rig_evaluation import RigEvaluation
from shared_encoder_perception.labels.rigs.record import record_of
from shared_encoder_perception.labels.rigs.writer import PNG, RigWriter, encoded
from shared_encoder_perception.rig.boxes import Box
from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.ground_map import NO, YES, GroundLabel, GroundMap
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.rig_predictor import RigPerception
from shared_encoder_perception.tasks.surround.decode import Decoder, Options
from shared_encoder_perception.tasks.surround.spec import Block
from shared_encoder_perception.tasks.surround.target import encode, ideal, truth

TASK = "surround"
BLOCK = Block()
GRID = BLOCK.grid
STAGE_MS = {"preprocess": 1.0}
FINE = BevGrid(-20.0, -30.0, 480, 480, 0.125)
TIMES = ("preprocess_ms", "inference_ms", "decode_ms", "latency_ms")


def drivable(ahead_m=0.0, grid=GRID):
    """Return where one may drive, once the vehicle is further along."""
    x, y = np.moveaxis(grid.centres(), -1, 0)
    return GroundMap(grid, np.where(town(x + ahead_m, y), YES, NO).astype(np.uint8))


def label_of(index=0):
    """Return what is so at a moment; each is another."""
    boxes = (
        Box("vehicle", 12.1 + index, 3.2, 0.8, 4.4, 1.8, 1.5, 0.1),
        Box("vehicle", -8.3, 1.2 - index, 1.2, 8.0, 2.4, 2.6, np.pi - 0.2),
        Box("vehicle", 24.0, -1.4, 0.8, 4.2, 1.8, 1.5, np.pi / 2),
    )
    return GroundLabel(boxes, drivable(2.0 * index))


def seen_ahead():
    """Return cells ahead of the vehicle."""
    return GRID.centres()[..., 0] > 1.0


def everywhere():
    """Return all cells."""
    return np.ones(GRID.shape, np.bool_)


def perfect(label, seen=None):
    """Return what is decoded from the outputs that the label asks for."""
    seen = everywhere() if seen is None else seen
    targets = encode(truth(label, GRID, seen), (96, 256), BLOCK)
    return Decoder(BLOCK)(ideal(targets, (96, 256), BLOCK), seen, Options.of(BLOCK))


def without_vehicles(answer):
    """Return an answer that says nothing of vehicles."""
    return replace(answer, vehicle=None, objects=(), centre=None, offset=None)


def answers_of(answer, on_ground=None, swapped=None):
    """Return what is said of a moment; of its cameras nothing matters but their number."""
    cameras = dict.fromkeys(("front", "rear"))
    return Answers(RigPerception(cameras, TASK, answer, STAGE_MS), on_ground, swapped)


def evaluated(moments, sources=("town",)):
    """Return an evaluation of ``(label, Answers)``, whose sources take turns."""
    evaluation = RigEvaluation(TASK, GRID)
    evaluation.learn(label for label, _ in moments)
    for index, (label, answers) in enumerate(moments):
        source = sources[index % len(sources)]
        evaluation.update(index, f"moment {index}", source, label, answers)
    return evaluation


def write_town(folder, count=2, rig=None, **changes):
    """Write a set of a drive through the town; ``changes`` replace what a record says."""
    with RigWriter(folder) as writer:
        for index in range(count):
            label = GroundLabel(label_of(index).objects, drivable(2.0 * index, FINE))
            frame = RigFrame(f"{index:03d}", rig or four_cameras(), {}, label=label)
            record = replace(record_of(frame, "town"), **changes)
            writer.write(record, taken(index, rig) if rig else taken_by_four(index))
    return folder


def taken(index, rig):
    """Return the files of the pictures of a moment, by camera."""
    images = pictures(rig, lambda x, y: town(x + 2.0 * index, y))
    return {name: encoded(one, PNG) for name, one in images.items()}


@cache
def taken_by_four(index):
    """Return those of the four cameras."""
    return taken(index, four_cameras())


def same_size_rig():
    """Return cameras that take pictures of one size."""
    return Rig(tuple(one for one in four_cameras().cameras if one.name != "rear"))
