# SPDX-License-Identifier: Apache-2.0
"""A moment of a drive as one picture: the road ahead as each task sees it, the map, the cameras."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks
from shared_encoder_perception.demo.recording import AnsweredImage
from shared_encoder_perception.demo.rigs.absent import AbsentCameras
from shared_encoder_perception.demo.rigs.picture import seen_by_cameras
from shared_encoder_perception.demo.rigs.topics import RIG_TASK
from shared_encoder_perception.demo.vehicle.captions import (
    FAINT,
    LINE_PX,
    PAPER,
    TITLE_PX,
    WHITE,
    Word,
    write_title,
    write_words,
)
from shared_encoder_perception.demo.vehicle.clip import SHOWN_HZ
from shared_encoder_perception.demo.vehicle.recording import (
    Dated,
    VehicleMoment,
    vehicle_moments,
)
from shared_encoder_perception.drawing.overlay import by_layer
from shared_encoder_perception.drawing.text import scale_of
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.rig.rig_file import RigFile

HEIGHT, WIDTH = 720, 1280
MARGIN: Final = 8
"""Around everything, and between."""
AHEAD_PX: Final = 768
"""Width of the picture of the first camera with what lies on the ground; the map has the rest."""
BLANK: Final = (40, 40, 40)
"""Where there is nothing to show yet."""
AREA: Final = 0
"""``LAYER`` of tasks whose areas and lines share a picture; those below fill one of their own."""
TITLE: Final = (
    "One rendered drive, two ROS 2 nodes on a CPU: for the front camera, and for all four"
)

Picture = NDArray[np.uint8]


def mosaic_frames(bag: Path, file: RigFile) -> Iterator[Picture]:
    """Yield a picture for each one of the first camera, all of the same size.

    Args:
        bag: Of the drive.
        file: The rig, which says everything of its cameras.
    """
    rig = file.rig()
    absent = AbsentCameras(rig)
    for index, moment in enumerate(vehicle_moments(bag, file)):
        yield mosaic(rig, moment, index / SHOWN_HZ, absent)


def mosaic(rig: Rig, moment: VehicleMoment, time_s: float, absent: AbsentCameras) -> Picture:
    """Return the picture, (``HEIGHT``, ``WIDTH``, 3) uint8 BGR.

    Where a node has said nothing of this moment, its last answer is shown with the picture that it
    is of, and the caption says how old it is.

    Args:
        rig: The cameras.
        moment: What was recorded of them.
        time_s: Of the drive.
        absent: Names cameras that are not in a map.
    """
    canvas = np.full((HEIGHT, WIDTH, 3), PAPER, np.uint8)
    top = MARGIN + TITLE_PX
    write_title(canvas[MARGIN:top, MARGIN:-MARGIN], TITLE, f"{time_s:.1f} s")
    left = _ahead(rig, moment)
    right = _map(moment, WIDTH - AHEAD_PX - 3 * MARGIN)
    _put(canvas, left, top, MARGIN)
    _put(canvas, right, top, AHEAD_PX + 2 * MARGIN)
    below = _cameras(rig, moment, absent)
    _put(canvas, below, HEIGHT - MARGIN - below.shape[0], MARGIN)
    return canvas


def _ahead(rig: Rig, moment: VehicleMoment) -> Picture:
    """Return what was said of the first camera's picture: on the ground, and below it the rest."""
    shown, size = moment.ahead, rig.cameras[0].image_size
    if shown is None:
        height = round(AHEAD_PX * size[0] / size[1])
        return _captioned(np.full((height, AHEAD_PX, 3), BLANK, np.uint8), [_untold()], 1)
    answers = shown.value.perception.answers
    rooms = by_layer(answers)
    together = [name for name, room in rooms if room.LAYER >= AREA]
    alone = [name for name, room in rooms if room.LAYER < AREA]
    late = _late(moment, shown)
    large = _scaled(_painted(shown.value, together), AHEAD_PX)
    parts = [_captioned(large, [*_words(together, answers), *late], 1)]
    if alone:
        count = max(len(alone), 2)
        width = (AHEAD_PX - (count - 1) * MARGIN) // count
        small = [
            _captioned(
                _scaled(_alone(shown.value, name), width), [*_words([name], answers), *late], 2
            )
            for name in alone
        ]
        parts.append(_beside(small))
    return _below(parts)


def _painted(image: AnsweredImage, names: Sequence[str]) -> Picture:
    """Return the image with the answers of some tasks."""
    canvas = image.pixels.copy()
    for name, room in by_layer(names):
        room.paint(canvas, image.perception.answers[name], scale_of(canvas))
    return canvas


def _alone(image: AnsweredImage, name: str) -> Picture:
    """Return an answer's own picture, or else the image with it."""
    room = tasks.part(name, "draw")
    if hasattr(room, "picture"):
        picture: Picture = room.picture(image.perception.answers[name])
        return picture
    return _painted(image, [name])


def _words(names: Iterable[str], answers: Any) -> list[Word]:
    """Return the names of tasks, and what their legends say."""
    names = list(names)
    title = ", ".join(name.replace("_", " ") for name in reversed(names))
    legends = [line for name in names for line in tasks.part(name, "draw").legend(answers[name])]
    return [Word(title, WHITE), *(Word(text, colour) for text, colour in legends)]


def _map(moment: VehicleMoment, side: int) -> Picture:
    """Return the map from above."""
    shown = moment.around
    if shown is None:
        return _captioned(np.full((side, side, 3), BLANK, np.uint8), [_untold()], 1)
    room, answer = tasks.part(RIG_TASK, "draw"), shown.value.surround
    words = [Word("from above", WHITE), *(Word(*line) for line in room.legend(answer))]
    picture = _scaled(room.picture(answer), side)[:side]
    return _captioned(picture, [*words, *_late(moment, shown)], 1)


def _cameras(rig: Rig, moment: VehicleMoment, absent: AbsentCameras) -> Picture:
    """Return the pictures of all cameras that a map is made of, in a row."""
    shown, count = moment.around, len(rig.cameras)
    width = (WIDTH - (count + 1) * MARGIN) // count
    if shown is None:
        height = round(width * rig.cameras[-1].image_size[0] / rig.cameras[-1].image_size[1])
        return _captioned(np.full((height, width, 3), BLANK, np.uint8), [_untold()], 1)
    without = absent.of(shown.value.surround)
    late, found = _late(moment, shown), []
    for name, picture, when in seen_by_cameras(rig, shown.value, without):
        words = [Word(name, WHITE), *late]
        if name in without or name not in shown.value.images:
            words.append(Word(when, FAINT))
        found.append(_captioned(_scaled(picture, width), words, 1))
    return _beside(found)


def _late(moment: VehicleMoment, shown: Dated[Any]) -> list[Word]:
    """Return how old what is shown is, where it is not of this moment."""
    age = moment.age_s(shown)
    return [Word(f"({age:.1f} s old: no answer yet)", FAINT)] if age > 0 else []


def _untold() -> Word:
    """Return what is said before a node's first answer."""
    return Word("no answer yet", FAINT)


def _scaled(picture: Picture, width: int) -> Picture:
    """Return a picture of that width."""
    height = round(picture.shape[0] * width / picture.shape[1])
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _captioned(picture: Picture, words: Sequence[Word], lines: int) -> Picture:
    """Return a picture with words above it, in so many lines."""
    strip = np.full((lines * LINE_PX, picture.shape[1], 3), PAPER, np.uint8)
    write_words(strip, words)
    return np.concatenate((strip, picture))


def _beside(pictures: Sequence[Picture]) -> Picture:
    """Return pictures in a row."""
    width = sum(one.shape[1] for one in pictures) + MARGIN * (len(pictures) - 1)
    row = np.full((max(one.shape[0] for one in pictures), width, 3), PAPER, np.uint8)
    left = 0
    for one in pictures:
        _put(row, one, 0, left)
        left += one.shape[1] + MARGIN
    return row


def _below(pictures: Sequence[Picture]) -> Picture:
    """Return pictures in a column."""
    return np.ascontiguousarray(_beside([one.swapaxes(0, 1) for one in pictures]).swapaxes(0, 1))


def _put(canvas: Picture, picture: Picture, top: int, left: int) -> None:
    """Lay a picture on another one (in place); what reaches beyond it is cut off."""
    room = canvas[top : top + picture.shape[0], left : left + picture.shape[1]]
    room[:] = picture[: room.shape[0], : room.shape[1]]
