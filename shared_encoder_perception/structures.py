# SPDX-License-Identifier: Apache-2.0
"""What the perception says about one image: plain frozen types, validated once.

Sizes are ``(height, width)``. Points are ``(x, y)`` in pixels of the image *as received*, with
pixel centres at integers: the top-left pixel covers ``[-0.5, 0.5) x [-0.5, 0.5)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Size = tuple[int, int]
"""``(height, width)`` in pixels."""

HALVES, AREA_BELOW_HALF = "halves", "area_below_half"
"""How pictures shrink, or the network sees only some pixels, thin paint broken up. ``HALVES``: by
the mean of 2x2 pixels as long as that leaves enough, bilinear for the rest of less than a half, so
that every pixel counts; a fraction of what averaging exact areas costs. ``AREA_BELOW_HALF``, of
models up to 0.5.0: exact areas below half the size, bilinear above."""
SHRINKS: Final = (HALVES, AREA_BELOW_HALF)


class Crop(NamedTuple):
    """A rectangle of the source image in whole pixels: ``x``, ``y`` of its top-left pixel."""

    x: int
    y: int
    width: int
    height: int

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns, to cut images and masks with: ``image[crop.window]``."""
        return np.s_[self.y : self.y + self.height, self.x : self.x + self.width]

    def shared(self, other: Crop | None) -> Crop:
        """Return the part that lies in the other too, empty at worst; ``None`` is everything."""
        if other is None:
            return self
        x, y = max(self.x, other.x), max(self.y, other.y)
        right = min(self.x + self.width, other.x + other.width)
        bottom = min(self.y + self.height, other.y + other.height)
        return Crop(x, y, max(right - x, 0), max(bottom - y, 0))

    def resized(self, image_size: Size, size: Size) -> Crop:
        """Return the same part of an image that was resized from ``image_size`` to ``size``."""
        rows, columns = size[0] / image_size[0], size[1] / image_size[1]
        left, top = round(self.x * columns), round(self.y * rows)
        right = round((self.x + self.width) * columns)
        bottom = round((self.y + self.height) * rows)
        return Crop(left, top, right - left, bottom - top)

    def covers(self, image_size: Size) -> bool:
        """Whether nothing of an image of ``(height, width)`` lies outside."""
        return (self.x, self.y, self.height, self.width) == (0, 0, *image_size)


def frozen(array: NDArray[Any], dtype: type) -> NDArray[Any]:
    """Return ``array`` as a read-only, contiguous array of ``dtype``."""
    copy: NDArray[Any] = np.array(array, dtype=dtype, order="C")
    copy.flags.writeable = False
    return copy


class Answer(Protocol):
    """What one task says about one image; each task's own type is in its room's ``answer.py``."""

    def check(self, image_size: Size) -> None:
        """Refuse to belong to an image of ``(height, width)``.

        Raises:
            ValueError: The answer does not fit such an image.
        """


@dataclass(frozen=True, eq=False)
class Perception:
    """Everything one image told us.

    Attributes:
        image_size: ``(height, width)`` of the source image.
        answers: By the name of the task, for each task that the model has; typed in the tasks'
            rooms.
        stage_ms: Milliseconds spent in ``preprocess``, ``inference`` and ``decode``.
        crop: What the network saw of the image; outside of it nothing is known. ``None`` where
            nobody says.
    """

    image_size: Size
    answers: Mapping[str, Any]
    stage_ms: Mapping[str, float] = field(default_factory=dict)
    crop: Crop | None = None

    def __post_init__(self) -> None:
        """Check that every answer fits the image."""
        for answer in self.answers.values():
            answer.check(self.image_size)
        for name in ("answers", "stage_ms"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
