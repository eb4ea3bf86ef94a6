# SPDX-License-Identifier: Apache-2.0
"""A camera of a line of ``rigs.jsonl``: checked, and written."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.files.data_paths import inside
from shared_encoder_perception.files.typed_json import from_json
from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.ground.camera_info import camera_model
from shared_encoder_perception.ground.extrinsics import ORTHONORMAL, Extrinsics
from shared_encoder_perception.ground.view import CameraView
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.rig.rig import RigCamera
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.label_files import read_plane

MOST_SIDE_PX: Final = 65535
"""Of a picture: what JPEG can say."""
MOST_FACTOR: Final = 1e6
"""In a camera matrix and among coefficients of distortion: far beyond any lens."""
MOST_MOUNT_M: Final = 100.0
"""From the vehicle's origin to a camera on it; beyond, numbers are no metres."""
MOST_NAME: Final = 80
OWN: Final = 255
"""What a mask of the own vehicle says where it is seen; 0 elsewhere."""
_OPTIONAL: Final = ("image", "d", "model", "stamp_s", "own", "crop")


@dataclass(frozen=True)
class _CameraLine:
    """The keys of a camera; docs/rigs_format.md explains them."""

    size: tuple[int, int]
    k: tuple[float, ...]
    vehicle_from_optical: tuple[tuple[float, ...], ...]
    image: str = ""
    d: tuple[float, ...] = ()
    model: str = "plumb_bob"
    stamp_s: float = math.nan
    own: str = ""
    crop: tuple[int, ...] = ()


class Taken(NamedTuple):
    """A camera, and what it took.

    Attributes:
        camera: As calibrated.
        picture: The file; it may be missing. ``None`` where the camera gave none.
        stamp_s: When; NaN where nobody says.
    """

    camera: RigCamera
    picture: Path | None
    stamp_s: float


def check_name(name: str, what: str) -> None:
    """Refuse a name that could not stand in a message, or is of nothing.

    Raises:
        ValueError: Empty, longer than ``MOST_NAME``, or not printable.
    """
    if not (0 < len(name) <= MOST_NAME and name.isprintable() and name.strip()):
        shown = ascii(name[:MOST_NAME])
        raise ValueError(f"{what} is {shown}, expected 1 to {MOST_NAME} printable characters")


def parse_camera(name: str, raw: Any, folder: Path) -> Taken:
    """Check a camera of a line.

    Args:
        name: Its key among ``cameras``.
        raw: The JSON value.
        folder: That paths are relative to, and must stay in.

    Raises:
        ValueError: The first fault; the message begins with ``camera NAME``.
    """
    check_name(name, "the name of a camera")
    where = f"camera {name}"
    line = from_json(_CameraLine, _flat(raw), where, _OPTIONAL)
    picture = inside(folder, line.image, f"{where}, image") if "image" in raw else None
    own = inside(folder, line.own, f"{where}, own") if "own" in raw else None
    try:
        size = _size(line.size)
        view = CameraView(_lens(line, size), pose_of(_matrix(line.vehicle_from_optical)))
        crop = _crop(line.crop, size) if "crop" in raw else None
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    mask = _own_mask(own, size, where) if own else None
    return Taken(RigCamera(name, view, mask, crop), picture, float(line.stamp_s))


def camera_line(camera: RigCamera) -> dict[str, Any]:
    """Return the JSON object of a camera's calibration: the inverse of ``parse_camera``.

    What binning, a region and rectification say is worked into matrix and pose, exactly.
    """
    lens, pose = camera.view.camera, camera.view.extrinsics
    matrix = lens.matrix.copy()
    matrix[:2, 2] -= lens.origin_px
    matrix[:2] /= np.array(lens.binning, np.float64)[:, None]
    where = np.eye(4)
    where[:3, :3], where[:3, 3] = pose.rotation @ lens.rectification, pose.position
    line: dict[str, Any] = {"size": list(lens.image_size), "k": matrix.ravel().tolist()}
    if lens.fisheye:
        line |= {"d": lens.distortion.tolist(), "model": "equidistant"}
    elif len(lens.distortion):
        model = "plumb_bob" if len(lens.distortion) <= 5 else "rational_polynomial"
        line |= {"d": lens.distortion.tolist(), "model": model}
    line["vehicle_from_optical"] = where.tolist()
    if camera.crop is not None:
        line["crop"] = list(camera.crop)
    return line


def lens_of(
    size: Size, k: NDArray[np.float64], d: NDArray[np.float64] | None = None, model: str = ""
) -> CameraModel:
    """Return a camera model without binning or rectification.

    Args:
        size: ``(height, width)``.
        k: (3, 3) camera matrix, or its nine numbers; pixel centres are at integers.
        d: Coefficients of the distortion, in OpenCV's order.
        model: As ``distortion_model`` of a CameraInfo.

    Raises:
        ValueError: It is none; the message names ``k``, ``d`` or ``model``.
    """
    whole = SimpleNamespace(x_offset=0, y_offset=0, width=0, height=0, do_rectify=False)
    info = SimpleNamespace(
        height=size[0],
        width=size[1],
        k=np.asarray(k, np.float64).ravel(),
        d=np.zeros(0) if d is None else d,
        r=np.zeros(9),
        distortion_model=model,
        binning_x=0,
        binning_y=0,
        roi=whole,
    )
    for name in ("k", "d"):
        values = np.asarray(getattr(info, name), np.float64)
        if not (np.abs(values) <= MOST_FACTOR).all():  # which NaN is not, either
            raise ValueError(
                f"{name} is {values.tolist()}, expected finite numbers up to {MOST_FACTOR:g}"
            )
    try:
        return camera_model(info, size)
    except ValueError as error:
        text = str(error).removeprefix("CameraInfo: ").replace("distortion_model", "model")
        raise ValueError(text) from None


def pose_of(matrix: NDArray[np.float64]) -> Extrinsics:
    """Return the pose in a 4x4 matrix that takes optical to vehicle coordinates.

    Raises:
        ValueError: See ``placed``; or the last row is none of such a matrix.
    """
    if matrix.shape != (4, 4) or not np.array_equal(matrix[3], (0, 0, 0, 1)):
        raise ValueError(
            f"vehicle_from_optical is {matrix.tolist()}, expected 4x4, the last row 0, 0, 0, 1"
        )
    return placed(matrix[:3, :3].copy(), matrix[:3, 3].copy())


def placed(rotation: NDArray[np.float64], position: NDArray[np.float64]) -> Extrinsics:
    """Return where a camera sits and looks, in the frame of the vehicle that carries it.

    Args:
        rotation: (3, 3), from optical axes to the vehicle's.
        position: (3,) metres.

    Raises:
        ValueError: Mirrored, no rotation, or further away than any camera on a vehicle.
    """
    what = "vehicle_from_optical"
    if not (np.abs(position) <= MOST_MOUNT_M).all():
        raise ValueError(
            f"{what} puts it at {position.tolist()}, expected metres in the vehicle's frame, up to "
            f"{MOST_MOUNT_M:g}"
        )
    is_small = (np.abs(rotation) < 2.0).all()  # larger ones could overflow
    if not is_small or np.abs(rotation @ rotation.T - np.eye(3)).max() > ORTHONORMAL:
        raise ValueError(f"{what} turns by {rotation.tolist()}, expected a rotation matrix")
    if np.linalg.det(rotation) < 0:
        raise ValueError(
            f"{what} is mirrored (its determinant is -1): a left-handed frame? Expected from x "
            "right, y down, z ahead to x ahead, y left, z up"
        )
    return Extrinsics(rotation, position)


def _flat(raw: Any) -> Any:
    """Return a camera whose matrix, if it is 3x3, is a list of nine."""
    k = raw.get("k") if isinstance(raw, dict) else None
    if isinstance(k, list) and len(k) == 3 and all(isinstance(row, list) for row in k):
        return {**raw, "k": [value for row in k for value in row]}
    return raw


def _size(size: Size) -> Size:
    """Return the size of a picture that there can be."""
    if not all(1 <= side <= MOST_SIDE_PX for side in size):
        raise ValueError(
            f"size is {list(size)}, expected [height, width] in pixels, 1 to {MOST_SIDE_PX}"
        )
    return size


def _lens(line: _CameraLine, size: Size) -> CameraModel:
    """Return how a camera sees."""
    k, d = np.array(line.k, np.float64), np.array(line.d, np.float64)
    return lens_of(size, k, d, line.model)


def _matrix(rows: tuple[tuple[float, ...], ...]) -> NDArray[np.float64]:
    """Return a matrix whose rows are of one length."""
    if len({len(row) for row in rows}) != 1:
        raise ValueError(f"vehicle_from_optical is {rows}, expected 4x4")
    return np.array(rows, np.float64)


def _crop(values: tuple[int, ...], size: Size) -> Crop:
    """Return the part of the picture that a network is to see."""
    height, width = size
    inside_it = len(values) == 4 and min(values[:2]) >= 0 and min(values[2:]) >= 2
    if inside_it:
        inside_it = values[0] + values[2] <= width and values[1] + values[3] <= height
    if not inside_it:
        raise ValueError(
            f"crop is {list(values)}, expected [x, y, width, height] inside {width}x{height} pixels"
        )
    return Crop(*values)


def _own_mask(path: Path, size: Size, where: str) -> NDArray[np.bool_]:
    """Read where a camera sees the vehicle itself."""
    try:
        mask = read_plane(path, size, "mask of the own vehicle")
    except ValueError as error:
        raise ValueError(f"{where}, own: {error}") from None
    if not np.isin(mask, (0, OWN)).all():
        raise ValueError(f"{where}, own: {path} has other values than 0 and {OWN}")
    return np.asarray(mask == OWN)
