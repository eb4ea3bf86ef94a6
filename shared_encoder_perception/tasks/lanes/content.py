# SPDX-License-Identifier: Apache-2.0
"""The lanes' topics, what their messages carry field by field, and their parameters.

What each field means is written in ``msg/LaneLine.msg`` and ``msg/LaneLineArray.msg``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any, Final

import numpy as np

from shared_encoder_perception.structures import Crop, Size
from shared_encoder_perception.tasks.cloud_msg import CLOUD
from shared_encoder_perception.tasks.contract.runtime import Context, New, Topic
from shared_encoder_perception.tasks.lanes.answer import (
    LANE_NAMES,
    GroundLine,
    LaneId,
    LaneLine,
    Lanes,
    LaneStatus,
)
from shared_encoder_perception.tasks.lanes.decode import Options
from shared_encoder_perception.tasks.lanes.markers import MARKERS, fill_markers
from shared_encoder_perception.tasks.lanes.parameters import ON_THE_ROAD, THRESHOLDS, THROUGH_TIME
from shared_encoder_perception.tasks.lanes.point_cloud import fill_cloud, lane_points
from shared_encoder_perception.tasks.lanes.spec import Block
from shared_encoder_perception.tasks.lanes.tracking.options import tracking_options
from shared_encoder_perception.tasks.packing import pack
from shared_encoder_perception.tasks.parameter import MODEL_OWN

NAME: Final = "lanes"
"""Of the task."""
LINE: Final = "shared_encoder_perception/msg/LaneLine"
ARRAY: Final = "shared_encoder_perception/msg/LaneLineArray"
LANE_TOPICS: Final = tuple(f"lane_lines/{name}" for name in LANE_NAMES)
"""Topic of each lane, in the order of ``LaneId``."""
ARRAY_TOPIC: Final = "lane_lines"
CROP: Final = ("crop_x", "crop_y", "crop_width", "crop_height")
"""Fields of the array."""
UNKNOWN_CROP: Final = Crop(0, 0, 0, 0)
POINTS_TOPIC: Final = "lane_lines/points"
MARKERS_TOPIC: Final = "~/debug/markers"
TOPICS: Final = (
    *(Topic(topic, LINE) for topic in LANE_TOPICS),
    Topic(POINTS_TOPIC, CLOUD, lazy=True, grounded=True),
    Topic(ARRAY_TOPIC, ARRAY, last=True),
    Topic(MARKERS_TOPIC, MARKERS, lazy=True, grounded=True, pictures=True),
)

PARAMETERS: Final = (*THRESHOLDS, *ON_THE_ROAD, *THROUGH_TIME)

FOUND: Final = LANE_NAMES


def messages(answer: Lanes, context: Context, new: New) -> Mapping[str, Callable[[], Any]]:
    """Return what makes the message of each topic; the array holds those of the single lanes."""

    @cache
    def line(lane: LaneId) -> Any:
        message = new(LINE)
        fill_lane(message, answer[lane], context)
        return message

    def array() -> Any:
        message = new(ARRAY)
        fill_array(message, [line(lane) for lane in LaneId], context)
        return message

    def points() -> Any:
        message = new(CLOUD)
        message.header = _in_vehicle_frame(context, new)
        fill_cloud(message, lane_points(answer), new)
        return message

    def markers() -> Any:
        message = new(MARKERS)
        fill_markers(message, answer, _in_vehicle_frame(context, new), new)
        return message

    return {
        **{topic: partial(line, lane) for topic, lane in zip(LANE_TOPICS, LaneId, strict=True)},
        POINTS_TOPIC: points,
        ARRAY_TOPIC: array,
        MARKERS_TOPIC: markers,
    }


def _in_vehicle_frame(context: Context, new: New) -> Any:
    """Return a header with the image's stamp and the vehicle's frame."""
    header = new("std_msgs/msg/Header")
    header.stamp, header.frame_id = context.header.stamp, context.frame_id
    return header


def fill_lane(message: Any, line: LaneLine, context: Context) -> None:
    """Fill a new LaneLine (in place)."""
    block: Block = context.spec.tasks[NAME]
    message.header = context.header
    message.lane_id = int(line.lane_id)
    message.status = int(line.status)
    message.confidence = float(line.confidence)
    message.confidence_calibrated = bool(block.confidence_calibrated)
    message.track_id = int(line.track_id)
    seen = line.status is LaneStatus.DETECTED
    message.coasting_time = 0.0 if seen else float(line.coasting_s)
    message.image_height, message.image_width = (int(size) for size in context.image_size)
    message.image_x = pack(message.image_x, line.points_px[:, 0], np.float32)
    message.image_y = pack(message.image_y, line.points_px[:, 1], np.float32)
    message.image_x_std = pack(message.image_x_std, line.x_std_px, np.float32)
    message.branch_index = int(line.branch_index)
    _fill_ground(message, line.ground)
    message.model_version = context.spec.title


def _fill_ground(message: Any, ground: GroundLine | None) -> None:
    """Fill in the block of the ground geometry."""
    message.ground_valid = ground is not None
    if ground is None:
        message.polynomial_x_min = message.polynomial_x_max = message.polynomial_rmse = math.nan
        return
    message.ground_frame_id = ground.frame_id
    for name, values in zip(("ground_x", "ground_y", "ground_z"), ground.points_m.T, strict=True):
        setattr(message, name, pack(getattr(message, name), values, np.float32))
    message.ground_y_std = pack(message.ground_y_std, ground.y_std_m, np.float32)
    message.polynomial = pack(message.polynomial, ground.polynomial, np.float64)
    covariance = ground.covariance.reshape(-1)
    message.polynomial_covariance = pack(message.polynomial_covariance, covariance, np.float64)
    message.polynomial_x_min, message.polynomial_x_max = map(float, ground.x_range_m)
    message.polynomial_rmse = float(ground.rmse_m)


def fill_array(message: Any, lanes: Sequence[Any], context: Context) -> None:
    """Fill a new LaneLineArray with the five LaneLine messages of an image (in place)."""
    counts, stage_ms = context.counts, context.stage_ms
    message.header = context.header
    message.lanes = list(lanes)
    message.sequence = int(counts.perceived)
    message.frames_received = int(counts.received)
    message.frames_dropped = int(counts.dropped)
    message.frames_replaced = int(counts.replaced)
    message.frames_rejected = int(counts.rejected)
    message.conversion_ms = float(stage_ms["conversion"])
    message.preprocess_ms = float(stage_ms["preprocess"])
    message.inference_ms = float(stage_ms["inference"])
    message.decode_ms = float(stage_ms["decode"])
    message.processing_ms = float(context.elapsed_ms())
    for field, value in zip(CROP, context.crop or UNKNOWN_CROP, strict=True):
        setattr(message, field, int(value))


def read_crop(message: Any) -> Crop | None:
    """Return what the network saw of the image of a LaneLineArray, if the message says so.

    Older recordings lack the fields; in newer ones zeros stand for not known.
    """
    crop = Crop(*(int(getattr(message, field, 0)) for field in CROP))
    return None if crop == UNKNOWN_CROP else crop


def read(messages: Mapping[str, Any], image_size: Size) -> Lanes:
    """Return the lanes of a recorded image, from the array or from the five single messages.

    Raises:
        LookupError: There is neither.
        ValueError: A message makes no sense, see ``lane_from_message``, or lanes in an array are
            not of its image.
    """
    if ARRAY_TOPIC in messages:
        array = messages[ARRAY_TOPIC]
        lines = array.lanes
        if any(line.header != array.header for line in lines):
            raise ValueError(f"{ARRAY_TOPIC} holds a lane whose header is not that of the array")
    elif all(topic in messages for topic in LANE_TOPICS):
        lines = [messages[topic] for topic in LANE_TOPICS]
    else:
        raise LookupError(f"there is no message on {ARRAY_TOPIC}, nor on all of its single lanes")
    return Lanes(tuple(lane_from_message(line) for line in lines))


def lane_from_message(message: Any) -> LaneLine:
    """Translate a LaneLine message, of rclpy or rosbags, back to our type.

    Raises:
        ValueError: Arrays of different lengths, an unknown lane or status, or points that do not
            run near to far.
    """
    x, y = np.asarray(message.image_x, np.float32), np.asarray(message.image_y, np.float32)
    if len(x) != len(y):
        raise ValueError(
            f"image_x has {len(x)} values and image_y {len(y)}: expected equal lengths"
        )
    std = np.asarray(message.image_x_std, np.float32)
    return LaneLine(
        LaneId(message.lane_id),
        LaneStatus(message.status),
        float(message.confidence),
        np.stack((x, y), axis=-1),
        std if len(std) else np.full(len(x), np.nan, np.float32),
        int(message.branch_index),
        _ground_from_message(message),
        int(message.track_id),
        float(message.coasting_time),
    )


def _ground_from_message(message: Any) -> GroundLine | None:
    """Translate the block of the ground geometry back."""
    if not message.ground_valid:
        return None
    points = (message.ground_x, message.ground_y, message.ground_z)
    order = len(message.polynomial)
    return GroundLine(
        message.ground_frame_id,
        np.stack([np.asarray(values, np.float32) for values in points], axis=-1),
        np.asarray(message.ground_y_std, np.float32),
        np.asarray(message.polynomial, np.float64),
        np.asarray(message.polynomial_covariance, np.float64).reshape(order, order),
        (float(message.polynomial_x_min), float(message.polynomial_x_max)),
        float(message.polynomial_rmse),
    )


def options(value: Callable[[str], Any], block: Block) -> Options:
    """Combine the threshold parameters with the model's own; tracking lowers what is decoded."""
    keypoint, confidence = (value(parameter.name) for parameter in THRESHOLDS)
    lanes = block.lane_thresholds
    if confidence != MODEL_OWN:
        lanes = (confidence,) * len(lanes)
    return Options(
        block.keypoint_threshold if keypoint == MODEL_OWN else keypoint,
        tracking_options(value).decode_thresholds(lanes),
    )


def found(answer: Lanes) -> Sequence[str]:
    """Return the names of the lanes that are seen in this image."""
    return [line.lane_id.label for line in answer if line.status is LaneStatus.DETECTED]


def fill_info(message: Any, block: Block) -> None:
    """Say what the lanes' messages mean (in place)."""
    message.lane_names = list(block.lane_names)
    message.stride = int(block.stride)
    message.confidence_calibrated = bool(block.confidence_calibrated)
