"""What our messages carry, field by field: for rclpy's messages and those of rosbags alike.

Nothing of ROS is imported: each ``fill_...`` takes a new message of either kind. What each field
means is written in ``msg/*.msg``.

Field types are not checked by rclpy unless asked: a numpy scalar in a float field is published as
garbage. So every scalar passes through ``float`` or ``int``, and every array through ``_pack``.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from shared_encoder_perception.backends import BackendInfo
from shared_encoder_perception.images.counts import Counts
from shared_encoder_perception.images.image_msg import fill_image
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.lanes.answer import GroundLine, LaneId, LaneLine, LaneStatus

MASK_VALUES = {0: "not_drivable", 255: "drivable"}
"""What the values of the mask image mean."""


def model_version(spec: ModelSpec) -> str:
    """Return the short name of the weights that ``LaneLine.model_version`` carries."""
    return f"{spec.name} {spec.version}"


def fill_lane(
    message: Any,
    line: LaneLine,
    perception: Perception,
    header: Any,
    spec: ModelSpec,
) -> None:
    """Fill a LaneLine (in place).

    Args:
        message: A new one.
        line: The lane, of ``perception``.
        perception: What one image told us.
        header: The image's ``std_msgs/Header``; not copied.
        spec: Spec of the model that said so.
    """
    message.header = header
    message.lane_id = int(line.lane_id)
    message.status = int(line.status)
    message.confidence = float(line.confidence)
    message.confidence_calibrated = bool(spec.confidence_calibrated)
    message.track_id = int(line.track_id)
    seen = line.status is LaneStatus.DETECTED
    message.coasting_time = 0.0 if seen else float(line.coasting_s)
    message.image_height, message.image_width = (int(size) for size in perception.image_size)
    message.image_x = _pack(message.image_x, line.points_px[:, 0], np.float32)
    message.image_y = _pack(message.image_y, line.points_px[:, 1], np.float32)
    message.image_x_std = _pack(message.image_x_std, line.x_std_px, np.float32)
    message.branch_index = int(line.branch_index)
    _fill_ground(message, line.ground)
    message.model_version = model_version(spec)


def _fill_ground(message: Any, ground: GroundLine | None) -> None:
    """Fill in the block of the ground geometry."""
    message.ground_valid = ground is not None
    if ground is None:
        message.polynomial_x_min = message.polynomial_x_max = message.polynomial_rmse = math.nan
        return
    message.ground_frame_id = ground.frame_id
    for name, values in zip(("ground_x", "ground_y", "ground_z"), ground.points_m.T, strict=True):
        setattr(message, name, _pack(getattr(message, name), values, np.float32))
    message.ground_y_std = _pack(message.ground_y_std, ground.y_std_m, np.float32)
    message.polynomial = _pack(message.polynomial, ground.polynomial, np.float64)
    covariance = ground.covariance.reshape(-1)
    message.polynomial_covariance = _pack(message.polynomial_covariance, covariance, np.float64)
    message.polynomial_x_min, message.polynomial_x_max = map(float, ground.x_range_m)
    message.polynomial_rmse = float(ground.rmse_m)


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


def fill_array(
    message: Any, lanes: Sequence[Any], stage_ms: Mapping[str, float], counts: Counts
) -> None:
    """Fill the LaneLineArray of one image (in place), but for its ``processing_ms``.

    Args:
        message: A new one.
        lanes: The image's five LaneLine messages, in the order of ``LaneId``.
        stage_ms: Milliseconds of ``conversion``, ``preprocess``, ``inference`` and ``decode``.
        counts: What became of the images since activation, this one included.
    """
    message.header = lanes[0].header
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


def fill_mask(message: Any, mask: DrivableMask, header: Any) -> None:
    """Fill an Image with a mask as mono8, with the values of ``MASK_VALUES`` (in place)."""
    message.header = header
    fill_image(message, mask.binary(), "mono8")


def fill_model_info(message: Any, spec: ModelSpec, info: BackendInfo, stamp: Any) -> None:
    """Fill a ModelInfo with what runs, and how (in place).

    Args:
        message: A new one.
        spec: Spec of the loaded model.
        info: What the engine reports.
        stamp: ``builtin_interfaces/Time`` at which the model was loaded.
    """
    message.stamp = stamp
    message.name, message.version, message.sha256 = spec.name, spec.version, info.sha256
    message.source, message.git_commit = info.source, spec.git_commit
    message.training_data = spec.training_data
    message.score_names = list(spec.scores)
    message.score_values = _pack(message.score_values, list(spec.scores.values()), np.float64)
    message.tasks, message.lane_names = list(spec.tasks), list(spec.lane_names)
    message.input_height, message.input_width = (int(size) for size in spec.input_size)
    message.stride = int(spec.stride)
    message.confidence_calibrated = bool(spec.confidence_calibrated)
    message.mask_values = _pack(message.mask_values, list(MASK_VALUES), np.uint8)
    message.mask_labels = list(MASK_VALUES.values())
    message.backend, message.backend_version = info.name, info.version
    message.device, message.precision = info.device, info.precision
    message.threads, message.reason, message.fallback = info.threads, info.reason, info.fallback


def _pack(current: Any, values: Any, dtype: DTypeLike) -> Any:
    """Return a vector in the type that the message's field has now: of rosbags, or of rclpy."""
    vector = np.array(values, dtype)
    if isinstance(current, np.ndarray):
        return vector
    packed: array[Any] = array(vector.dtype.char)
    packed.frombytes(vector.tobytes())
    return packed
