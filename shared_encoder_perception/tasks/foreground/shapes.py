# SPDX-License-Identifier: Apache-2.0
"""What is new in a picture, as people draw it; the picture of the empty place is not drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.foreground.draw import COLOUR
from shared_encoder_perception.tasks.foreground.labels import Label
from shared_encoder_perception.tasks.masks.shapes import (
    changed_pixels,
    draw_mask,
    mask_names,
    read_mask_drawing,
)
from shared_encoder_perception.tasks.shapes import Drawing, Name, ShapeError

WORD: Final = "new"
PIXELS: Final = "new pixels"
COUNTS: Final = (PIXELS,)


def names(legend: Any) -> Sequence[Name]:
    """Return the names of the mask's shapes."""
    return mask_names(WORD, COLOUR)


def draw(label: Label, size: Size, legend: Any) -> Drawing:
    """Return the regions of the mask."""
    return draw_mask(WORD, label.mask)


def read(
    drawing: Drawing, legend: Any, had: Label | None, *, reviewed: bool = False
) -> Label | None:
    """Return the mask that was drawn, with the background that it had.

    Raises:
        ShapeError: The background is not at hand, without which the mask says nothing.
    """
    mask = read_mask_drawing(WORD, drawing)
    if mask is None:
        return None
    if had is None:
        raise ShapeError(
            f"{WORD!r} is drawn, and the picture of the empty place is not at hand: give the set "
            "that was exported, by --original"
        )
    return Label(mask, had.background)


def changes(before: Label | None, after: Label | None) -> Mapping[str, int]:
    """Count the pixels that say something else."""
    masks = (None if label is None else label.mask for label in (before, after))
    count = changed_pixels(*masks)
    return {PIXELS: count} if count else {}
