# SPDX-License-Identifier: Apache-2.0
"""One perceived moment of a rig, on its way from the inference thread to the topics."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.node.rig.camera_counts import CameraCounts
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.rig_predictor import RigPerception
from shared_encoder_perception.spec import ModelSpec


@dataclass(frozen=True)
class Asked:
    """What somebody listens to, of a moment that is about to be perceived.

    Attributes:
        tasks: Those to answer for each camera; ``None`` for all.
        overlay: Whether the moment is to be drawn, which takes all tasks.
    """

    tasks: Collection[str] | None = None
    overlay: bool = False


@dataclass(frozen=True, eq=False)
class PerceivedMoment:
    """One finished moment, ready to be published.

    Attributes:
        header: The ``std_msgs/Header`` of the anchor's image.
        headers: Of each camera's image, by its name.
        pixels: (H, W, 3) uint8 BGR of each camera; nobody writes to them any more.
        perception: What they told us.
        rig: The cameras, as they were calibrated.
        spec: Of the model that said so.
        stage_ms: Milliseconds of the stages up to ``decode``.
        counts: What became of each camera's images, this moment's included.
        received_s: ``perf_counter`` at which the anchor's image was received.
        asked: What was asked of it: there are no other answers for single cameras.
    """

    header: Any
    headers: Mapping[str, Any]
    pixels: Mapping[str, NDArray[np.uint8]]
    perception: RigPerception
    rig: Rig
    spec: ModelSpec
    stage_ms: dict[str, float]
    counts: Mapping[str, CameraCounts]
    received_s: float
    asked: Asked
