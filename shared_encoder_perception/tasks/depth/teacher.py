# SPDX-License-Identifier: Apache-2.0
"""Where a network is sure of depth, as a label; the rest is not labelled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.labels import Option
from shared_encoder_perception.tasks.depth.answer import METRIC, DepthMap
from shared_encoder_perception.tasks.depth.label import Label
from shared_encoder_perception.tasks.depth.labels import inside


@dataclass(frozen=True)
class Doubt:
    """When a teacher is believed.

    Attributes:
        depth: Largest standard deviation of a pixel, as a share of its depth.
    """

    depth: float = 0.1

    def __post_init__(self) -> None:
        """Refuse what is no share."""
        if not self.depth > 0:
            raise ValueError(f"{self}: expected depth > 0")


PRE_LABELS: Final = Doubt(depth=1e6)
OPTIONS: Final = (
    Option("--depth-within", "depth", "S", "largest standard deviation, a share of the depth"),
)


def of_answer(
    answer: DepthMap, doubt: Doubt, size: Size, crop: Crop, had: Label | None
) -> Label | None:
    """Return what the teacher is sure of; ``None`` where metres are not known."""
    if answer.kind == METRIC and not answer.in_metres:
        return None
    depth = np.array(answer.depth)
    if answer.sigma is not None:
        depth[~(answer.sigma <= doubt.depth) & np.isfinite(depth)] = np.nan
    return inside(Label(depth, answer.focal_px, answer.kind), answer.seen(crop))
