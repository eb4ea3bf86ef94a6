# SPDX-License-Identifier: Apache-2.0
"""The foreground on a picture: a tint with an outline; and what it was compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.drawing.shapes import Colour, outline_area, tint_area
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.foreground.answer import ForegroundMask
from shared_encoder_perception.tasks.foreground.labels import Label
from shared_encoder_perception.tasks.masks.draw import paint_mask_label, resized_mask
from shared_encoder_perception.tasks.masks.values import NOT_KNOWN, YES

LAYER: Final = 5
COLOUR: Final = (200, 40, 220)
MISSED: Final = (40, 40, 230)
FALSE: Final = (40, 200, 250)
PANELS: Final = ("background", "answer", "label", "error: red missed, yellow false")
NOTHING_KNOWN: Final = "foreground: nothing to compare with"


def paint(canvas: NDArray[np.uint8], answer: ForegroundMask, scale: float) -> None:
    """Tint the foreground and outline it (in place)."""
    tint_area(canvas, answer.binary() > 0, COLOUR)


def legend(answer: ForegroundMask) -> list[tuple[str, Colour]]:
    """Say so where nothing is known; otherwise the tint speaks for itself."""
    return [] if answer.known else [(NOTHING_KNOWN, (200, 200, 200))]


def paint_label(canvas: NDArray[np.uint8], label: Label, scale: float) -> None:
    """Tint what is labelled as foreground, and darken what is not labelled (in place)."""
    paint_mask_label(canvas, label.mask, COLOUR)


def outline_label(canvas: NDArray[np.uint8], label: Label) -> None:
    """Outline what is labelled as foreground thinly in white (in place)."""
    outline_area(canvas, label.mask == YES)


def panels(answer: ForegroundMask, label: Label) -> Sequence[NDArray[np.uint8]]:
    """Return the background, answer, label, and error: red is missed, yellow false."""
    said, truth = answer.binary() > 0, label.mask == YES
    known = label.mask != NOT_KNOWN
    error = np.full((*said.shape, 3), 255, np.uint8)
    error[said & truth] = (190, 190, 190)
    error[~said & truth] = MISSED
    error[said & ~truth & known] = FALSE
    error[~known] = 96
    return [label.background, _grey(answer.values()), _grey(label.mask), error]


def resized(answer: ForegroundMask, image_size: Size, size: Size) -> ForegroundMask:
    """Return the mask of the resized image."""
    return resized_mask(answer, image_size, size)


def _grey(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a plane as a picture (H, W, 3)."""
    return np.repeat(plane[:, :, None], 3, axis=2)
