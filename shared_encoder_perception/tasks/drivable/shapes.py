# SPDX-License-Identifier: Apache-2.0
"""The drivable surface as people draw it; the homography of the road is not drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.drivable.draw import COLOUR
from shared_encoder_perception.tasks.drivable.labels import Label
from shared_encoder_perception.tasks.masks.shapes import (
    COMPLETE,
    changed_pixels,
    draw_mask,
    mask_names,
    read_mask_drawing,
)
from shared_encoder_perception.tasks.shapes import (
    Drawing,
    Name,
    confidence_bytes,
    kept_confidence,
)

WORD: Final = "drivable"
PIXELS: Final = "drivable pixels"
COUNTS: Final = (PIXELS,)


def names(legend: Any) -> Sequence[Name]:
    """Return the names of the mask's shapes."""
    return mask_names(WORD, COLOUR)


def draw(label: Label, size: Size, legend: Any) -> Drawing:
    """Return the regions of the mask."""
    return draw_mask(WORD, label.mask, label.confidence)


def read(
    drawing: Drawing, legend: Any, had: Label | None, *, reviewed: bool = False
) -> Label | None:
    """Return the mask that was drawn, with the homography that it had."""
    mask = read_mask_drawing(WORD, drawing)
    if mask is None:
        return None
    if had is None:
        rest = drawing.flags.get(WORD + COMPLETE)
        return Label(mask, None if reviewed else confidence_bytes(drawing, rest))
    same = np.zeros_like(mask, bool) if reviewed else mask == had.mask
    return Label(mask, kept_confidence(had.confidence, same), had.homography)


def changes(before: Label | None, after: Label | None) -> Mapping[str, int]:
    """Count the pixels that say something else."""
    masks = (None if label is None else label.mask for label in (before, after))
    count = changed_pixels(*masks)
    return {PIXELS: count} if count else {}
