"""What the perception says about one image: plain frozen types, validated once.

Sizes are ``(height, width)``. Points are ``(x, y)`` in pixels of the image *as received*, with
pixel centres at integers: the top-left pixel covers ``[-0.5, 0.5) x [-0.5, 0.5)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Size = tuple[int, int]
"""``(height, width)`` in pixels."""


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
    """

    image_size: Size
    answers: Mapping[str, Any]
    stage_ms: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check that every answer fits the image."""
        for answer in self.answers.values():
            answer.check(self.image_size)
        for name in ("answers", "stage_ms"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
