# SPDX-License-Identifier: Apache-2.0
"""The messages of a perception, by the name of their topic, as node and replay make them."""

from typing import Any

import numpy as np

from shared_encoder_perception import tasks
from shared_encoder_perception.images.counts import Counts
from shared_encoder_perception.tasks.contract.runtime import Context

STAGES = {"conversion": 0.5, "preprocess": 1.5, "inference": 20.0, "decode": 1.0}


def messages_of(perception, header, spec, new, **context):
    """Return what every task says, of the message types that ``new`` makes."""
    told = {"stage_ms": STAGES, "counts": Counts(), "crop": perception.crop, **context}
    about = Context(header, perception.image_size, spec, **told)
    return {
        topic: make()
        for name, content in tasks.parts("content", perception.answers).items()
        for topic, make in content.messages(perception.answers[name], about, new).items()
    }


def same(live: Any, offline: Any) -> bool:
    """Whether a message of rclpy and one of rosbags agree in every field, NaN included."""
    if hasattr(live, "get_fields_and_field_types"):
        return all(
            same(getattr(live, name), getattr(offline, name))
            for name in live.get_fields_and_field_types()
        )
    if isinstance(live, list):
        return len(live) == len(offline) and all(map(same, live, offline))
    if isinstance(live, str):
        return bool(live == offline)
    return bool(np.array_equal(np.asarray(live), np.asarray(offline), equal_nan=True))
