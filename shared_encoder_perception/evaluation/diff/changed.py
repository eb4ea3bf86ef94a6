# SPDX-License-Identifier: Apache-2.0
"""The frames on which two models differ most, as pictures side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappush, heappushpop
from typing import Final

WORSE, BETTER, APART = "worse", "better", "apart"
KINDS: Final = (WORSE, BETTER, APART)
SEPARATOR: Final = " \N{MIDDLE DOT} "
KEPT: Final = 8
"""Of each kind."""

Side = tuple[str, bytes | None]
"""What is to be said below the picture of one model, and the picture as JPEG."""


@dataclass(frozen=True)
class ChangedFrame:
    """A frame to look at.

    Attributes:
        source: Name of its group.
        name: Of the frame.
        amount: How much it changed.
        a: Model A's side.
        b: Model B's side.
    """

    source: str
    name: str
    amount: float
    a: Side
    b: Side


class ChangedFrames:
    """Keeps the frames that changed most; memory does not grow with the set."""

    def __init__(self, kept: int = KEPT) -> None:
        """Keep ``kept`` of each kind."""
        self._kept = kept
        # Kind -> heap of (amount, minus the place in the input, frame), its root the first to go.
        self._heaps: dict[str, list[tuple[float, int, ChangedFrame]]] = {kind: [] for kind in KINDS}
        self._count = 0

    def update(
        self,
        kind: str,
        amount: float,
        source: str,
        name: str,
        draw: Callable[[], tuple[Side, Side]],
    ) -> None:
        """Look at one frame.

        Args:
            kind: Of ``KINDS``.
            amount: How much it changed; 0 for not at all.
            source: Name of its group.
            name: Of the frame.
            draw: Makes both sides; called only if the frame is kept.
        """
        self._count += 1
        heap = self._heaps[kind]
        if amount <= 0 or (len(heap) == self._kept and amount <= heap[0][0]):
            return
        frame = ChangedFrame(source, name, amount, *draw())
        push = heappush if len(heap) < self._kept else heappushpop
        push(heap, (amount, -self._count, frame))

    def most(self, kind: str) -> list[ChangedFrame]:
        """Return the frames of a kind, the most changed first."""
        ranked = sorted(self._heaps[kind], key=lambda one: (-one[0], -one[1]))
        return [frame for *_, frame in ranked]


def no_pictures(a: str, b: str) -> Callable[[], tuple[Side, Side]]:
    """Return what draws nothing: both sides are texts alone."""
    return lambda: ((a, None), (b, None))
