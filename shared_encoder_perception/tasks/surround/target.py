# SPDX-License-Identifier: Apache-2.0
"""Labelled ground -> what the network is to say of each cell, and where nobody can know.

A vehicle is said by the cells that it covers, by a Gaussian bump at its centre, and in each of its
cells by the way from there to the centre (Cheng et al., "Panoptic-DeepLab", CVPR 2020; on the
ground: Hu et al., "FIERY", ICCV 2021). All three in metres, so that grids of other cells ask for
the same.

Only boxes of the kind ``vehicle`` are vehicles. The cells of whatever else stands there, persons
and two-wheelers among them, are ``NO``: the network is asked for vehicles, and they are none.

What a label says of plain view is of what is there. So a cell with a vehicle that nothing stands in
front of is in plain view for the map of vehicles; for that of drivable ground it is hidden, as the
cells of all other things: the ground below them is behind them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.rig.boxes import Box
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.ground_map import NO, NOT_KNOWN, YES, GroundLabel, covered
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.surround.answer import VEHICLE
from shared_encoder_perception.tasks.surround.spec import OUTPUT_SURROUND, Block

SIGMA_M: Final = 1.5
"""Of the bump at a vehicle's centre."""
LEAST_VISIBLE: Final = 0.4
"""Share of a vehicle that its best camera sees: below it, nobody is asked for it."""
LEAST_COVERED: Final = 0.5
"""Share of a cell that a vehicle covers."""


@dataclass(frozen=True, eq=False)
class Truth:
    """What is so, cell by cell, of a grid of (Y, X) cells.

    Attributes:
        vehicle: uint8 ``YES``, ``NO``, ``NOT_KNOWN``: whether a vehicle covers at least half of it.
        drivable: Likewise, as labelled.
        centre: float32, 1 at the centre of a vehicle, falling off by ``SIGMA_M``; 0 where none is
            near.
        offset: float32 (2, Y, X) metres, from the cell's centre to that of its vehicle, x and y; 0
            where none is.
        ids: int16, 1 + index in ``boxes`` of its vehicle; 0 where none is.
        boxes: The vehicles that are asked for, in the frame of the grid.
        vehicle_in_view: uint8, whether what ``vehicle`` asks for is in plain view of some camera:
            ``YES``, ``NO`` if something else hides it, ``NOT_KNOWN``; ``None`` for all of them.
        drivable_in_view: Likewise of the ground itself.
    """

    vehicle: NDArray[np.uint8]
    drivable: NDArray[np.uint8]
    centre: NDArray[np.float32]
    offset: NDArray[np.float32]
    ids: NDArray[np.int16]
    boxes: tuple[Box, ...]
    vehicle_in_view: NDArray[np.uint8] | None = None
    drivable_in_view: NDArray[np.uint8] | None = None


def truth(
    label: GroundLabel, grid: BevGrid, seen: NDArray[np.bool_], yaw_rad: float = 0.0
) -> Truth:
    """Return what is so in the cells that some camera sees.

    Cells that none sees are ``NOT_KNOWN``, and so are those of vehicles that are hidden to all of
    them: what cannot be seen is no mistake, either way.

    Args:
        label: In the vehicle's frame.
        grid: In a frame that may be turned against it.
        seen: (Y, X), by the geometry of the cameras.
        yaw_rad: By how much, to the left.

    Raises:
        ValueError: ``seen`` is of another grid.
    """
    if seen.shape != grid.shape:
        raise ValueError(f"`seen` is {seen.shape}, expected {grid.shape}, rows along y")
    vehicle = np.full(grid.shape, NOT_KNOWN, np.uint8)
    drivable = vehicle.copy()
    if label.drivable is not None:
        drivable = label.drivable.onto(grid, yaw_rad).values.copy()
    found: list[Box] = []
    ids = np.zeros(grid.shape, np.int16)
    below = np.zeros(grid.shape, np.bool_)
    if label.objects is not None:
        there = [box.turned(yaw_rad) for box in label.objects if box.kind == VEHICLE]
        found = [box for box in there if _is_visible(box) and _reaches(box, grid)]
        ids = _owners(found, grid)
        hidden = _owners([box for box in there if not _is_visible(box)], grid) > 0
        vehicle = np.where(ids > 0, YES, np.where(hidden, NOT_KNOWN, NO)).astype(np.uint8)
        below = (ids > 0) | hidden
    vehicle[~seen] = drivable[~seen] = NOT_KNOWN
    ids[~seen] = 0
    centre, offset = _ways(found, ids, grid)
    views = _in_view(label, grid, seen, yaw_rad, below)
    return Truth(vehicle, drivable, centre, offset, ids, tuple(found), *views)


def encode(label: Truth | None, size: Size, block: Block) -> dict[str, NDArray]:
    """Return the targets of one rig.

    Args:
        label: On the block's grid; ``None`` where nothing is known.
        size: Of the network's input; the ground does not depend on it.
        block: Of the spec.

    Returns:
        ``surround_vehicle`` and ``surround_drivable`` uint8 (Y, X), ``surround_centre`` float32
        (Y, X), ``surround_offset`` float32 (2, Y, X): as of ``Truth``; ``surround_hidden`` bool
        (Y, X), whether the ground is known to be in no camera's plain view.
    """
    shape = block.grid.shape
    if label is None:
        nothing = np.full(shape, NOT_KNOWN, np.uint8)
        centre, offset = np.zeros(shape, np.float32), np.zeros((2, *shape), np.float32)
        label = Truth(nothing, nothing, centre, offset, np.zeros(shape, np.int16), ())
    hidden = np.zeros(shape, np.bool_)
    if label.drivable_in_view is not None:
        hidden = label.drivable_in_view == NO
    if label.vehicle.shape != shape:
        raise ValueError(f"the truth is of {label.vehicle.shape} cells, the block's grid {shape}")
    return {
        "surround_vehicle": label.vehicle,
        "surround_drivable": label.drivable,
        "surround_centre": label.centre,
        "surround_offset": label.offset,
        "surround_hidden": hidden,
    }


def ideal(targets: Mapping[str, NDArray], size: Size, block: Block) -> dict[str, NDArray]:
    """Return the output of a network that says just what the targets of one rig ask for.

    Where nothing is known it says that nothing is there.
    """
    vehicle, drivable = (
        (targets[name] == YES).astype(np.float32)
        for name in ("surround_vehicle", "surround_drivable")
    )
    planes = (vehicle, drivable, targets["surround_centre"], *targets["surround_offset"])
    return {OUTPUT_SURROUND: np.stack(planes).astype(np.float32)}


def _in_view(
    label: GroundLabel,
    grid: BevGrid,
    seen: NDArray[np.bool_],
    yaw_rad: float,
    below: NDArray[np.bool_],
) -> tuple[NDArray[np.uint8] | None, NDArray[np.uint8] | None]:
    """Return ``vehicle_in_view`` and ``drivable_in_view`` of a ``Truth``.

    ``below``: (Y, X), what vehicles cover.
    """
    if label.in_view is None:
        return None, None
    there = label.in_view.onto(grid, yaw_rad).values.copy()
    there[~seen] = NOT_KNOWN
    ground = there.copy()
    others = [box.turned(yaw_rad) for box in label.objects or () if box.kind != VEHICLE]
    ground[(below | (_owners(others, grid) > 0)) & (there == YES)] = NO
    return there, ground


def _is_visible(box: Box) -> bool:
    """Whether a camera sees enough of it, as far as is known."""
    return box.visible is None or box.visible >= LEAST_VISIBLE


def _patch(box: Box, grid: BevGrid) -> tuple[slice, slice]:
    """Return the rows and columns of cells that a box may cover; empty where it is outside."""
    cells = grid.cells(box.footprint())
    first = np.floor(cells.min(axis=0)).clip(0, None).astype(int)
    last = np.ceil(cells.max(axis=0)).clip(-1, np.array(grid.shape[::-1]) - 1).astype(int) + 1
    return slice(first[1], max(last[1], first[1])), slice(first[0], max(last[0], first[0]))


def _reaches(box: Box, grid: BevGrid) -> bool:
    """Whether any part of a box may lie in the grid."""
    rows, columns = _patch(box, grid)
    return rows.start < rows.stop and columns.start < columns.stop


def _owners(boxes: Sequence[Box], grid: BevGrid) -> NDArray[np.int16]:
    """Return 1 + the index of the box that covers most of each cell; 0 where none covers half."""
    ids = np.zeros(grid.shape, np.int16)
    most = np.zeros(grid.shape, np.float32)
    for index, box in enumerate(boxes):
        rows, columns = _patch(box, grid)
        if rows.start >= rows.stop or columns.start >= columns.stop:
            continue
        # Few cells of the grid, at the very same places: a hundredth of the points to test.
        part = BevGrid(
            grid.x_min_m + columns.start * grid.cell_m,
            grid.y_min_m + rows.start * grid.cell_m,
            columns.stop - columns.start,
            rows.stop - rows.start,
            grid.cell_m,
        )
        share = covered([box.footprint()], part)
        own = (share >= LEAST_COVERED) & (share > most[rows, columns])
        ids[rows, columns][own], most[rows, columns][own] = index + 1, share[own]
    return ids


def _ways(
    boxes: Sequence[Box], ids: NDArray[np.int16], grid: BevGrid
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return ``centre`` and ``offset`` of a ``Truth``."""
    centre, offset = np.zeros(grid.shape, np.float32), np.zeros((2, *grid.shape), np.float32)
    middles = grid.centres()
    for index, box in enumerate(boxes):
        way = (box.x_m, box.y_m) - middles
        bump = np.exp(-(way**2).sum(axis=-1) / (2 * SIGMA_M**2))
        np.maximum(centre, bump.astype(np.float32), out=centre)
        own = ids == index + 1
        offset[:, own] = way[own].T
    return centre, offset
