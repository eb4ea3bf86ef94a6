# SPDX-License-Identifier: Apache-2.0
"""The ground points of all lanes as one ``sensor_msgs/PointCloud2``, by numpy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.tasks.cloud_msg import DATATYPES, FIELD, NUMBERS
from shared_encoder_perception.tasks.lanes.answer import LaneLine
from shared_encoder_perception.tasks.packing import pack

if TYPE_CHECKING:
    from shared_encoder_perception.tasks.contract.runtime import New

POINT_DTYPE: Final = np.dtype(
    [
        ("x", "<f4"),
        ("y", "<f4"),
        ("z", "<f4"),
        ("lane", "<u4"),
        ("sigma", "<f4"),
        ("confidence", "<f4"),
    ]
)
"""One point: metres in the vehicle's frame, the ``LaneId``, one standard deviation of ``y`` in
metres (NaN where unknown), and the lane's confidence. All four bytes wide, so that nothing is
unaligned for readers in C++."""

_FIELDS: Final = tuple(
    (name, int(POINT_DTYPE.fields[name][1]), NUMBERS[POINT_DTYPE[name]])  # type: ignore[index]
    for name in POINT_DTYPE.names or ()
)
"""Name, offset and type of the fields of ``POINT_DTYPE``."""


def lane_points(lanes: Iterable[LaneLine]) -> NDArray[np.void]:
    """Return the ground points of all lanes, near to far, lane after lane.

    Args:
        lanes: Lanes with or without ground geometry. Points that do not meet the road are left out.

    Returns:
        (N,) of ``POINT_DTYPE``; empty where no lane has ground points.
    """
    parts = []
    for line in lanes:
        if line.ground is None:
            continue
        finite = np.isfinite(line.ground.points_m).all(axis=1)
        part = np.empty(int(finite.sum()), POINT_DTYPE)
        part["x"], part["y"], part["z"] = line.ground.points_m[finite].T
        part["lane"], part["confidence"] = int(line.lane_id), line.confidence
        part["sigma"] = line.ground.y_std_m[finite]
        parts.append(part)
    return np.concatenate(parts) if parts else np.empty(0, POINT_DTYPE)


def fill_cloud(message: Any, points: NDArray[np.void], new: New) -> None:
    """Write points into a PointCloud2 message; its header stays as it is.

    Args:
        message: A ``sensor_msgs/PointCloud2``, of rclpy or rosbags.
        points: (N,) of ``POINT_DTYPE``.
        new: Makes a ``sensor_msgs/PointField`` of the same kind.
    """
    message.height, message.width = 1, len(points)
    fields = [new(FIELD) for _ in _FIELDS]
    for field, (name, offset, datatype) in zip(fields, _FIELDS, strict=True):
        field.name, field.offset, field.datatype, field.count = name, offset, datatype, 1
    message.fields = fields
    message.is_bigendian = False
    message.point_step = POINT_DTYPE.itemsize
    message.row_step = POINT_DTYPE.itemsize * len(points)
    message.data = pack(message.data, np.frombuffer(points.tobytes(), np.uint8), np.uint8)
    # Dense means no NaN in any field: readers skip their check then.
    message.is_dense = not np.isnan(points["sigma"]).any()


def read_points(message: Any) -> NDArray[np.void]:
    """Return the points of any PointCloud2 message, of rclpy or rosbags.

    Args:
        message: A ``sensor_msgs/PointCloud2`` whose fields hold one value each.

    Returns:
        (height * width,), a structured array with the message's fields.

    Raises:
        ValueError: An unknown or repeated type, or data of the wrong length.
    """
    order = ">" if message.is_bigendian else "<"
    fields = list(message.fields)
    bad = [f.name for f in fields if f.datatype not in DATATYPES or f.count != 1]
    if bad:
        raise ValueError(f"fields {bad} have types that are not one number each")
    layout = {
        "names": [field.name for field in fields],
        "formats": [order + DATATYPES[field.datatype] for field in fields],
        "offsets": [field.offset for field in fields],
        "itemsize": message.point_step,
    }
    kind, count = np.dtype(layout), message.height * message.width  # type: ignore[call-overload]
    content = bytes(message.data)
    if len(content) != message.row_step * message.height or message.row_step != (
        message.width * message.point_step
    ):
        raise ValueError(
            f"the cloud holds {len(content)} bytes in rows of {message.row_step}, expected "
            f"{message.height} rows of {message.width} points of {message.point_step} bytes"
        )
    return np.frombuffer(content, kind, count)
