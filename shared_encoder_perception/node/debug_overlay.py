# SPDX-License-Identifier: Apache-2.0
"""The debug overlay: what the node saw in an image, as one small JPEG."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks
from shared_encoder_perception.drawing.overlay import draw, resized
from shared_encoder_perception.drawing.text import draw_notes
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.topics import pictures

BIRDS_EYE_SHARE: Final = 0.3
"""Width of the view from above, as a share of the image's."""
NOTED_STAGES: Final = (
    "waiting",
    "conversion",
    "preprocess",
    "inference",
    "decode",
    "geometry",
)
"""Stages whose time is written into the picture, where it is known."""


@dataclass(frozen=True)
class DebugOptions:
    """How the node's pictures are drawn, and how often; see the parameters ``debug.*``.

    Attributes:
        overlay_width: Columns of the camera image in the overlay, if it has at least so many.
        overlay_quality: JPEG quality, 1 to 100.
        overlay_max_rate_hz: Most overlays in a second.
        overlay_birds_eye: Whether what has ground geometry is drawn from above too.
        overlay_all: Whether tasks are drawn, too, that have a debug topic with a picture of their
            own; a model of nothing else is drawn in any case.
        markers_max_rate_hz: Most marker arrays in a second.
    """

    overlay_width: int = 800
    overlay_quality: int = 80
    overlay_max_rate_hz: float = 10.0
    overlay_birds_eye: bool = True
    overlay_all: bool = False
    markers_max_rate_hz: float = 10.0

    @classmethod
    def from_parameters(cls, value: Callable[[str], Any]) -> DebugOptions:
        """Build them from the node's parameters, given by name."""
        return cls(
            int(value("debug.overlay_width")),
            int(value("debug.overlay_quality")),
            float(value("debug.overlay_max_rate_hz")),
            bool(value("debug.overlay_birds_eye")),
            bool(value("debug.overlay_all")),
            float(value("debug.markers_max_rate_hz")),
        )


def notes_of(model: str, stage_ms: Mapping[str, float], replaced: int) -> list[str]:
    """Return what is written beside the answers: the model, times and drops.

    Args:
        model: Name and version of the model.
        stage_ms: Milliseconds by stage.
        replaced: Images replaced by newer ones so far.
    """
    times = [f"{name} {stage_ms[name]:.1f} ms" for name in NOTED_STAGES if name in stage_ms]
    return [model, *times, *([f"{replaced} replaced"] if replaced else [])]


def render(
    image: NDArray[np.uint8], perception: Perception, notes: list[str], options: DebugOptions
) -> NDArray[np.uint8]:
    """Draw what was perceived.

    Args:
        image: (H, W, 3) uint8 BGR of ``perception.image_size``; not drawn on.
        perception: What was seen in it.
        notes: Lines of text for the top-right corner.
        options: Size and parts of the picture.

    Returns:
        (h, w, 3) uint8 BGR, at most ``overlay_width`` columns and the view from above.
    """
    if not options.overlay_all:
        perception = _readable(perception)
    if image.shape[1] > options.overlay_width:
        scale = options.overlay_width / image.shape[1]
        size = (max(round(image.shape[0] * scale), 1), options.overlay_width)
        image = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
        perception = resized(perception, size)
    picture = draw(image, perception)
    draw_notes(picture, notes)
    if not options.overlay_birds_eye:
        return picture
    height, width = picture.shape[:2]
    size = (height, max(round(width * BIRDS_EYE_SHARE), 2))
    rooms = tasks.parts("birds_eye", perception.answers)
    views = [room.from_above(perception.answers[name], size) for name, room in rooms.items()]
    return np.hstack([picture, *(view for view in views if view is not None)])


def _readable(perception: Perception) -> Perception:
    """Leave out what fills all of a picture and has one of its own, if something else is left."""
    answers = {name: one for name, one in perception.answers.items() if not pictures([name])}
    return replace(perception, answers=answers) if answers else perception


def encode_jpeg(picture: NDArray[np.uint8], quality: int) -> bytes:
    """Return a picture as a JPEG file.

    Args:
        picture: (H, W, 3) uint8 BGR.
        quality: 1 to 100.

    Raises:
        ValueError: The picture is too large for a JPEG.
    """
    encoded, content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not encoded:
        raise ValueError(f"cannot encode a picture of shape {picture.shape} as JPEG")
    return bytes(content)
