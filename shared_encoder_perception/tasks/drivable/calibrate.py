# SPDX-License-Identifier: Apache-2.0
"""What the mask's values are worth, and from which on a pixel counts as drivable."""

from __future__ import annotations

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.drivable.spec import OUTPUT_MASK, Block
from shared_encoder_perception.tasks.masks.calibrate import MaskEvents, uncalibrated

__all__ = ["Events", "uncalibrated"]


class Events(MaskEvents[Block]):
    """What an uncalibrated model said about labelled pixels."""

    def __init__(self, block: Block, input_size: Size) -> None:
        """Start empty, with an uncalibrated block."""
        super().__init__(block, OUTPUT_MASK, "mask")
