# SPDX-License-Identifier: Apache-2.0
"""Maps of the ground in a line of ``rigs.jsonl``: the file of one, or polygons of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.files.data_paths import inside
from shared_encoder_perception.files.typed_json import JsonError, from_json, shown, suggestion
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.ground_map import NOT_KNOWN, GroundMap, covered, drivable_map
from shared_encoder_perception.tasks.label_files import read_plane

Points = tuple[tuple[float, float], ...]
FINE_M: Final = 0.25
"""Side of the cells that polygons become."""
MOST_FINE: Final = 160_000
"""Of those cells, 100 m x 100 m; they are larger where polygons reach further."""
MOST_M: Final = 10_000.0
"""From the vehicle: what lies further away, no label means."""


@dataclass(frozen=True)
class _GridLine:
    """A grid without heights."""

    x_min_m: float
    y_min_m: float
    cells_x: int
    cells_y: int
    cell_m: float


@dataclass(frozen=True)
class _FileLine:
    """A map in a file."""

    file: str
    grid: _GridLine


@dataclass(frozen=True)
class _PolygonsLine:
    """A map in polygons."""

    polygons: tuple[Points, ...]
    unknown: tuple[Points, ...] = ()
    extent: tuple[float, ...] = ()


def parse_map(raw: Any, what: str, folder: Path) -> Callable[[], GroundMap]:
    """Check what a line says of a map in a file; return what reads it.

    Args:
        raw: The JSON value.
        what: Its key, for messages.
        folder: That paths are relative to, and must stay in.

    Raises:
        ValueError: The first fault.
    """
    line = from_json(_FileLine, raw, what)
    path = inside(folder, line.file, f"{what}, file")
    try:
        grid = BevGrid(**{key.name: getattr(line.grid, key.name) for key in fields(_GridLine)})
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from None
    return partial(read_map, path, grid)


def parse_drivable(raw: Any, folder: Path) -> Callable[[], GroundMap]:
    """Check what a line says of the ground; return what makes the map.

    Args:
        raw: The JSON value.
        folder: That paths are relative to, and must stay in.

    Raises:
        ValueError: The first fault.
    """
    if isinstance(raw, dict) and "file" in raw:
        return parse_map(raw, "drivable", folder)
    known = ("file", "grid", *(key.name for key in fields(_PolygonsLine)))
    if isinstance(raw, dict) and (strange := [key for key in raw if key not in known]):
        hint = suggestion(strange[0], known)
        raise JsonError(f"drivable has the unknown key {shown(strange[0])}{hint}")
    drawn = from_json(_PolygonsLine, raw, "drivable", ("unknown", "extent"))
    polygons = [_polygon(one, f"polygon {at}") for at, one in enumerate(drawn.polygons)]
    unknown = [_polygon(one, f"unknown {at}") for at, one in enumerate(drawn.unknown)]
    grid = _fine_grid([*polygons, *unknown], drawn.extent)
    return partial(rasterised, polygons, unknown, grid)


def rasterised(
    polygons: list[NDArray[np.float64]], unknown: list[NDArray[np.float64]], grid: BevGrid
) -> GroundMap:
    """Return the map of some polygons, (N, 2) ``(x, y)`` m each; not known within ``unknown``."""
    values = drivable_map(polygons, grid).values.copy()
    for polygon in unknown:
        rows, columns = _around(polygon, grid)
        x_m, y_m = grid.points(np.array([columns.start - 0.5, rows.start - 0.5]))
        size = columns.stop - columns.start, rows.stop - rows.start
        if min(size) > 0:
            part = BevGrid(float(x_m), float(y_m), *size, grid.cell_m)
            values[rows, columns][covered([polygon], part) > 0] = NOT_KNOWN
    return GroundMap(grid, values)


def _around(polygon: NDArray[np.float64], grid: BevGrid) -> tuple[slice, slice]:
    """Return the rows and columns of a grid that a polygon may touch."""
    cells = grid.cells(polygon)
    low = np.floor(np.maximum(cells.min(axis=0), 0)).astype(int)
    high = np.ceil(np.minimum(cells.max(axis=0) + 1, grid.shape[::-1])).astype(int)
    return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))


def read_map(path: Path, grid: BevGrid) -> GroundMap:
    """Read a map from its PNG: its first row has the lowest y, its first column the lowest x.

    Raises:
        ValueError: Unreadable, of another size, or with other values.
    """
    values = read_plane(path, grid.shape, "map of the ground")
    try:
        return GroundMap(grid, np.asarray(values, np.uint8))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def map_line(area: GroundMap, file: str) -> dict[str, Any]:
    """Return the JSON object of a map whose values are in ``file``."""
    grid = {key.name: getattr(area.grid, key.name) for key in fields(_GridLine)}
    return {"file": file, "grid": grid}


def _polygon(points: Points, what: str) -> NDArray[np.float64]:
    """Return a polygon that has an inside."""
    found = np.array(points, np.float64).reshape(-1, 2)
    if len(found) < 3 or not (np.abs(found) <= MOST_M).all():
        raise ValueError(
            f"drivable, {what} has {len(found)} points, expected at least 3 of [x, y] metres, up "
            f"to {MOST_M:g}"
        )
    return found


def _fine_grid(polygons: list[NDArray[np.float64]], extent: tuple[float, ...]) -> BevGrid:
    """Return the cells of what polygons speak of: the extent, or as far as they reach."""
    if extent:
        box = np.array(extent, np.float64)
        if len(box) != 4 or not (np.abs(box) <= MOST_M).all() or not (box[:2] < box[2:]).all():
            raise ValueError(
                f"drivable, extent is {list(extent)}, expected [x_min, y_min, x_max, y_max] metres"
            )
    elif polygons:
        points = np.concatenate(polygons)
        box = np.concatenate((points.min(axis=0), points.max(axis=0)))
    else:
        raise ValueError(
            "drivable has no polygons and no extent: say with [x_min, y_min, x_max, y_max] how far "
            "it is known that nothing is, or leave drivable out"
        )
    sides = np.maximum(box[2:] - box[:2], FINE_M)
    cell = FINE_M
    while np.prod(np.ceil(sides / cell)) > MOST_FINE:
        cell = max(cell * 1.05, math.sqrt(float(np.prod(sides)) / MOST_FINE))
    columns, rows = (int(count) for count in np.ceil(sides / cell))
    return BevGrid(float(box[0]), float(box[1]), columns, rows, float(cell))
