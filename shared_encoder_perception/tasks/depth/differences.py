# SPDX-License-Identifier: Apache-2.0
"""How far an engine's depth is from another's, and what is tolerated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.tasks.contract.comparisons import Quantity, ShownScore
from shared_encoder_perception.tasks.depth.spec import OUTPUT_DEPTH, OUTPUT_SIGMA

QUANTITIES: Final = {
    "depth": Quantity("depth, share", {"fp32": 1e-3}, rounding=1e-3),
    "depth_sigma": Quantity("deviation, share", {"fp32": 1e-2}, rounding=1e-2),
}
SCORES: Final = {"depth_delta1": ShownScore("delta 1", loss=0.005)}


def errors(
    outputs: Mapping[str, NDArray], reference: Mapping[str, NDArray]
) -> dict[str, NDArray[np.float32]]:
    """Return how far both are apart, as shares of the reference."""
    return {
        name: np.abs(outputs[name] - reference[name]) / reference[name]
        for name in (OUTPUT_DEPTH, OUTPUT_SIGMA)
    }
