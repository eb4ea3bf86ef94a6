# SPDX-License-Identifier: Apache-2.0
"""The drivable surface on a picture: a tint with an outline."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.drawing.shapes import Colour, outline_area, tint_area
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.drivable.labels import Label
from shared_encoder_perception.tasks.masks.draw import paint_mask_label, resized_mask
from shared_encoder_perception.tasks.masks.values import YES

LAYER: Final = 0
COLOUR: Final = (178, 114, 0)


def paint(canvas: NDArray[np.uint8], answer: DrivableMask, scale: float) -> None:
    """Tint the drivable pixels and outline them (in place)."""
    tint_area(canvas, answer.binary() > 0, COLOUR)


def legend(answer: DrivableMask) -> list[tuple[str, Colour]]:
    """Say nothing: the tint speaks for itself."""
    return []


def paint_label(canvas: NDArray[np.uint8], label: Label, scale: float) -> None:
    """Tint what is labelled as drivable, and darken what is not labelled (in place)."""
    paint_mask_label(canvas, label.mask, COLOUR)


def outline_label(canvas: NDArray[np.uint8], label: Label) -> None:
    """Outline what is labelled as drivable thinly in white (in place)."""
    outline_area(canvas, label.mask == YES)


def resized(answer: DrivableMask, image_size: Size, size: Size) -> DrivableMask:
    """Return the mask of the resized image."""
    return resized_mask(answer, image_size, size)
