# SPDX-License-Identifier: Apache-2.0
"""Counts of cells and of objects by their distance from the vehicle: the arithmetic of scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.rig.boxes import Box
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.ground_map import NO, NOT_KNOWN, YES
from shared_encoder_perception.tasks.surround.answer import SeenObject, Surround, inside

if TYPE_CHECKING:
    from shared_encoder_perception.tasks.surround.target import Truth

EDGES_M: Final = (0.0, 10.0, 20.0, 35.0, 50.0, math.inf)
"""Of the bins of distance."""
BINS: Final = tuple(
    f"{low:g}-{high:g} m" if math.isfinite(high) else f"{low:g} m and more"
    for low, high in pairwise(EDGES_M)
)
NEAR_CELLS_M: Final = 25.0
"""Distance up to which cells count in scores called near: a vehicle covers few pixels beyond."""
NEAR_CENTRES: Final = EDGES_M.index(20.0)
"""Bins whose centres count likewise."""
HIT_M: Final = 1.0
"""A centre is found by one that is at most so far away."""


def distances(grid: BevGrid) -> NDArray[np.float64]:
    """Return how far each cell's centre is from the vehicle's origin, (Y, X) m."""
    return np.hypot(*np.moveaxis(grid.centres(), -1, 0))


def bin_of(distance_m: NDArray | float) -> NDArray[np.intp]:
    """Return in which of ``BINS`` distances are."""
    return np.asarray(np.digitize(distance_m, EDGES_M[1:-1]))


class Area:
    """Intersection and union of what is said and what is true, in cells that are seen and known.

    Attributes:
        bins: (5, 2) of the cells in each of ``BINS``: intersection, union.
        near: (2,) likewise, of the cells within ``NEAR_CELLS_M``.
        in_view: (5, 2) as ``bins``, of the cells in plain view of a camera.
        hidden: (5, 2) as ``bins``, of those that something else hides. Cells of which it is not
            known which of the two they are, are in neither.
        cells: Of those that are counted: in plain view, and hidden.
        answered: Cells that are known and said, and all that are known.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.bins, self.near = np.zeros((len(BINS), 2)), np.zeros(2)
        self.in_view, self.hidden = np.zeros_like(self.bins), np.zeros_like(self.bins)
        self.answered, self.cells = np.zeros(2), np.zeros(2)

    def update(
        self,
        answer: Surround,
        name: str,
        truth: NDArray[np.uint8],
        in_view: NDArray[np.uint8] | None = None,
    ) -> None:
        """Add a map.

        Args:
            answer: With the map.
            name: Of the map.
            truth: (Y, X) ``YES``, ``NO``, ``NOT_KNOWN``.
            in_view: Likewise, whether some camera has the cell in plain view; ``None`` where nobody
                says.
        """
        if truth.shape != answer.grid.shape:
            raise ValueError(f"the truth is of {truth.shape} cells, the answer of {answer.grid}")
        known = truth != NOT_KNOWN
        said = answer.seen & (getattr(answer, name) is not None)
        counted = known & said
        self.answered += (counted.sum(), known.sum())
        one, other = (answer.binary(name) > 0)[counted], (truth == YES)[counted]
        distance = distances(answer.grid)[counted]
        both, either, place = one & other, one | other, bin_of(distance)
        groups = [(self.bins, np.True_)]
        if in_view is not None:
            plain, dark = (in_view[counted] == value for value in (YES, NO))
            groups += [(self.in_view, plain), (self.hidden, dark)]
            self.cells += (plain.sum(), dark.sum())
        for column, cells in enumerate((both, either)):
            for bins, group in groups:
                bins[:, column] += np.bincount(place[cells & group], minlength=len(BINS))
            self.near[column] += (cells & (distance <= NEAR_CELLS_M)).sum()

    def merge(self, other: Area) -> None:
        """Add what another one has counted."""
        self.bins = self.bins + other.bins
        self.in_view, self.hidden = self.in_view + other.in_view, self.hidden + other.hidden
        self.near, self.answered = self.near + other.near, self.answered + other.answered
        self.cells = self.cells + other.cells

    @property
    def iou(self) -> float:
        """Of all cells; NaN where neither is anywhere."""
        return ratio(*self.bins.sum(axis=0))

    @property
    def iou_in_view(self) -> float:
        """Of the cells in plain view; NaN also where nobody says which these are."""
        return ratio(*self.in_view.sum(axis=0))

    @property
    def iou_hidden(self) -> float:
        """Of the cells that are hidden; likewise."""
        return ratio(*self.hidden.sum(axis=0))

    @property
    def hidden_share(self) -> float:
        """Of the cells of which it is known, how many are hidden."""
        return ratio(self.cells[1], self.cells.sum())


class Centres:
    """Vehicles found and missed, by the distance of their centres.

    Attributes:
        bins: (5, 4) of each of ``BINS``: true vehicles found, all true ones, objects that are
            right, all objects.
        error_m: Sum of the distances between centres that found each other, and their number.
        there: (5,) true vehicles, also those of answers that say nothing of vehicles.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.bins, self.error_m = np.zeros((len(BINS), 4)), np.zeros(2)
        self.there = np.zeros(len(BINS), np.int64)

    def update(self, answer: Surround, truth: Truth) -> None:
        """Add the vehicles of one moment.

        One whose centre lies in a cell of which it is not known whether a vehicle is there, or
        that the answer does not see, is not asked for; an object there is not wrong.
        """
        counted = (truth.vehicle != NOT_KNOWN) & answer.seen
        true = [one for one in truth.boxes if inside(answer.grid, counted, one.x_m, one.y_m)]
        for box in true:
            self.there[bin_of(math.hypot(box.x_m, box.y_m))] += 1
        if answer.vehicle is None:
            return
        pairs = matched(answer.objects, true)
        found = {objects for objects, _ in pairs}
        said = [
            (index in found, one)
            for index, one in enumerate(answer.objects)
            if index in found or inside(answer.grid, counted, one.x_m, one.y_m)
        ]
        hit = {index for _, index in pairs}
        for index, box in enumerate(true):
            self.bins[bin_of(math.hypot(box.x_m, box.y_m)), :2] += (index in hit, 1)
        for right, one in said:
            self.bins[bin_of(math.hypot(one.x_m, one.y_m)), 2:] += (right, 1)
        for index, other in pairs:
            one, box = answer.objects[index], true[other]
            self.error_m += (math.hypot(one.x_m - box.x_m, one.y_m - box.y_m), 1)

    def merge(self, other: Centres) -> None:
        """Add what another one has counted."""
        self.bins, self.error_m = self.bins + other.bins, self.error_m + other.error_m
        self.there = self.there + other.there

    def recall(self, bins: slice = slice(None)) -> float:
        """Return the share of the true vehicles that were found."""
        found, every = self.bins[bins, :2].sum(axis=0)
        return ratio(found, every)

    def precision(self, bins: slice = slice(None)) -> float:
        """Return the share of the objects that are right."""
        right, every = self.bins[bins, 2:].sum(axis=0)
        return ratio(right, every)


def matched(objects: Sequence[SeenObject], boxes: Sequence[Box]) -> list[tuple[int, int]]:
    """Return which object found which box: the nearest pairs first, each once, within ``HIT_M``."""
    if not objects or not boxes:
        return []
    ones, others = (np.array([(one.x_m, one.y_m) for one in each]) for each in (objects, boxes))
    apart = np.hypot(*np.moveaxis(ones[:, None] - others[None], -1, 0))
    pairs: list[tuple[int, int]] = []
    for place in np.argsort(apart, axis=None, kind="stable"):
        index, other = divmod(int(place), len(boxes))
        if apart[index, other] > HIT_M:
            break
        if all(index != a and other != b for a, b in pairs):
            pairs.append((index, other))
    return pairs


def offset_errors(answer: Surround, truth: Truth) -> NDArray[np.float64]:
    """Return (2,) the summed error of the offsets in cells of vehicles, metres, and their number.

    Of cells that are true and seen, whatever probability they have; zero where nobody says any.
    """
    if answer.offset is None:
        return np.zeros(2)
    cells = (truth.vehicle == YES) & answer.seen
    wrong = answer.offset[:, cells].astype(np.float64) - truth.offset[:, cells]
    return np.array((np.hypot(*wrong).sum(), cells.sum()))


def ratio(part: float, whole: float) -> float:
    """Return the quotient, NaN of nothing."""
    return float(part / whole) if whole else math.nan
