# SPDX-License-Identifier: Apache-2.0
"""Words above pictures on a dark ground, each in a colour of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.drawing.shapes import WHITE as WHITE
from shared_encoder_perception.drawing.shapes import Colour
from shared_encoder_perception.drawing.text import FAINT_COLOUR, FONT

FAINT: Final = FAINT_COLOUR
PAPER: Final = (24, 22, 20)
"""BGR of the ground."""
LINE_PX: Final = 20
TITLE_PX: Final = 30
LETTERS, TITLE_LETTERS = 0.45, 0.6
"""OpenCV font scales."""
SPACE_PX: Final = 12
"""Between two words."""


class Word(NamedTuple):
    """Something that is not broken into lines.

    Attributes:
        text: It.
        colour: BGR.
    """

    text: str
    colour: Colour


def write_words(canvas: NDArray[np.uint8], words: Sequence[Word]) -> int:
    """Write words one after the other, in as many lines as there is room for (in place).

    Args:
        canvas: (H, W, 3) uint8 BGR, some ``LINE_PX`` high; what lies below it is what they are
            about, so that fewer lines stand at its lower edge.
        words: What does not fit any more is left out.

    Returns:
        How many were written.
    """
    places: list[tuple[int, int]] = []
    left, line, most = 0, 0, canvas.shape[0] // LINE_PX
    for text, _ in words:
        width = width_of(text)
        if left and left + width > canvas.shape[1]:
            left, line = 0, line + 1
        if line == most:
            break
        places.append((left, line))
        left += width + SPACE_PX
    unused = most - 1 - max((line for _, line in places), default=0)
    for (text, colour), (left, line) in zip(words, places, strict=False):
        at = (left, (line + unused + 1) * LINE_PX - 6)
        cv2.putText(canvas, text, at, FONT, LETTERS, colour, 1, cv2.LINE_AA)
    return len(places)


def write_title(canvas: NDArray[np.uint8], title: str, right: str) -> None:
    """Write a title in larger letters, and something at the right-hand end (in place).

    Args:
        canvas: (``TITLE_PX``, W, 3) uint8 BGR.
        title: What it is.
        right: Such as the time.
    """
    for text, left in ((title, 0), (right, canvas.shape[1] - width_of(right, TITLE_LETTERS))):
        at = (left, TITLE_PX - 9)
        cv2.putText(canvas, text, at, FONT, TITLE_LETTERS, WHITE, 1, cv2.LINE_AA)


def width_of(text: str, letters: float = LETTERS) -> int:
    """Return how wide a text is, px."""
    return int(cv2.getTextSize(text, FONT, letters, 1)[0][0])
