# SPDX-License-Identifier: Apache-2.0
"""Masks as people draw them: regions that are it, regions that nobody knows, and a flag.

The flag says that all was looked at: what no region covers is not it. Without it, that is unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.tasks.masks.values import NO, NOT_KNOWN, YES
from shared_encoder_perception.tasks.shapes import Drawing, Name, Region, mean_confidence

UNKNOWN: Final = "/unknown"
COMPLETE: Final = "/complete"
GREY: Final = (127, 127, 127)


def mask_names(word: str, colour: tuple[int, int, int]) -> Sequence[Name]:
    """Return the names of a mask's shapes.

    Args:
        word: What the mask is of.
        colour: BGR, as it is drawn.
    """
    blue, green, red = colour
    rgb = (red, green, blue)
    return (
        Name(word, "region", rgb),
        Name(word + UNKNOWN, "region", GREY),
        Name(word + COMPLETE, "flag", rgb),
    )


def draw_mask(
    word: str, mask: NDArray[np.uint8], confidence: NDArray[np.uint8] | None = None
) -> Drawing:
    """Return the regions of a mask (H, W), the unknown one below, with their mean confidence."""
    plane = np.zeros(mask.shape, np.int32)
    regions = []
    for name, value in ((word + UNKNOWN, NOT_KNOWN), (word, YES)):
        here = mask == value
        if here.any():
            sure = None if value == NOT_KNOWN else mean_confidence(confidence, here)
            regions.append(Region(name, sure))
            plane[here] = len(regions)
    rest = mean_confidence(confidence, mask == NO)
    size = (mask.shape[0], mask.shape[1])
    return Drawing(size, (), tuple(regions), plane, {word + COMPLETE: rest})


def read_mask_drawing(word: str, drawing: Drawing) -> NDArray[np.uint8] | None:
    """Return the mask (H, W) that was drawn; ``None`` where nothing is said of any pixel."""
    complete = word + COMPLETE in drawing.flags
    if not complete and all(one.name != word for one in drawing.regions):
        return None
    values = [YES if one.name == word else NOT_KNOWN for one in drawing.regions]
    return drawing.spread(np.array(values, np.uint8), NO if complete else NOT_KNOWN)


def changed_pixels(before: NDArray[np.uint8] | None, after: NDArray[np.uint8] | None) -> int:
    """Return how many pixels of a mask say something else; no mask is one that knows nothing."""
    if before is None or after is None:
        there = after if before is None else before
        return 0 if there is None else int((there != NOT_KNOWN).sum())
    return int((before != after).sum())
