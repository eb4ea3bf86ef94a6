# SPDX-License-Identifier: Apache-2.0
"""The answer of surround: what stands on the ground around the vehicle, validated once."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.rig.boxes import Box
from shared_encoder_perception.rig.grid import BevGrid

VEHICLE: Final = "vehicle"
"""``kind`` of boxes."""
MAPS: Final = (VEHICLE, "drivable")
"""What may be said of a cell."""
USUAL_HEIGHT_M: Final = 1.5
"""Of a vehicle, where a picture or a viewer needs one."""


@dataclass(frozen=True)
class SeenObject:
    """One vehicle, in the frame of the rig.

    Attributes:
        x_m: Of its centre, ahead.
        y_m: Of its centre, to the left.
        length_m: Along its longer side.
        width_m: Across it.
        yaw_rad: Direction of its longer side, from x ahead towards y left, more than -pi / 2, at
            most pi / 2: which end is the front, nobody says.
        score: How probable its cells are of a vehicle, in the mean, 0 to 1.
        cells: How many it has.
    """

    x_m: float
    y_m: float
    length_m: float
    width_m: float
    yaw_rad: float
    score: float
    cells: int

    def __post_init__(self) -> None:
        """Refuse numbers that are none, and an object of no size."""
        numbers = (self.x_m, self.y_m, self.length_m, self.width_m, self.yaw_rad, self.score)
        if not all(map(math.isfinite, numbers)) or min(self.length_m, self.width_m) <= 0:
            raise ValueError(f"{self} is no object: expected finite numbers and sides above 0")
        if not (0 <= self.score <= 1 and self.cells >= 1):
            raise ValueError(f"{self}: expected a score of 0 to 1 and at least one cell")

    def box(self, height_m: float = USUAL_HEIGHT_M) -> Box:
        """Return it as a box that stands on the ground; nobody says how high it is."""
        place, sides = (self.x_m, self.y_m, height_m / 2), (self.length_m, self.width_m, height_m)
        return Box(VEHICLE, *place, *sides, self.yaw_rad)


@dataclass(frozen=True, eq=False)
class Surround:
    """What is known of each cell of a grid around the vehicle, and of vehicles in it.

    Also what several cameras' masks say together, without a network that knows of the ground: then
    there is ``drivable`` alone.

    Attributes:
        grid: The cells, (Y, X) of them, rows along y.
        seen: (Y, X) bool, where at least one camera sees the ground or what stands there.
        vehicle: (Y, X) float32, how probable it is that a vehicle covers the cell, 0 to 1; NaN
            exactly where it is not seen. ``None``: nobody says.
        drivable: Likewise, that one may drive there.
        objects: Vehicles, the most probable first.
        centre: Likewise, how near the cell is to a vehicle's centre, as the network says it. For
            scores and pictures; never published.
        offset: (2, Y, X) float32 metres from the cell's centre to that of its vehicle, x and y;
            likewise.
        vehicle_threshold: Lowest probability that counts as a vehicle, above 0, at most 1.
        drivable_threshold: Lowest one that counts as drivable.
    """

    grid: BevGrid
    seen: NDArray[np.bool_]
    vehicle: NDArray[np.float32] | None = None
    drivable: NDArray[np.float32] | None = None
    objects: tuple[SeenObject, ...] = ()
    centre: NDArray[np.float32] | None = None
    offset: NDArray[np.float32] | None = None
    vehicle_threshold: float = 0.5
    drivable_threshold: float = 0.5

    def __post_init__(self) -> None:
        """Check types, shapes and values; arrays are kept without a copy and made read-only."""
        if self.seen.dtype != np.bool_ or self.seen.shape != self.grid.shape:
            raise ValueError(
                f"`seen` is {self.seen.dtype} {self.seen.shape}, expected bool {self.grid.shape}, "
                "rows along y"
            )
        if self.vehicle is None and self.drivable is None:
            raise ValueError("neither vehicles nor drivable ground: expected at least one map")
        if self.vehicle is None and self.objects:
            raise ValueError("there are objects, but no map of vehicles that they are made of")
        for name in ("vehicle_threshold", "drivable_threshold"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected above 0, at most 1")
        for name in (*MAPS, "centre"):
            self._check(name, self.grid.shape)
        self._check("offset", (2, *self.grid.shape))
        for name in ("seen", *MAPS, "centre", "offset"):
            if (array := getattr(self, name)) is not None:
                view = array.view()
                view.flags.writeable = False
                object.__setattr__(self, name, view)

    def _check(self, name: str, shape: tuple[int, ...]) -> None:
        """Refuse a map of another type or shape, and wrong values."""
        plane = getattr(self, name)
        if plane is None:
            return
        if plane.dtype != np.float32 or plane.shape != shape:
            raise ValueError(
                f"{name} is {plane.dtype} {plane.shape}, expected float32 {shape}, rows along y"
            )
        if not np.array_equal(~np.isnan(plane), np.broadcast_to(self.seen, shape)):
            raise ValueError(f"{name} is to be NaN exactly where no camera sees the ground")
        said = plane[np.broadcast_to(self.seen, shape)]
        if name == "offset":
            if not np.isfinite(said).all():
                raise ValueError("offset is infinite in a cell that is seen")
        elif said.size and not (said.min() >= 0 and said.max() <= 1):
            raise ValueError(
                f"{name} is {said.min():g} to {said.max():g}, expected probabilities from 0 to 1"
            )

    def binary(self, name: str) -> NDArray[np.uint8]:
        """Return a map of ``MAPS``, (Y, X) uint8: 255 yes; 0 no, not seen, or nobody says."""
        plane = getattr(self, name)
        if plane is None:
            return np.zeros(self.grid.shape, np.uint8)
        threshold = np.float32(getattr(self, f"{name}_threshold"))
        return np.negative((plane >= threshold).view(np.uint8))  # 1 becomes 255; NaN is less

    def within(self, seen: NDArray[np.bool_]) -> Surround:
        """Return the answer with fewer cells seen, as without some of its cameras.

        Objects stay while the cell of their centre is seen.

        Args:
            seen: (Y, X); cells that this answer does not see stay unseen.
        """
        both = self.seen & seen
        maps: dict[str, Any] = {
            name: np.where(both, plane, np.float32(np.nan))
            for name in (*MAPS, "centre", "offset")
            if (plane := getattr(self, name)) is not None
        }
        kept = [one for one in self.objects if inside(self.grid, both, one.x_m, one.y_m)]
        return replace(self, seen=both, objects=tuple(kept), **maps)

    def check(self, grid: BevGrid) -> None:
        """Refuse to be of another grid.

        Raises:
            ValueError: It is of another one.
        """
        if self.grid != grid:
            raise ValueError(f"the answer is of {self.grid}, expected {grid}")


def inside(grid: BevGrid, cells: NDArray[np.bool_], x_m: float, y_m: float) -> bool:
    """Whether a point lies in one of some cells, (Y, X) of a grid."""
    column, row = np.floor(grid.cells(np.array((x_m, y_m))) + 0.5).astype(np.int64)
    if not (0 <= row < grid.cells_y and 0 <= column < grid.cells_x):
        return False
    return bool(cells[row, column])


Answer = Surround
