"""Perception -> our ROS messages; see ``message_content`` for what they carry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sensor_msgs.msg import Image

from shared_encoder_perception.backends import BackendInfo
from shared_encoder_perception.images.counts import Counts
from shared_encoder_perception.msg import LaneLine, LaneLineArray, ModelInfo
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.lanes.content import (
    fill_array,
    fill_lane,
    fill_mask,
    fill_model_info,
)


def lane_messages(perception: Perception, header: Any, spec: ModelSpec) -> list[LaneLine]:
    """Return one LaneLine per lane, in the order of ``LaneId``.

    Args:
        perception: What one image told us.
        header: The image's ``std_msgs/Header``; shared by all messages, not copied.
        spec: Spec of the model that said so.
    """
    lanes = [LaneLine() for _ in perception.lanes]
    for message, line in zip(lanes, perception.lanes, strict=True):
        fill_lane(message, line, perception, header, spec)
    return lanes


def array_message(
    lanes: Sequence[LaneLine], stage_ms: Mapping[str, float], counts: Counts
) -> LaneLineArray:
    """Return the array of one image, without ``processing_ms``, known only when it is sent.

    See ``fill_array`` for the arguments.
    """
    message = LaneLineArray()
    fill_array(message, lanes, stage_ms, counts)
    return message


def mask_message(mask: DrivableMask, header: Any) -> Image:
    """Return the mask as a mono8 image with the values of ``MASK_VALUES``."""
    message = Image()
    fill_mask(message, mask, header)
    return message


def model_info_message(spec: ModelSpec, info: BackendInfo, stamp: Any) -> ModelInfo:
    """Return what runs, and how; see ``fill_model_info`` for the arguments."""
    message = ModelInfo()
    fill_model_info(message, spec, info, stamp)
    return message
