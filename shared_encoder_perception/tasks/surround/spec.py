# SPDX-License-Identifier: Apache-2.0
"""The block of surround in a ModelSpec, and the tensors that it takes and promises."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.spec import SpecError, Tensor, expect
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.temperature import expect_temperature

INPUT_PLACE: Final = "view_place"
"""Input tensor: float32 (1, K, V, 2), ``place`` of ``rig.table.ViewTable``."""
INPUT_WEIGHT: Final = "view_weight"
"""Input tensor: float32 (1, K, V), ``weight`` of it."""
OUTPUT_SURROUND: Final = "surround"
"""Output tensor: float32 (1, 5, Y, X), planes as of ``PLANES``."""
PLANES: Final = ("vehicle", "drivable", "centre", "offset_x", "offset_y")
"""Probability of a vehicle; of being drivable; how near to a vehicle's centre, 0 to 1; metres from
the centre of the cell to that of its vehicle, ahead and to the left."""

STRIDES: Final = (4, 8, 16, 32)
MOST_VIEWS: Final = 8
MOST_PLACES: Final = 16_000_000
"""Places in a table: of more, a table takes longer than a vehicle waits."""
MOST_REACH_M: Final = 1000.0
"""From the vehicle: no camera sees the ground there."""


@dataclass(frozen=True)
class Block:
    """What a model says of the ground around it.

    Attributes:
        x_min_m: Of the grid, as the next five; see ``rig.grid.BevGrid``.
        y_min_m: Right edge.
        cells_x: Columns.
        cells_y: Rows.
        cell_m: Side of a cell.
        heights_m: Layers of voxels above the ground.
        stride: Input pixels per cell of the features that voxels look up.
        views: Most cameras in which a voxel is looked up.
        vehicle_threshold: Lowest probability, once calibrated, that counts as a vehicle.
        drivable_threshold: Lowest one that counts as drivable.
        centre_threshold: Lowest peak of the centres' plane that is a vehicle's.
        vehicle_temperature: Of the calibration; see ``tasks.temperature``. 1 where there is none.
        vehicle_bias: Of the calibration; 0 where there is none.
        drivable_temperature: Likewise.
        drivable_bias: Likewise.
    """

    x_min_m: float = -15.0
    y_min_m: float = -25.0
    cells_x: int = 100
    cells_y: int = 100
    cell_m: float = 0.5
    heights_m: tuple[float, ...] = (0.0, 0.6, 1.3, 2.2)
    stride: int = 8
    views: int = 2
    vehicle_threshold: float = 0.5
    drivable_threshold: float = 0.5
    centre_threshold: float = 0.1
    vehicle_temperature: float = 1.0
    vehicle_bias: float = 0.0
    drivable_temperature: float = 1.0
    drivable_bias: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what could not be decoded."""
        try:
            reach = max(map(abs, (*self.grid.extent_m, *self.heights_m)))
        except ValueError as error:
            raise SpecError(f"model spec: {error}") from None
        within = f"the grid within {MOST_REACH_M:g} m of the vehicle"
        expect(reach <= MOST_REACH_M, "reach of the grid", reach, within)
        expect(self.stride in STRIDES, "stride", self.stride, f"one of {STRIDES}")
        expect(1 <= self.views <= MOST_VIEWS, "views", self.views, f"1 to {MOST_VIEWS}")
        places = self.views * len(self.heights_m) * self.cells_y * self.cells_x
        expect(
            places <= MOST_PLACES,
            "cells times heights times views",
            places,
            f"at most {MOST_PLACES}: take larger cells, or fewer",
        )
        for name in ("vehicle_threshold", "drivable_threshold", "centre_threshold"):
            value = getattr(self, name)
            expect(0 < value <= 1, name, value, "more than 0, at most 1")
        for name in ("vehicle", "drivable"):
            temperature, bias = getattr(self, f"{name}_temperature"), getattr(self, f"{name}_bias")
            expect_temperature(name, temperature, bias)

    @property
    def grid(self) -> BevGrid:
        """The cells that it is about."""
        return BevGrid(
            self.x_min_m,
            self.y_min_m,
            self.cells_x,
            self.cells_y,
            self.cell_m,
            tuple(self.heights_m),
        )

    def outputs(self, input_size: Size) -> dict[str, Tensor]:
        """Return the tensor of ``PLANES``. Its batch axis counts rigs, not images."""
        return {OUTPUT_SURROUND: Tensor("float32", (len(PLANES), self.cells_y, self.cells_x))}

    def inputs(self, input_size: Size) -> dict[str, Tensor]:
        """Return the two tensors of a rig's calibration. Their batch axis counts rigs, too."""
        voxels = len(self.heights_m) * self.cells_y * self.cells_x
        return {
            INPUT_PLACE: Tensor("float32", (self.views, voxels, 2)),
            INPUT_WEIGHT: Tensor("float32", (self.views, voxels)),
        }


def block_of(config: Any, stride: int | None, input_size: Size) -> Block:
    """Return the block of a network: the cells that its config names."""
    return Block(**asdict(config.grid), views=config.views, stride=config.view_stride)
