# SPDX-License-Identifier: Apache-2.0
"""The topics of surround, what their messages carry, and its parameters.

The maps are ``nav_msgs/OccupancyGrid``, whose layout in memory is that of our arrays: nothing is
turned. Their cells hold whole percent, and -1 where no camera sees and where nobody says:

* ``surround/vehicles``: of a vehicle; all -1 without a network that knows of vehicles.
* ``surround/drivable``: of being drivable; all -1 where the model does not say that.
* ``surround/occupancy``: 100 (1 - drivable (1 - vehicle)), of the two in whole percent, so that
  whoever has both can tell it. Without ``vehicle`` it is of ``drivable`` alone: masks of images end
  where vehicles begin. Without ``drivable`` all of it is -1: ground that nobody calls drivable is
  not free.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.rig.grid import MOST_CELLS, BevGrid
from shared_encoder_perception.tasks.contract.rigs import RigContext
from shared_encoder_perception.tasks.contract.runtime import New, Topic
from shared_encoder_perception.tasks.packing import pack
from shared_encoder_perception.tasks.parameter import MODEL_OWN, Parameter, threshold
from shared_encoder_perception.tasks.surround.answer import Surround
from shared_encoder_perception.tasks.surround.decode import Options
from shared_encoder_perception.tasks.surround.markers import MARKERS, fill_markers
from shared_encoder_perception.tasks.surround.spec import Block

GRID_MESSAGE: Final = "nav_msgs/msg/OccupancyGrid"
OCCUPANCY_TOPIC: Final = "surround/occupancy"
VEHICLES_TOPIC: Final = "surround/vehicles"
DRIVABLE_TOPIC: Final = "surround/drivable"
OBJECTS_TOPIC: Final = "surround/objects"
TOPICS: Final = (
    Topic(OCCUPANCY_TOPIC, GRID_MESSAGE),
    Topic(VEHICLES_TOPIC, GRID_MESSAGE),
    Topic(DRIVABLE_TOPIC, GRID_MESSAGE),
    Topic(OBJECTS_TOPIC, MARKERS, lazy=True),
)
VEHICLE: Final = "surround.vehicle_threshold"
DRIVABLE: Final = "surround.drivable_threshold"
CENTRE: Final = "surround.centre_threshold"
PARAMETERS: Final[Sequence[Parameter]] = (
    threshold(VEHICLE, "Probability from which a cell is part of a vehicle on surround/objects."),
    threshold(DRIVABLE, "Probability from which a cell is drivable in pictures and results."),
    threshold(CENTRE, "Peak of the centres' map from which there is a vehicle."),
)
FOUND: Final = ("vehicle",)
UNKNOWN: Final = -1
"""Of a cell in messages."""
LEAST_THRESHOLD: Final = 1e-6
"""What 0 stands for: everything that is seen."""


def messages(answer: Surround, context: RigContext, new: New) -> Mapping[str, Callable[[], Any]]:
    """Return what makes the messages."""
    vehicle, drivable = percent(answer.vehicle), percent(answer.drivable)

    def grid(cells: NDArray[np.int8] | None) -> Any:
        message = new(GRID_MESSAGE)
        if cells is None:
            cells = np.full(answer.grid.shape, UNKNOWN, np.int8)
        fill_grid(message, answer.grid, cells, context.header)
        return message

    def objects() -> Any:
        message = new(MARKERS)
        fill_markers(message, answer, context.header, new)
        return message

    return {
        OCCUPANCY_TOPIC: lambda: grid(occupancy(vehicle, drivable)),
        VEHICLES_TOPIC: partial(grid, vehicle),
        DRIVABLE_TOPIC: partial(grid, drivable),
        OBJECTS_TOPIC: objects,
    }


def percent(plane: NDArray[np.float32] | None) -> NDArray[np.int8] | None:
    """Return probabilities in whole percent, -1 for NaN; ``None`` for ``None``."""
    if plane is None:
        return None
    return np.where(np.isnan(plane), UNKNOWN, np.rint(100 * np.nan_to_num(plane))).astype(np.int8)


def occupancy(
    vehicle: NDArray[np.int8] | None, drivable: NDArray[np.int8] | None
) -> NDArray[np.int8] | None:
    """Return how probable it is that one cannot drive there, in whole percent, -1 where unknown.

    Args:
        vehicle: (Y, X) percent, -1 where unknown; ``None`` where nobody says.
        drivable: Likewise.
    """
    if drivable is None:
        return None
    free = drivable.astype(np.float64)
    known = drivable != UNKNOWN
    if vehicle is not None:
        free *= (100 - vehicle.astype(np.float64)) / 100
        known &= vehicle != UNKNOWN
    return np.where(known, np.rint(100 - free), UNKNOWN).astype(np.int8)


def fill_grid(message: Any, grid: BevGrid, cells: NDArray[np.int8], header: Any) -> None:
    """Fill an OccupancyGrid (in place).

    Args:
        message: A new one, of rclpy or rosbags.
        grid: The (Y, X) cells.
        cells: Their values, 0 to 100 and -1.
        header: With the frame that the grid is in; not copied.
    """
    message.header = header
    info = message.info
    info.map_load_time = header.stamp
    info.resolution = float(grid.cell_m)
    info.width, info.height = int(grid.cells_x), int(grid.cells_y)
    # The corner of cell (0, 0), not its centre; neither turned nor lifted.
    info.origin.position.x, info.origin.position.y = float(grid.x_min_m), float(grid.y_min_m)
    info.origin.orientation.w = 1.0
    message.data = pack(message.data, cells, np.int8)


def read(messages: Mapping[str, Any]) -> Surround:
    """Return the maps of a recorded moment, in whole percent; objects are not recorded.

    A map that is -1 where the other one is known is one that nobody said. Heights of voxels are
    not in messages: the grid has the usual ones.

    Raises:
        LookupError: A map is missing.
        ValueError: A map makes no sense, or the two are of different cells.
    """
    for topic in (VEHICLES_TOPIC, DRIVABLE_TOPIC):
        if topic not in messages:
            raise LookupError(f"there is no message on {topic}")
    grid, vehicle = read_grid(messages[VEHICLES_TOPIC], VEHICLES_TOPIC)
    other, drivable = read_grid(messages[DRIVABLE_TOPIC], DRIVABLE_TOPIC)
    if grid != other:
        raise ValueError(f"{VEHICLES_TOPIC} is of {grid}, {DRIVABLE_TOPIC} of {other}")
    seen = (vehicle != UNKNOWN) | (drivable != UNKNOWN)
    said = [
        probability(cells) if (cells != UNKNOWN).any() or not seen.any() else None
        for cells in (vehicle, drivable)
    ]
    return Surround(grid, seen, vehicle=said[0], drivable=said[1])


def probability(cells: NDArray[np.int8]) -> NDArray[np.float32]:
    """Return what whole percent stand for, NaN for -1."""
    known = cells != UNKNOWN
    return np.where(known, cells / np.float32(100), np.float32(np.nan)).astype(np.float32)


def read_grid(message: Any, where: str) -> tuple[BevGrid, NDArray[np.int8]]:
    """Return the cells of an OccupancyGrid that is not turned, and their values (Y, X).

    Raises:
        ValueError: It is turned, has another number of values than cells, or values that are no
            percent.
    """
    info = message.info
    width, height, values = int(info.width), int(info.height), np.asarray(message.data, np.int8)
    turn = info.origin.orientation
    if (turn.x, turn.y, turn.z, turn.w) != (0.0, 0.0, 0.0, 1.0):
        raise ValueError(f"{where}: the grid is turned against its frame, expected no rotation")
    if not 0 < width * height <= MOST_CELLS or len(values) != width * height:
        raise ValueError(f"{where}: {len(values)} values for {width} x {height} cells")
    if values.min() < UNKNOWN or values.max() > 100:
        raise ValueError(
            f"{where}: values from {values.min()} to {values.max()}, expected 0 to 100, -1 for "
            "unknown"
        )
    # The field is a float32: 0.1 comes back as 0.10000000149, whose shortest name is 0.1.
    cell = float(str(np.float32(info.resolution)))
    corner = (float(info.origin.position.x), float(info.origin.position.y))
    return BevGrid(*corner, width, height, cell), values.reshape(height, width)


def options(value: Callable[[str], Any], block: Block) -> Options:
    """Return the thresholds that the parameters ask for."""
    own = Options.of(block)
    asked = [float(value(name)) for name in (VEHICLE, DRIVABLE, CENTRE)]
    kept = (own.vehicle_threshold, own.drivable_threshold, own.centre_threshold)
    return Options(
        *(
            mine if given == MODEL_OWN else max(given, LEAST_THRESHOLD)
            for given, mine in zip(asked, kept, strict=True)
        )
    )


def found(answer: Surround) -> Sequence[str]:
    """Say whether there is a vehicle."""
    return FOUND if answer.objects else ()


def fill_info(message: Any, block: Block) -> None:
    """Do nothing: each map says of itself what its cells are."""
