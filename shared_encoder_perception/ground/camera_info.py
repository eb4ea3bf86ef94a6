# SPDX-License-Identifier: Apache-2.0
"""From ``sensor_msgs/CameraInfo`` to a camera model.

Nothing here imports ROS: messages of rclpy and of rosbags do alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.structures import Size

FISHEYE: Final = ("equidistant", "fisheye")
MODELS: Final = MappingProxyType(
    {
        "": (0,),
        "none": (0,),
        "plumb_bob": (0, 4, 5),
        "rational_polynomial": (4, 5, 8, 12, 14),
        **dict.fromkeys(FISHEYE, (4,)),
    }
)
"""How many coefficients each ``distortion_model`` may have; all zero counts as none (not for a
fisheye, which is bent even then). Drivers fill up with zeros what they send: those are left out."""

LESS_THAN_RATIONAL: Final = ("", "none", "plumb_bob")

ORTHONORMAL: Final = 1e-3
"""Largest deviation of a rotation matrix, which drivers round, from one."""
MOST_FOCAL_PX: Final = 1e7
"""Far beyond any lens; with more, all rays are one, and no line can be fitted on the road."""


def camera_model(info: Any, image_size: Size, rectified: bool = False) -> CameraModel:
    """Build the model of a CameraInfo for images of ``image_size``.

    An image may show all that the camera sees, or the region of interest only; its size tells.
    A rectified one may also have the size of the rectified region, where ``do_rectify`` is set.

    Args:
        info: The message.
        image_size: ``(height, width)`` of the images as received.
        rectified: Whether they are rectified: then ``p`` counts instead of ``k`` and ``d``.

    Raises:
        ValueError: The message is of no use, or not for such images.
    """
    if not (info.width and info.height):
        raise ValueError(
            f"CameraInfo is for images of {info.width}x{info.height}: the camera is not calibrated"
        )
    raw = None if rectified else _raw_lens(info)
    matrix = _matrix("p", info.p, 12, 4) if raw is None else raw[0]
    distortion = np.zeros(0) if raw is None else raw[1]
    rectification = np.eye(3) if raw is None else _rotation(info.r)
    binning = _binning(info)
    window = _window(info, image_size, rectified)
    # The centre of a super-pixel lies between those of the pixels in it.
    origin = tuple(at + (size - 1) / 2 for at, size in zip(window[:2], binning, strict=True))
    fisheye = raw is not None and info.distortion_model in FISHEYE
    return CameraModel(
        (int(image_size[0]), int(image_size[1])),
        matrix,
        distortion,
        fisheye,
        rectification,
        binning,
        (origin[0], origin[1]),
    )


def info_key(info: Any) -> tuple[Any, ...]:
    """Return what two CameraInfo have alike that say the same; cameras repeat it all the time."""
    roi = info.roi
    return (
        (info.height, info.width, info.distortion_model, info.binning_x, info.binning_y),
        (roi.x_offset, roi.y_offset, roi.height, roi.width, roi.do_rectify),
        *(np.asarray(field, np.float64).tobytes() for field in (info.d, info.k, info.r, info.p)),
    )


def _region(info: Any) -> Crop:
    """Return the region of interest in pixels of the full resolution."""
    roi = info.roi
    if not (roi.width or roi.height):
        return Crop(0, 0, int(info.width), int(info.height))
    region = Crop(int(roi.x_offset), int(roi.y_offset), int(roi.width), int(roi.height))
    if (
        min(region.width, region.height) < 1
        or region.x + region.width > info.width
        or region.y + region.height > info.height
    ):
        raise ValueError(
            f"CameraInfo: region of interest [x, y, width, height] = {list(region)} does not fit "
            f"its {info.width}x{info.height} pixels"
        )
    return region


def _binning(info: Any) -> tuple[int, int]:
    """Return the binning of both axes; 0 stands for none."""
    return max(int(info.binning_x), 1), max(int(info.binning_y), 1)


def _window(info: Any, image_size: Size, rectified: bool) -> Crop:
    """Return which part of the full resolution an image of ``image_size`` shows."""
    region = _region(info)
    windows = [region, Crop(0, 0, int(info.width), int(info.height))]
    # ROS's own rectification keeps the raw region, so that comes first.
    if rectified and info.roi.do_rectify:
        windows.append(_rectified_region(info, region))
    binning_x, binning_y = _binning(info)
    sizes = [(window.height // binning_y, window.width // binning_x) for window in windows]
    for window, size in zip(windows, sizes, strict=True):
        if size == tuple(image_size):
            return window
    expected = " or ".join(dict.fromkeys(f"{width}x{height}" for height, width in sizes))
    raise ValueError(
        f"the image is {image_size[1]}x{image_size[0]} pixels, its CameraInfo is for {expected}: "
        "publish the CameraInfo that belongs to the image"
    )


def _rectified_region(info: Any, region: Crop) -> Crop:
    """Return where the corners of the raw region come to lie in the rectified image."""
    matrix, distortion = _raw_lens(info)
    x, y, width, height = region
    corners = np.array([(a, b) for a in (x, x + width) for b in (y, y + height)], np.float64)
    lens = CameraModel(
        (info.height, info.width),
        matrix,
        distortion,
        info.distortion_model in FISHEYE,
        _rotation(info.r),
        (1, 1),
        (0.0, 0.0),
    )
    rays = lens.rays(corners)
    if np.isnan(rays).any() or not (rays[:, 2] > 0).all():
        raise ValueError("CameraInfo: the corners of its region of interest cannot be rectified")
    seen = (rays / rays[:, 2:]) @ _matrix("p", info.p, 12, 4).T
    low, high = np.ceil(seen.min(axis=0)).astype(int), np.floor(seen.max(axis=0)).astype(int)
    return Crop(int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))


def _raw_lens(info: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return camera matrix and distortion coefficients of raw images."""
    matrix = _matrix("k", info.k, 9, 3)
    model = info.distortion_model
    if model not in MODELS:
        known = ", ".join(name for name in MODELS if name)
        raise ValueError(f"CameraInfo: distortion_model is {model!r}, expected {known} or empty")
    distortion = _numbers("d", info.d)
    if model not in FISHEYE and not distortion.any():
        return matrix, np.zeros(0)
    return matrix, distortion[: _coefficients(model, distortion)]


def _coefficients(model: str, distortion: NDArray[np.float64]) -> int:
    """Return how many of the coefficients a model takes; what is behind them is zero.

    Raises:
        ValueError: The model never has so many, or some behind are not zero.
    """
    counts, given = MODELS[model], len(distortion)
    if given in counts:
        return given
    used = int(np.flatnonzero(distortion)[-1]) + 1 if distortion.any() else 0
    enough = [count for count in counts if used <= count <= given]
    if enough:
        return enough[0]
    text = f"CameraInfo: d has {given} coefficients, expected {' or '.join(map(str, counts))} for "
    text += model or "no distortion model"
    if given > counts[-1]:
        behind = ", ".join(f"{value:g}" for value in distortion[counts[-1] :])
        text += f", or more that are zero; behind those are {behind}"
        if model in LESS_THAN_RATIONAL and given in MODELS["rational_polynomial"]:
            text += ": is the distortion_model rational_polynomial?"
    raise ValueError(text)


def _numbers(name: str, values: Sequence[float], count: int | None = None) -> NDArray[np.float64]:
    """Return a field as finite numbers."""
    numbers = np.asarray(values, np.float64)
    if count is not None and numbers.shape != (count,):
        raise ValueError(f"CameraInfo: {name} has {numbers.size} numbers, expected {count}")
    if not np.isfinite(numbers).all():
        raise ValueError(f"CameraInfo: {name} holds NaN or infinity")
    return numbers


def _matrix(name: str, values: Sequence[float], count: int, columns: int) -> NDArray[np.float64]:
    """Return the camera matrix in a field."""
    matrix = _numbers(name, values, count).reshape(3, columns)[:, :3]
    if not matrix.any():
        raise ValueError(f"CameraInfo: {name} is zero: the camera is not calibrated")
    (fx, skew, cx), (zero, fy, cy), last = matrix
    if not (min(fx, fy) > 0 and max(fx, fy) <= MOST_FOCAL_PX):
        raise ValueError(
            f"CameraInfo: focal lengths in {name} are {fx:g}, {fy:g}, expected > 0 and at most "
            f"{MOST_FOCAL_PX:g} pixels"
        )
    if skew or zero or tuple(last) != (0, 0, 1):
        raise ValueError(
            f"CameraInfo: {name} is {matrix.tolist()}, expected [[fx, 0, cx], [0, fy, cy], "
            "[0, 0, 1]]"
        )
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])


def _rotation(values: Sequence[float]) -> NDArray[np.float64]:
    """Return the rectification in a field; zero, as drivers leave it, stands for none."""
    rotation = _numbers("r", values, 9).reshape(3, 3)
    if not rotation.any():
        return np.eye(3)
    is_small = np.abs(rotation).max() < 2.0  # larger ones could overflow
    product = rotation @ rotation.T if is_small else rotation
    if np.abs(product - np.eye(3)).max() > ORTHONORMAL or np.linalg.det(rotation) < 0:
        raise ValueError(f"CameraInfo: r is {rotation.tolist()}, expected a rotation matrix")
    return rotation
