# SPDX-License-Identifier: Apache-2.0
"""Depth in lines of JSON: what ``predict`` and ``replay`` write of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from shared_encoder_perception.drawing.pictures import as_png
from shared_encoder_perception.files.data_paths import write_new
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.tasks.depth.answer import DepthMap
from shared_encoder_perception.tasks.depth.labels import STEP_M, steps_of
from shared_encoder_perception.tasks.depth.metric import SECTION, Metric

KEY: Final = "depth"
SCALE: Final = "depth_scale_m"
FOCAL: Final = "depth_focal_px"
SCALED: Final = "depth_scaled_by"
FOLDER: Final = "depth"
FILES: Final = {KEY: FOLDER}
DETECTABLE: Final[Sequence[str]] = ()
DECIMALS: Final = 3
QUANTILES: Final = {"near_m": 0.05, "median_m": 0.5, "far_m": 0.95}
"""Of the finite depths, in lines of results."""


def detected(answer: DepthMap) -> list[str]:
    """Return nothing: every pixel is somewhere."""
    return []


def prediction(answer: DepthMap, out: Path, picture: Path) -> dict[str, Any]:
    """Write the depth as of a native set, and return where, and what a step of it is.

    Without a focal length there are no metres: a step is of the depth that a focal length of one
    pixel has, and ``depth_focal_px`` is ``null``. ``depth_scaled_by`` is what the camera's height
    multiplied the network's own metres by, ``null`` where that is not known or no road is seen.
    """
    path = FOLDER / picture
    finite = answer.depth[np.isfinite(answer.depth)]
    scale = STEP_M if answer.in_metres else float(finite.max(initial=1e-6)) / 65534
    write_new(out, path, as_png(steps_of(answer.depth, scale)))
    focal = round(answer.focal_px, DECIMALS) if answer.in_metres else None
    scaled = None if math.isnan(answer.height_m) else round(answer.scaled_by, 4)
    return {KEY: path.as_posix(), SCALE: scale, FOCAL: focal, SCALED: scaled}


def result(answer: DepthMap, crop: Crop) -> dict[str, Any]:
    """Return how far what the network saw is: quantiles in metres, and how much is beyond.

    Metres are ``null`` where no focal length is known.
    """
    seen = answer.depth[answer.seen(crop).window]
    finite = seen[np.isfinite(seen)]
    metres: dict[str, float | None] = dict.fromkeys(QUANTILES)
    if answer.in_metres and finite.size:
        values = np.quantile(finite, list(QUANTILES.values()))
        rounded = (round(float(value), DECIMALS) for value in values)
        metres = dict(zip(QUANTILES, rounded, strict=True))
    beyond = float(np.isposinf(seen).mean()) if seen.size else 0.0
    return {KEY: {**metres, "beyond": round(beyond, 4)}}


def scores(counted: Metric) -> dict[str, Any]:
    """Return AbsRel and delta 1 of one image; ``None`` without a label."""
    said = counted.compute()[SECTION]
    return {
        f"depth_{name}": None if math.isnan(said[name]) else round(said[name], 4)
        for name in ("absrel", "delta1")
    }


def different(line: Mapping[str, Any], answer: DepthMap, crop: Crop) -> Sequence[str]:
    """Compare the quantiles, which metres of a message have in common with a line."""
    return [] if result(answer, crop)[KEY] == line[KEY] else [KEY]
