# SPDX-License-Identifier: Apache-2.0
"""The best, the middle and the worst moments, as pictures: what each camera saw, and the ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks
from shared_encoder_perception.drawing.overlay import draw
from shared_encoder_perception.drawing.pictures import tile
from shared_encoder_perception.drawing.text import draw_legend, scale_of
from shared_encoder_perception.evaluation.rigs.answers import Answers
from shared_encoder_perception.evaluation.rigs.counts import MomentRecord
from shared_encoder_perception.evaluation.rigs.rig_evaluation import ON_GROUND
from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.ground_map import GroundLabel

KEPT: Final = 3
"""Of each kind."""
WIDTH_PX: Final = 1360
JPEG_QUALITY: Final = 82
MISSING: Final = 70
"""Grey level of the picture of a camera that gave none."""
WORST, MIDDLE, BEST = "Worst moments", "Median moments", "Best moments"


def pick(records: Sequence[MomentRecord], kept: int = KEPT) -> dict[str, list[MomentRecord]]:
    """Choose moments by their faults, each for one kind only; of equals, the first in the set.

    Args:
        records: Of all moments; those without anything to score are passed over.
        kept: Of each kind at most.

    Returns:
        ``WORST``, ``MIDDLE`` and ``BEST``, each from its extreme on.
    """
    scored = [one for one in records if one.scores.scored]
    worst = sorted(scored, key=lambda one: (-one.scores.faults, one.index))[:kept]
    left = [one for one in scored if one not in worst]
    best = sorted(left, key=lambda one: (one.scores.faults, one.index))[:kept]
    left = [one for one in left if one not in best]
    median = float(np.median([one.scores.faults for one in scored])) if scored else 0.0
    middle = sorted(left, key=lambda one: (abs(one.scores.faults - median), one.index))[:kept]
    return {WORST: worst, MIDDLE: middle, BEST: best}


def caption(record: MomentRecord) -> str:
    """Name a moment and say what it scored, in one line."""
    cameras = f"{record.cameras} camera{'' if record.cameras == 1 else 's'}"
    missing = [f"no picture of {', '.join(record.missing)}"] if record.missing else []
    return " · ".join([record.name, cameras, *missing, *record.scores.words])


def draw_moment_beside_label(
    frame: RigFrame, label: GroundLabel, answers: Answers
) -> NDArray[np.uint8]:
    """Return the cameras' pictures with objects as answered and labelled, and below them the maps.

    Args:
        frame: The pictures.
        label: What is known of the ground.
        answers: What is said of it.

    Returns:
        (h, ``WIDTH_PX``, 3) uint8 BGR.
    """
    found = answers.model
    room, answer = tasks.part(found.task, "draw"), found.surround
    near = near_label(label, answer.grid)
    pictures, captions = [], []
    for camera in frame.rig.cameras:
        if camera.name in frame.images:
            picture = draw(frame.images[camera.name], found.cameras[camera.name])
            room.paint_label(picture, near, camera, scale_of(picture))
            room.paint(picture, answer, camera, scale_of(picture))
        else:
            picture = np.full((*camera.image_size, 3), MISSING, np.uint8)
        pictures.append(picture)
        captions.append(camera.name if camera.name in frame.images else f"{camera.name}: missing")
    truth = tasks.part(found.task, "target").truth(label, answer.grid, answer.seen)
    maps, titles = list(room.panels(answer, truth)), list(room.PANELS)
    if answers.on_ground is not None:
        maps.append(room.picture(answers.on_ground))
        titles.append(ON_GROUND)
    beside = len(pictures) if len(pictures) <= 4 else 3
    columns = max(len(maps), 3)
    maps[0] = _resized(maps[0], _width(columns))  # letters do not survive being shrunk
    draw_legend(maps[0], room.legend(answer))
    return np.vstack([_row(pictures, captions, max(beside, 2)), _row(maps, titles, columns)])


def near_label(label: GroundLabel, grid: BevGrid) -> GroundLabel:
    """Return a label with the objects on the cells that a camera sees: all others hide pictures."""
    if label.objects is None:
        return label
    x_min, y_min, x_max, y_max = grid.extent_m
    kept = [
        box
        for box in label.objects
        if x_min <= box.x_m <= x_max and y_min <= box.y_m <= y_max and box.visible != 0
    ]
    return replace(label, objects=tuple(kept))


def as_jpeg(picture: NDArray[np.uint8]) -> bytes:
    """Encode a picture for a page."""
    _, data = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
    return bytes(data.tobytes())


def _width(columns: int) -> int:
    """Return how wide each of some pictures in a row is."""
    return WIDTH_PX // columns - 4


def _resized(picture: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """Return a picture of another width."""
    height = round(picture.shape[0] * width / picture.shape[1])
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _row(pictures: Sequence[Any], captions: Sequence[str], columns: int) -> NDArray[np.uint8]:
    """Arrange pictures so that the sheet is ``WIDTH_PX`` wide."""
    sheet = tile(pictures, columns, _width(columns), captions)
    right = ((0, 0), (0, WIDTH_PX - sheet.shape[1]), (0, 0))
    return np.pad(sheet, right, constant_values=255)
