"""The drivable surface on a picture: a tint with an outline."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.drawing.shapes import Colour, outline_area, tint_area
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.drivable.labels import MASK_DRIVABLE, MASK_IGNORE, Label

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
    canvas[label.mask == MASK_IGNORE] //= 2
    tint_area(canvas, label.mask == MASK_DRIVABLE, COLOUR)


def outline_label(canvas: NDArray[np.uint8], label: Label) -> None:
    """Outline what is labelled as drivable thinly in white (in place)."""
    outline_area(canvas, label.mask == MASK_DRIVABLE)


def resized(answer: DrivableMask, image_size: Size, size: Size) -> DrivableMask:
    """Return the mask of the resized image."""
    probability = cv2.resize(answer.probability, size[::-1], interpolation=cv2.INTER_AREA)
    crop = answer.crop and answer.crop.resized(image_size, size)
    return replace(answer, probability=np.asarray(probability, np.uint8), crop=crop)
