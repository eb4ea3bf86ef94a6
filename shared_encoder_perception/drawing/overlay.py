"""What was perceived or labelled, drawn on its image, whatever the tasks are.

Each task is painted by the ``draw.py`` of its room, in the order of their ``LAYER``; a task whose
room has none does not show.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks
from shared_encoder_perception.drawing.text import draw_legend, scale_of
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.structures import Perception, Size


def draw(image: NDArray[np.uint8], perception: Perception) -> NDArray[np.uint8]:
    """Return a copy of ``image`` with every answer, and what is to be said of it in a corner.

    Args:
        image: (H, W, 3) uint8 BGR of ``perception.image_size``.
        perception: What to draw.

    Raises:
        ValueError: The image is of another size.
    """
    canvas = _painted(image, perception)
    _add_legend(canvas, perception)
    return canvas


def draw_beside_labels(
    image: NDArray[np.uint8], perception: Perception, labels: Mapping[str, Any], crop: Crop
) -> NDArray[np.uint8]:
    """Return the part of an image that was seen, with the answers, and the labels in white.

    Args:
        image: (H, W, 3) uint8 BGR of ``perception.image_size``.
        perception: The answers.
        labels: Of the image, by the name of the task; empty for none.
        crop: What the network saw.
    """
    picture = _painted(image, perception)
    outline_labels(picture, labels)
    part = picture[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width].copy()
    _add_legend(part, perception)
    return part


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
    return replace(perception, image_size=size, answers=answers)


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


def _add_legend(canvas: NDArray[np.uint8], perception: Perception) -> None:
    """Write what each task has to say in the top-left corner (in place)."""
    answers = perception.answers
    draw_legend(
        canvas, [line for name, room in by_layer(answers) for line in room.legend(answers[name])]
    )


def by_layer(names: Iterable[str]) -> list[tuple[str, Any]]:
    """Return the tasks that can be drawn, in the order of painting."""
    return sorted(tasks.parts("draw", names).items(), key=lambda item: item[1].LAYER)
