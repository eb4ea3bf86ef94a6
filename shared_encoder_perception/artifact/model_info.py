# SPDX-License-Identifier: Apache-2.0
"""What ``ModelInfo`` says of a model and its engine, for rclpy's messages and rosbags' alike."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from shared_encoder_perception import tasks
from shared_encoder_perception.backends import BackendInfo
from shared_encoder_perception.files.safe_text import printable
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.tasks.packing import pack

INFO_TOPIC: Final = "model_info"
"""Relative to the node's namespace; kept for late subscribers."""
MODEL_INFO: Final = "shared_encoder_perception/msg/ModelInfo"
"""Type of its messages."""


def fill_model_info(message: Any, spec: ModelSpec, info: BackendInfo, stamp: Any) -> None:
    """Fill a ModelInfo with what runs, and how (in place).

    Args:
        message: A new one.
        spec: Spec of the loaded model.
        info: What the engine reports.
        stamp: ``builtin_interfaces/Time`` at which the model was loaded.
    """
    message.stamp = stamp
    message.name, message.version = printable(spec.name), printable(spec.version)
    message.sha256, message.source = info.sha256, printable(info.source)
    message.git_commit = printable(spec.git_commit)
    message.training_data = printable(spec.training_data)
    message.score_names = [printable(name) for name in spec.scores]
    message.score_values = pack(message.score_values, list(spec.scores.values()), np.float64)
    message.tasks = list(spec.tasks)
    message.input_height, message.input_width = (int(size) for size in spec.input_size)
    for name, content in tasks.parts("content", spec.tasks).items():
        content.fill_info(message, spec.tasks[name])
    message.backend, message.backend_version = info.name, info.version
    message.device, message.precision = info.device, info.precision
    message.threads = info.threads
    message.reason, message.fallback = printable(info.reason), printable(info.fallback)
