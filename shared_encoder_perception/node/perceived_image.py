# SPDX-License-Identifier: Apache-2.0
"""One perceived image, on its way from the inference thread to the topics."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.counts import Counts
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.structures import Perception


@dataclass(frozen=True, eq=False)
class PerceivedImage:
    """One finished image, ready to be published.

    Attributes:
        header: The image's ``std_msgs/Header``.
        pixels: (H, W, 3) uint8 BGR, as it was perceived; nobody writes to it any more.
        perception: What it told us.
        spec: Of the model that said so.
        stage_ms: Milliseconds of the stages up to ``geometry``.
        counts: Counts with this image included.
        received_s: ``perf_counter`` at which the image was received.
        age_s: Age of the image by the node's clock when its turn came; NaN where unknown.
    """

    header: Any
    pixels: NDArray[np.uint8]
    perception: Perception
    spec: ModelSpec
    stage_ms: dict[str, float]
    counts: Counts
    received_s: float
    age_s: float = nan
