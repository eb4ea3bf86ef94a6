# SPDX-License-Identifier: Apache-2.0
"""Masks on pictures: a tint with an outline, in the colour of what they are of."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.drawing.shapes import Colour, tint_area
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.masks.answer import Mask
from shared_encoder_perception.tasks.masks.values import NOT_KNOWN, YES

M = TypeVar("M", bound=Mask)


def paint_mask_label(canvas: NDArray[np.uint8], mask: NDArray[np.uint8], colour: Colour) -> None:
    """Tint what is labelled "yes", and darken what is not labelled (in place)."""
    canvas[mask == NOT_KNOWN] //= 2
    tint_area(canvas, mask == YES, colour)


def resized_mask(answer: M, image_size: Size, size: Size) -> M:
    """Return the mask of the image resized from ``image_size`` to ``size``."""
    probability = cv2.resize(answer.probability, size[::-1], interpolation=cv2.INTER_AREA)
    crop = answer.crop and answer.crop.resized(image_size, size)
    return replace(answer, probability=np.asarray(probability, np.uint8), crop=crop)
