# SPDX-License-Identifier: Apache-2.0
"""What a LaneLineArray tells of the node's work."""

from __future__ import annotations

from typing import Any, Final

from shared_encoder_perception.structures import Crop
from shared_encoder_perception.tasks.contract.records import Progress
from shared_encoder_perception.tasks.lanes.content import ARRAY_TOPIC, read_crop

TOPIC: Final = ARRAY_TOPIC
STAGES: Final = ("conversion", "preprocess", "inference", "decode", "processing")


def progress(message: Any) -> Progress:
    """Return the counts and times of an array, of rclpy or rosbags."""
    return Progress(
        int(message.sequence),
        int(message.frames_received),
        int(message.frames_dropped),
        int(message.frames_replaced),
        int(message.frames_rejected),
        {stage: float(getattr(message, f"{stage}_ms")) for stage in STAGES},
    )


def crop(message: Any) -> Crop | None:
    """Return what the network saw of the image, if an array says so."""
    return read_crop(message)
