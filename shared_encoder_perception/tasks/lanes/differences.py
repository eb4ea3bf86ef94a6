# SPDX-License-Identifier: Apache-2.0
"""How far an engine's lane maps are from another's, and what is tolerated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.tasks.contract.comparisons import Quantity, ShownScore
from shared_encoder_perception.tasks.lanes.spec import OUTPUT_LANES

_MAPS: Final = {"heat": slice(0, 1), "start": slice(1, 3), "position": slice(3, 5)}
"""Quantity -> its maps in ``spec.LANE_MAPS``."""

QUANTITIES: Final = {
    "heat": Quantity("heat map", {"fp32": 1e-4, "fp16": 0.02}, rounding=1e-3),
    "start": Quantity("start, cells", {"fp32": 1e-3}, rounding=0.05),
    "position": Quantity("position, cells", {"fp32": 1e-3}, rounding=1e-3),
}
"""Start vectors are as long as the grid, so their rounding is that of numbers near 100."""

SCORES: Final = {
    "lane_accuracy": ShownScore("lane accuracy", loss=0.005),
    "lane_f1": ShownScore("lane F1", loss=None),
}


def errors(
    outputs: Mapping[str, NDArray], reference: Mapping[str, NDArray]
) -> dict[str, NDArray[np.float32]]:
    """Return the absolute errors of (5, 5, h, w) lane maps, by quantity."""
    lanes = np.abs(outputs[OUTPUT_LANES] - reference[OUTPUT_LANES])
    return {name: lanes[:, maps] for name, maps in _MAPS.items()}
