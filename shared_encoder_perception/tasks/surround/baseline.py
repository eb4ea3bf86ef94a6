# SPDX-License-Identifier: Apache-2.0
"""What is said of the ground without looking, and how to compare with those who look.

What masks of single images say together (``drivable`` put on the ground) needs nothing in here: it
is a ``Surround`` as any other, and scored by the same ``Metric``. To be fair, both are to answer
the same cells: ``Surround.within``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.ground_map import NOT_KNOWN, YES
from shared_encoder_perception.tasks.surround.answer import MAPS, Surround

if TYPE_CHECKING:
    from shared_encoder_perception.tasks.surround.target import Truth

USUAL: Final = "the mean map"
NOTHING: Final = "nothing around"


def nothing(grid: BevGrid, seen: NDArray[np.bool_]) -> Surround:
    """Say that there is no vehicle, and no cell to drive on."""
    empty = _said(np.zeros(grid.shape), seen)
    return Surround(grid, seen, empty, empty.copy())


class Constant:
    """Says of each cell how often it was of a vehicle, and drivable, where it was known."""

    def __init__(self) -> None:
        """Start empty."""
        self._grid: BevGrid | None = None
        self._sums: NDArray[np.float64] = np.zeros(())

    def update(self, truth: Truth, grid: BevGrid) -> None:
        """Learn from what is true of a grid, the same one each time.

        Raises:
            ValueError: It is another grid.
        """
        counts = [
            (plane == YES, plane != NOT_KNOWN) for plane in (getattr(truth, name) for name in MAPS)
        ]
        self._add(grid, np.array(counts, np.float64))

    def merge(self, other: Constant) -> None:
        """Add what another one has learned."""
        if other._grid is not None:
            self._add(other._grid, other._sums)

    def answer(self, grid: BevGrid, seen: NDArray[np.bool_]) -> Surround:
        """Say what is usual in the cells that are seen; no in those that were never known.

        Raises:
            ValueError: It has learned of another grid.
        """
        if self._grid is None:
            return nothing(grid, seen)
        self._expect(grid)
        yes, known = self._sums[:, 0], self._sums[:, 1]
        share = np.divide(yes, known, out=np.zeros_like(yes), where=known > 0)
        maps = {name: _said(plane, seen) for name, plane in zip(MAPS, share, strict=True)}
        return Surround(grid, seen, maps["vehicle"], maps["drivable"])

    def _add(self, grid: BevGrid, counts: NDArray[np.float64]) -> None:
        """Add (2, 2, Y, X): of each of ``MAPS``, moments of yes, and all that were known."""
        if self._grid is None:
            self._grid, self._sums = grid, np.zeros_like(counts)
        self._expect(grid)
        self._sums = self._sums + counts

    def _expect(self, grid: BevGrid) -> None:
        """Refuse another grid."""
        if grid != self._grid:
            raise ValueError(f"the usual map is of {self._grid}, asked of {grid}")


def _said(share: NDArray, seen: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return a map of probabilities, NaN where unseen."""
    return np.where(seen, share, np.nan).astype(np.float32)
