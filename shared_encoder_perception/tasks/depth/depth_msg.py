# SPDX-License-Identifier: Apache-2.0
"""Depth in ROS's messages: images of metres as of REP-118, points, the camera.

For messages of rclpy and of rosbags alike; imports neither.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.cloud_msg import AXES, FIELD, NUMBERS
from shared_encoder_perception.tasks.contract.runtime import New
from shared_encoder_perception.tasks.packing import pack

METRES, MILLIMETRES = "32FC1", "16UC1"
"""Encodings: metres, NaN unknown and +Inf beyond the range; whole millimetres, 0 for both."""
TYPES: Final[dict[str, np.dtype[Any]]] = {METRES: np.dtype("<f4"), MILLIMETRES: np.dtype("<u2")}
FARTHEST_MM: Final = 65535
COPIED: Final = (
    *("height", "width", "distortion_model", "d", "k", "r", "p"),
    *("binning_x", "binning_y", "roi"),
)
"""Fields of a CameraInfo but for its header."""
SQUARE: Final = 0.05
"""How far apart the focal lengths of both axes may be."""


def fill_depth(message: Any, values: NDArray[np.float32] | NDArray[np.uint16]) -> None:
    """Write (H, W) metres or millimetres into an Image message; its header stays as it is."""
    encoding = METRES if values.dtype == np.float32 else MILLIMETRES
    message.height, message.width = (int(side) for side in values.shape)
    message.encoding, message.is_bigendian = encoding, 0
    message.step = int(values.shape[1] * values.itemsize)
    content = np.ascontiguousarray(values, TYPES[encoding])
    message.data = pack(message.data, content.view(np.uint8), np.uint8)


def millimetres(depth: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Return whole millimetres: 0 for what is unknown, or beyond 65.535 m."""
    with np.errstate(invalid="ignore"):
        known = np.isfinite(depth) & (depth < (FARTHEST_MM + 0.5) / 1000)
    return np.round(np.where(known, depth, 0) * 1000.0).astype(np.uint16)


def read_depth(message: Any) -> NDArray[np.float32]:
    """Return (H, W) metres of an Image of either encoding; NaN where nothing is known.

    Raises:
        ValueError: Another encoding, or data of another length than the message says.
    """
    if message.encoding not in TYPES:
        raise ValueError(f"depth is {message.encoding!r}, expected {' or '.join(TYPES)}")
    kind = TYPES[message.encoding]
    if message.is_bigendian:
        kind = kind.newbyteorder(">")
    height, width, step = int(message.height), int(message.width), int(message.step)
    content = bytes(message.data)
    if step < width * kind.itemsize or len(content) != step * height:
        raise ValueError(
            f"depth holds {len(content)} bytes in rows of {step}, expected {height} rows of at "
            f"least {width * kind.itemsize}"
        )
    rows = np.frombuffer(content, np.uint8).reshape(height, step)[:, : width * kind.itemsize]
    values = np.ascontiguousarray(rows).view(kind)
    if message.encoding == METRES:
        return values.astype(np.float32)
    return np.where(values == 0, np.float32(np.nan), values.astype(np.float32) / 1000)


def fill_camera_info(message: Any, info: Any, lens: CameraModel | None, image_size: Size) -> None:
    """Copy a CameraInfo but for its header; without one, say what the lens is.

    Args:
        message: A new ``sensor_msgs/CameraInfo``, of rclpy or rosbags.
        info: The camera's own, or ``None``.
        lens: The camera; ``None`` where it is not known: then ``k`` is 0, as ROS has it.
        image_size: ``(height, width)`` of the image.
    """
    if info is not None:
        for name in COPIED:
            setattr(message, name, getattr(info, name))
        return
    matrix = np.zeros((3, 3)) if lens is None else lens.matrix
    message.height, message.width = (int(side) for side in image_size)
    message.distortion_model = "plumb_bob"
    message.d = pack(message.d, np.zeros(5), np.float64)
    message.k = _fixed(matrix)
    message.r = _fixed(np.eye(3))
    message.p = _fixed(np.hstack((matrix, np.zeros((3, 1)))))


def _fixed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return numbers for a field of fixed length, which rclpy has as a numpy array, too."""
    return np.asarray(values, np.float64).reshape(-1)


@lru_cache(maxsize=4)
def slopes(lens: CameraModel) -> NDArray[np.float32]:
    """(H, W, 2) of ``x / z`` and ``y / z`` of each pixel's ray; NaN where it has none.

    Rays of the frame that CameraInfo calls rectified: its optical axis is that of the depth, but
    for a camera of a stereo pair that is turned.
    """
    height, width = lens.image_size
    y, x = np.mgrid[0:height, 0:width]
    rays = lens.rays(np.stack((x.ravel(), y.ravel()), axis=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = rays[:, :2] / rays[:, 2:]
    found[~(rays[:, 2] > 0)] = np.nan
    return found.astype(np.float32).reshape(height, width, 2)


def points(depth: NDArray[np.float32], lens: CameraModel) -> NDArray[np.float32]:
    """Return (H, W, 3) points of the camera's optical frame, m; NaN where no depth is known.

    Right for raw pictures of distorted and of fisheye cameras, too: each pixel has its own ray.
    """
    known = np.where(np.isfinite(depth), depth, np.float32(np.nan))[..., None]
    return np.concatenate((slopes(lens) * known, known), axis=-1)


def fill_points(message: Any, places: NDArray[np.float32], new: New) -> None:
    """Write (H, W, 3) into an organised PointCloud2; its header stays as it is."""
    message.height, message.width = (int(side) for side in places.shape[:2])
    fields = [new(FIELD) for _ in AXES]
    for index, (field, name) in enumerate(zip(fields, AXES, strict=True)):
        field.name, field.offset, field.count = name, 4 * index, 1
        field.datatype = NUMBERS[np.dtype(np.float32)]
    message.fields, message.is_bigendian = fields, False
    message.point_step, message.row_step = 12, 12 * int(places.shape[1])
    content = np.ascontiguousarray(places, "<f4")
    message.data = pack(message.data, content.view(np.uint8), np.uint8)
    message.is_dense = not bool(np.isnan(places).any())


def pinhole(focal_px: float, image_size: Size) -> CameraModel:
    """Return a camera of which nothing but its focal length is known: straight, in the middle."""
    height, width = image_size
    matrix = np.array(
        [[focal_px, 0, (width - 1) / 2], [0, focal_px, (height - 1) / 2], [0, 0, 1.0]]
    )
    size = (int(height), int(width))
    return CameraModel(size, matrix, np.zeros(0), False, np.eye(3), (1, 1), (0.0, 0.0))


def focal_of(lens: CameraModel) -> float:
    """Return the vertical focal length in pixels of the image as received.

    Raises:
        ValueError: Pixels are not square, so that depth would depend on the direction.
    """
    across, down = (float(lens.matrix[axis, axis]) / lens.binning[axis] for axis in (0, 1))
    if abs(across / down - 1) > SQUARE:
        raise ValueError(
            f"the focal lengths of its CameraInfo are {across:.1f} and {down:.1f} px: depth is for "
            f"square pixels, within {SQUARE:.0%}"
        )
    return down
