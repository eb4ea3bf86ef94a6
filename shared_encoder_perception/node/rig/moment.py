# SPDX-License-Identifier: Apache-2.0
"""What of several cameras belongs together in time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Generic, TypeVar

T = TypeVar("T")

DEAD, LATE, APART = "dead", "late", "apart"
"""Why a camera is missing: it sends nothing; nothing has come in time; what came was taken at
another time."""


@dataclass(frozen=True)
class Timing:
    """What belongs together; may change at any time.

    Attributes:
        max_skew_s: Longest time between an image's stamp and that of the moment.
        wait_s: How long the moment's own image waits for the others.
        min_cameras: With fewer there is no moment.
        dead_s: A camera that has sent nothing for so long is dead: nobody waits for it any more,
            and if the moment's image used to be its, the next camera takes its place.
    """

    max_skew_s: float = 0.05
    wait_s: float = 0.05
    min_cameras: int = 1
    dead_s: float = 0.5


@dataclass(frozen=True, eq=False)
class Arrived(Generic[T]):
    """An image that came.

    Attributes:
        item: The image.
        stamp_ns: When it was taken.
        received_s: When it came, ``perf_counter``.
    """

    item: T
    stamp_ns: int
    received_s: float


@dataclass(frozen=True)
class Missing:
    """Why a camera is not in a moment.

    Attributes:
        why: ``DEAD``, ``LATE`` or ``APART``.
        skew_s: How much later than the moment its image was taken; NaN without one.
    """

    why: str
    skew_s: float = nan


@dataclass(frozen=True, eq=False)
class Moment(Generic[T]):
    """Images that were taken at one time.

    Attributes:
        anchor: The camera whose image gives the time: the first one that is not dead.
        images: By camera, in the rig's order.
        missing: All other cameras.
    """

    anchor: str
    images: Mapping[str, Arrived[T]]
    missing: Mapping[str, Missing]

    def skew_s(self, name: str) -> float:
        """Return how much later than the anchor's a camera's image was taken; NaN without one."""
        if name in self.missing:
            return self.missing[name].skew_s
        return later_s(self.images[name], self.images[self.anchor])


def later_s(one: Arrived[T], other: Arrived[T]) -> float:
    """Return how much later an image was taken than another."""
    return (one.stamp_ns - other.stamp_ns) * 1e-9
