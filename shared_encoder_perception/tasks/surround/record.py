# SPDX-License-Identifier: Apache-2.0
"""The ground in lines of JSON: what ``predict`` and ``replay`` write of it.

Maps are pictures of one byte a cell, in the layout of our arrays, so that they can be read as
numbers: the first row is that of the lowest y, the first column that of the lowest x. A value is
254 times the probability, and 255 where no camera sees.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.drawing.pictures import as_png
from shared_encoder_perception.files.data_paths import write_new
from shared_encoder_perception.tasks.surround.answer import MAPS, Surround
from shared_encoder_perception.tasks.surround.metric import SECTION, Metric

KEY: Final = "surround"
GRID: Final = "surround_grid"
OBJECTS: Final = "surround_objects"
FILES: Final = {f"{KEY}_{name}": f"{KEY}_{name}" for name in MAPS}
DETECTABLE: Final[Sequence[str]] = ("vehicle",)
UNSEEN: Final = 255
CERTAIN: Final = 254
DECIMALS: Final = 3
SCORES: Final = ("vehicle_iou", "drivable_iou", "centre_recall", "centre_precision")


def detected(answer: Surround) -> list[str]:
    """Return whether there is a vehicle."""
    return list(DETECTABLE) if answer.objects else []


def prediction(answer: Surround, out: Path, picture: Path) -> dict[str, Any]:
    """Write the maps, and return where, the grid that they are of, and the objects.

    A map that nobody says is ``null``.
    """
    line: dict[str, Any] = {GRID: _grid_of(answer)}
    for name in MAPS:
        plane, key = getattr(answer, name), f"{KEY}_{name}"
        line[key] = None
        if plane is not None:
            path = FILES[key] / picture
            write_new(out, path, as_png(steps_of(plane)))
            line[key] = path.as_posix()
    line[OBJECTS] = [
        {
            name: round(value, DECIMALS) if isinstance(value, float) else value
            for name, value in asdict(one).items()
        }
        for one in answer.objects
    ]
    return line


def _grid_of(answer: Surround) -> dict[str, Any]:
    """Return the cells of an answer."""
    grid = answer.grid
    names = ("x_min_m", "y_min_m", "cells_x", "cells_y", "cell_m")
    return {name: getattr(grid, name) for name in names}


def steps_of(plane: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return (Y, X) bytes of probabilities, ``UNSEEN`` for NaN."""
    steps = np.rint(CERTAIN * np.nan_to_num(plane)).astype(np.uint8)
    return np.where(np.isnan(plane), UNSEEN, steps).astype(np.uint8)


def result(answer: Surround) -> dict[str, Any]:
    """Return what share of the cells is seen, square metres of each map, and the objects' number.

    Square metres are summed probabilities, so that thresholds do not matter; ``null`` of a map that
    nobody says.
    """
    seen = round(float(answer.seen.mean()), 4)
    areas = {f"{name}_m2": _area_m2(answer, name) for name in MAPS}
    return {KEY: {"seen": seen, **areas, "objects": len(answer.objects)}}


def _area_m2(answer: Surround, name: str) -> float | None:
    """Return the summed probabilities of a map, m2."""
    plane = getattr(answer, name)
    if plane is None:
        return None
    return round(float(np.nansum(plane, dtype=np.float64)) * answer.grid.cell_m**2, 1)


def scores(counted: Metric) -> dict[str, Any]:
    """Return the scores of one moment; ``None`` of what there is no label of."""
    said = counted.compute()[SECTION]
    return {
        f"{KEY}_{name}": None if math.isnan(said[name]) else round(said[name], 4) for name in SCORES
    }


def different(line: Mapping[str, Any], answer: Surround) -> Sequence[str]:
    """Compare what messages hold: the cells that are seen, and areas to whole percent of a cell."""
    said, told = result(answer)[KEY], line[KEY]
    if said["seen"] != told["seen"]:
        return [KEY]
    most = 0.005 * answer.seen.sum() * answer.grid.cell_m**2 + 0.1
    for name in MAPS:
        one, other = said[f"{name}_m2"], told[f"{name}_m2"]
        if (one is None) != (other is None) or (one is not None and abs(one - other) > most):
            return [KEY]
    return []
