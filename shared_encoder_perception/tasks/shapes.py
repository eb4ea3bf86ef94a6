# SPDX-License-Identifier: Apache-2.0
"""Labels as people draw them in annotation tools: lines, regions and flags, in no tool's terms.

A room's ``shapes.py`` turns its labels into a ``Drawing`` and back; ``labels.exports`` and
``labels.adapters`` turn drawings into files of tools and back.

What is not drawn is never a "no". A flag says one: that a lane is not there, or that what no region
covers is none. Without the flag it is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size

Kind = Literal["line", "region", "flag"]
SURE: Final = 255
"""Byte of a confidence of 1."""


class ShapeError(ValueError):
    """A shape that no label can be made of; the message says which, and what was expected."""


@dataclass(frozen=True)
class Name:
    """One of the names that shapes of a task may have.

    Attributes:
        text: As people see it. No other task has it.
        kind: Of the shape.
        colour: RGB, 0 to 255.
    """

    text: str
    kind: Kind
    colour: tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Line:
    """A line that somebody drew.

    Attributes:
        name: Its name.
        points: (N, 2) float64 ``(x, y)`` pixels, centres at integers, in any direction.
        confidence: 0 to 1; ``None`` where nobody doubts it.
        where: Which shape of which file, for messages.
    """

    name: str
    points: NDArray[np.float64]
    confidence: float | None = None
    where: str = ""


@dataclass(frozen=True)
class Region:
    """Pixels that somebody gave a name.

    Attributes:
        name: Its name.
        confidence: 0 to 1; ``None`` where nobody doubts it.
        group: Regions of one name and one number are one object; 0 is no single one.
    """

    name: str
    confidence: float | None = None
    group: int = 0


@dataclass(frozen=True, eq=False)
class Drawing:
    """What is drawn of one task on one picture.

    Attributes:
        size: ``(height, width)`` of the picture.
        lines: In any order.
        regions: What the numbers of ``plane`` are.
        plane: (H, W) int32: 0 where there is no region, else 1 + the index of the one on top.
        flags: Those that are set, with the confidence of what they say, or ``None``.
    """

    size: Size
    lines: tuple[Line, ...] = ()
    regions: tuple[Region, ...] = ()
    plane: NDArray[np.int32] | None = None
    flags: Mapping[str, float | None] = field(default_factory=dict)

    def spread(self, values: NDArray, rest: int) -> NDArray:
        """Return (H, W): of each pixel the value of its region, one for each; else ``rest``."""
        table = np.concatenate((np.array([rest], values.dtype), values))
        if self.plane is None:
            return np.full(self.size, rest, values.dtype)
        return np.asarray(table[self.plane])


def confidence_bytes(drawing: Drawing, rest: float | None) -> NDArray[np.uint8] | None:
    """Return the confidence (H, W), 0 to 255, as the regions say it; ``None`` where all is sure.

    Args:
        drawing: With regions.
        rest: The confidence of what no region covers.
    """
    said = [one.confidence for one in drawing.regions]
    if all(value is None for value in (*said, rest)):
        return None
    values = np.array([_byte(value) for value in said], np.uint8)
    return drawing.spread(values, _byte(rest))


def mean_confidence(plane: NDArray[np.uint8] | None, where: NDArray[np.bool_]) -> float | None:
    """Return the mean of a confidence (H, W), 0 to 255, of some pixels, as 0 to 1."""
    if plane is None or not where.any():
        return None
    return round(float(plane[where].mean()) / SURE, 3)


def kept_confidence(
    had: NDArray[np.uint8] | None, same: NDArray[np.bool_]
) -> NDArray[np.uint8] | None:
    """Return the confidence that a plane had where people left it as it was; they are sure."""
    if had is None:
        return None
    kept = np.where(same, had, np.uint8(SURE))
    return None if (kept == SURE).all() else kept


def _byte(confidence: float | None) -> int:
    """Return a confidence of 0 to 1 as 0 to 255."""
    return SURE if confidence is None else round(confidence * SURE)
