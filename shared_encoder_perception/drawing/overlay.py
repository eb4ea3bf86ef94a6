# SPDX-License-Identifier: Apache-2.0
"""What was perceived or labelled, drawn on its image, whatever the tasks are.

Each task is painted by the ``draw.py`` of its room, in the order of their ``LAYER``; a task whose
room has none does not show. Where the network did not see all of the image, a dashed line says so:
nothing beyond it is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks
from shared_encoder_perception.drawing.shapes import Colour, draw_line
from shared_encoder_perception.drawing.text import (
    CAPTION_PX,
    NOTE_COLOUR,
    draw_caption,
    draw_legend,
    scale_of,
)
from shared_encoder_perception.structures import Crop, Perception, Size

RIM: Final = 160
"""Grey level between small pictures, which may be white."""
SEEN_NOTE: Final = "not seen beyond the dashes"
EDGE_WIDTH: Final = 0.6
"""Of the edge of what was seen, as a share of a lane's."""


def draw(image: NDArray[np.uint8], perception: Perception) -> NDArray[np.uint8]:
    """Return a copy of ``image`` with every answer, and what is to be said of it in a corner.

    Args:
        image: (H, W, 3) uint8 BGR of ``perception.image_size``.
        perception: What to draw.

    Raises:
        ValueError: The image is of another size.
    """
    canvas = _painted(image, perception)
    crop = perception.crop
    partly = crop is not None and not crop.covers(perception.image_size)
    if crop is not None:
        mark_edge(canvas, crop)
    _add_legend(canvas, perception, [(SEEN_NOTE, NOTE_COLOUR)] if partly else [])
    return canvas


def draw_all(image: NDArray[np.uint8], perception: Perception) -> NDArray[np.uint8]:
    """Return ``draw``, and below it the pictures of their own that tasks have: (n H, W, 3)."""
    below = [
        room.picture(perception.answers[name])
        for name, room in tasks.parts("draw", perception.answers).items()
        if hasattr(room, "picture")
    ]
    return np.concatenate([draw(image, perception), *below])


def mark_edge(canvas: NDArray[np.uint8], crop: Crop) -> None:
    """Draw dashes along the sides of a crop that lie inside of a picture (H, W, 3) (in place)."""
    height, width = canvas.shape[:2]
    left, top = crop.x - 0.5, crop.y - 0.5
    right, bottom = left + crop.width, top + crop.height
    sides = (
        (crop.x > 0, ((left, top), (left, bottom))),
        (crop.y > 0, ((left, top), (right, top))),
        (crop.x + crop.width < width, ((right, top), (right, bottom))),
        (crop.y + crop.height < height, ((left, bottom), (right, bottom))),
    )
    for inside, ends in sides:
        if inside:
            scale = EDGE_WIDTH * scale_of(canvas)
            draw_line(canvas, np.array(ends), NOTE_COLOUR, scale, dashed=True)


def draw_beside_labels(
    image: NDArray[np.uint8], perception: Perception, labels: Mapping[str, Any], crop: Crop
) -> NDArray[np.uint8]:
    """Return the part of an image that was seen, with the answers, and the labels in white.

    Args:
        image: (H, W, 3) uint8 BGR of ``perception.image_size``.
        perception: The answers.
        labels: Of the image, by the name of the task; those of tasks that are not answered are left
            out.
        crop: What the network saw.
    """
    picture = _painted(image, perception)
    if perception.crop is not None and crop.shared(perception.crop) != crop:
        mark_edge(picture, perception.crop)
    outline_labels(picture, answered(labels, perception))
    part = picture[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width].copy()
    _add_legend(part, perception)
    return part


def draw_panels(
    perception: Perception, labels: Mapping[str, Any], crop: Crop, width: int
) -> list[NDArray[np.uint8]]:
    """Return a row of small pictures for each task that has some, each with its name below it.

    Args:
        perception: The answers.
        labels: Of the image, by the name of the task; a task without one has no row.
        crop: What the network saw, which is what is shown.
        width: Of a row, pixels.

    Returns:
        (h, width, 3) uint8 BGR each.
    """
    rows = []
    for name, room in tasks.parts("draw", perception.answers).items():
        if not hasattr(room, "panels") or name not in labels:
            continue
        shown = room.panels(perception.answers[name], labels[name])
        height = round(crop.height * width / crop.width / len(shown))
        # The last one takes what whole pixels leave over.
        widths = [width // len(shown)] * (len(shown) - 1)
        widths.append(width - sum(widths))
        small = [
            _named(cv2.resize(one[crop.window], (part, height), interpolation=cv2.INTER_AREA), name)
            for one, part, name in zip(shown, widths, room.PANELS, strict=True)
        ]
        rows.append(np.asarray(np.hstack(small), np.uint8))
    return rows


def _named(panel: Any, name: str) -> NDArray[np.uint8]:
    """Return a small picture with a rim, and what it shows below it."""
    height, width = panel.shape[:2]
    panel[-1], panel[:, -1] = RIM, RIM
    named = np.full((height + CAPTION_PX, width, 3), 255, np.uint8)
    named[:height] = panel
    draw_caption(named[height:], name)
    return named


def answered(labels: Mapping[str, Any], perception: Perception) -> dict[str, Any]:
    """Return the labels of the tasks that are answered: others hide what is to be compared."""
    return {task: label for task, label in labels.items() if task in perception.answers}


def outline_labels(canvas: NDArray[np.uint8], labels: Mapping[str, Any]) -> None:
    """Draw labels thinly in white on a picture (H, W, 3) that they are of (in place)."""
    for name, room in tasks.parts("draw", labels).items():
        room.outline_label(canvas, labels[name])


def draw_labels(image: NDArray[np.uint8], labels: Mapping[str, Any]) -> NDArray[np.uint8]:
    """Return a copy of an image (H, W, 3) with its labels, by the name of the task."""
    canvas = image.copy()
    for name, room in by_layer(labels):
        room.paint_label(canvas, labels[name], scale_of(canvas))
    return canvas


def resized(perception: Perception, size: Size) -> Perception:
    """Return a perception of an image resized to ``size``; only what can be drawn is kept."""
    answers = {
        name: room.resized(perception.answers[name], perception.image_size, size)
        for name, room in tasks.parts("draw", perception.answers).items()
    }
    crop = perception.crop and perception.crop.resized(perception.image_size, size)
    return replace(perception, image_size=size, answers=answers, crop=crop)


def _painted(image: NDArray[np.uint8], perception: Perception) -> NDArray[np.uint8]:
    """Return a copy of ``image`` with every answer."""
    if image.shape[:2] != tuple(perception.image_size):
        raise ValueError(
            f"image is {image.shape[:2]}, the perception is of {perception.image_size}"
        )
    canvas = image.copy()
    for name, room in by_layer(perception.answers):
        room.paint(canvas, perception.answers[name], scale_of(canvas))
    return canvas


def _add_legend(
    canvas: NDArray[np.uint8], perception: Perception, more: Sequence[tuple[str, Colour]] = ()
) -> None:
    """Write what each task has to say, and more, in the top-left corner (in place)."""
    answers = perception.answers
    lines = [line for name, room in by_layer(answers) for line in room.legend(answers[name])]
    draw_legend(canvas, [*lines, *more])


def by_layer(names: Iterable[str]) -> list[tuple[str, Any]]:
    """Return the tasks that can be drawn, in the order of painting."""
    return sorted(tasks.parts("draw", names).items(), key=lambda item: item[1].LAYER)
