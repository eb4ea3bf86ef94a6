# SPDX-License-Identifier: Apache-2.0
"""Lines of text in the corners of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
LETTERS, SMALLEST_LETTERS = 0.55, 0.4
"""OpenCV font scales: at ``REFERENCE_WIDTH``, and below which nobody can read them."""
NOTE_COLOUR: Final = (230, 230, 230)
FAINT_COLOUR: Final = (150, 150, 150)
"""BGR of what is not there, such as a thing that was looked for and not found."""
CAPTION_PX: Final = 20
"""Height of a caption, in letters of the smallest size."""
CAPTION_COLOUR: Final = (40, 40, 40)
REFERENCE_WIDTH: Final = 800
"""Lines and letters are drawn for this width and scale with the image."""


def scale_of(canvas: NDArray[np.uint8]) -> float:
    """How much larger than at ``REFERENCE_WIDTH`` lines and letters are."""
    return max(canvas.shape[1] / REFERENCE_WIDTH, 0.5)


def draw_legend(
    canvas: NDArray[np.uint8], lines: Sequence[tuple[str, tuple[int, int, int]]]
) -> None:
    """Write lines of text, each in its colour (BGR), into the top-left corner (in place)."""
    _write(canvas, lines)


def draw_notes(canvas: NDArray[np.uint8], notes: Sequence[str]) -> None:
    """Write lines of text into the top-right corner (in place)."""
    _write(canvas, [(note, NOTE_COLOUR) for note in notes], right=True)


def draw_caption(canvas: NDArray[np.uint8], text: str) -> None:
    """Write one line on a bright strip ``CAPTION_PX`` high (in place).

    What is too long loses its beginning: names differ at their ends. Letters that OpenCV does not
    have, and control characters, are question marks.
    """
    shown = "".join(one if " " <= one <= "~" else "?" for one in text)
    keep = len(shown)
    while keep and _caption_width(shown, keep) > canvas.shape[1] - 8:
        keep -= 1
    at = (4, CAPTION_PX - 6)
    line = _cut(shown, keep)
    cv2.putText(canvas, line, at, FONT, SMALLEST_LETTERS, CAPTION_COLOUR, 1, cv2.LINE_AA)


def _cut(text: str, keep: int) -> str:
    """Return the last ``keep`` letters of a text, and whether there were more."""
    return text if keep >= len(text) else f"...{text[len(text) - keep :]}"


def _caption_width(text: str, keep: int) -> int:
    """Return how wide a cut caption is, px."""
    return int(cv2.getTextSize(_cut(text, keep), FONT, SMALLEST_LETTERS, 1)[0][0])


def _write(
    canvas: NDArray[np.uint8],
    lines: Sequence[tuple[str, tuple[int, int, int]]],
    right: bool = False,
) -> None:
    """Write lines of text into a top corner (in place), in more columns where one is too high."""
    if not lines:
        return
    scale = scale_of(canvas)
    size, thickness = max(LETTERS * scale, SMALLEST_LETTERS), max(round(scale), 1)
    row, margin = round(36 * size), round(12 * size)
    fit = max((canvas.shape[0] - margin) // row, 1)
    columns = [lines[first : first + fit] for first in range(0, len(lines), fit)]
    widths = [
        max(cv2.getTextSize(text, FONT, size, thickness)[0][0] for text, _ in column) + 2 * margin
        for column in columns
    ]
    left = max(canvas.shape[1] - sum(widths), 0) if right else 0
    for column, width in zip(columns, widths, strict=True):
        # Letters alone drown on a bright road.
        canvas[: row * len(column) + margin, left : left + width] //= 3
        for index, (text, colour) in enumerate(column, start=1):
            at = (left + margin, row * index - margin // 3)
            cv2.putText(canvas, text, at, FONT, size, colour, thickness, cv2.LINE_AA)
        left += width
