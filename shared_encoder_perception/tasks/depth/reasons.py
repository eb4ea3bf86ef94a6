# SPDX-License-Identifier: Apache-2.0
"""When depth is worth measuring."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.tasks.contract.comparisons import Reason
from shared_encoder_perception.tasks.depth.answer import DepthMap

UNSURE_DEPTH: Final = "unsure_depth"
REASONS: Final = {UNSURE_DEPTH: "it does not know how far things are"}
NOTHING: Final = ""
FAR_FOCAL: Final = 0.2
"""Depth in metres per pixel of focal length that is drawn as white: 160 m at 800 px."""


def reasons(answer: DepthMap, crop: Crop) -> dict[str, Reason]:
    """Return the mean standard deviation, a share of the depth."""
    if answer.sigma is None:
        return {UNSURE_DEPTH: Reason(0.0, "no deviation")}
    seen = answer.sigma[answer.seen(crop).window]
    known = seen[np.isfinite(seen)]
    mean = float(known.mean()) if known.size else 0.0
    return {UNSURE_DEPTH: Reason(min(mean, 1.0), f"{mean:.0%} of the depth")}


def planes(answer: DepthMap, crop: Crop) -> tuple[NDArray[np.uint8]]:
    """Return nearness, as far as the network saw."""
    depth = answer.depth[answer.seen(crop).window]
    unit = answer.focal_px if answer.in_metres else 1.0
    share = np.log1p(np.nan_to_num(depth, nan=0.0, posinf=1e9) / np.float32(unit * 0.001))
    top = np.log1p(FAR_FOCAL / 0.001)
    return ((255 * (share / np.float32(top)).clip(0, 1)).astype(np.uint8),)
