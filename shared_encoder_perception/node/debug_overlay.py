"""The debug overlay: what the node saw in an image, as one small JPEG."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.compat import perception_of
from shared_encoder_perception.drawing.visualize import draw, draw_notes
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.lanes.answer import LaneLine
from shared_encoder_perception.tasks.lanes.birds_eye import draw_birds_eye

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
        overlay_birds_eye: Whether lanes with ground geometry are drawn from above too.
        markers_max_rate_hz: Most marker arrays in a second.
    """

    overlay_width: int = 800
    overlay_quality: int = 80
    overlay_max_rate_hz: float = 10.0
    overlay_birds_eye: bool = True
    markers_max_rate_hz: float = 10.0

    @classmethod
    def from_parameters(cls, value: Callable[[str], Any]) -> DebugOptions:
        """Build them from the node's parameters, given by name."""
        return cls(
            int(value("debug.overlay_width")),
            int(value("debug.overlay_quality")),
            float(value("debug.overlay_max_rate_hz")),
            bool(value("debug.overlay_birds_eye")),
            float(value("debug.markers_max_rate_hz")),
        )


def notes_of(model: str, stage_ms: Mapping[str, float], replaced: int) -> list[str]:
    """Return what is written beside the lanes: the model, times and drops.

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
    """Draw everything that was perceived.

    Args:
        image: (H, W, 3) uint8 BGR of ``perception.image_size``; not drawn on.
        perception: What was seen in it.
        notes: Lines of text for the top-right corner.
        options: Size and parts of the picture.

    Returns:
        (h, w, 3) uint8 BGR, at most ``overlay_width`` columns and the view from above.
    """
    if image.shape[1] > options.overlay_width:
        scale = options.overlay_width / image.shape[1]
        size = (max(round(image.shape[0] * scale), 1), options.overlay_width)
        image = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
        perception = _scaled(perception, size)
    picture = draw(image, perception)
    draw_notes(picture, notes)
    grounded = any(line.ground is not None for line in perception.lanes)
    if not (options.overlay_birds_eye and grounded):
        return picture
    height, width = picture.shape[:2]
    above = draw_birds_eye(perception.lanes, (height, max(round(width * BIRDS_EYE_SHARE), 2)))
    return np.hstack((picture, above))


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


def _scaled(perception: Perception, size: tuple[int, int]) -> Perception:
    """Return a perception of an image resized to ``size``."""
    mask = perception.mask
    if mask is not None:
        probability = cv2.resize(mask.probability, size[::-1], interpolation=cv2.INTER_AREA)
        mask = replace(mask, probability=probability)
    scale = np.array(size[::-1]) / np.array(perception.image_size[::-1])
    lanes = tuple(_scaled_line(line, scale) for line in perception.lanes)
    return perception_of(size, lanes, mask, perception.stage_ms)


def _scaled_line(line: LaneLine, scale: NDArray[np.float64]) -> LaneLine:
    """Scale a line; pixel centres are at integers."""
    points = (line.points_px + 0.5) * scale - 0.5
    return replace(line, points_px=points.astype(np.float32))
