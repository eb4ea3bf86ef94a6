# SPDX-License-Identifier: Apache-2.0
"""The lanes on the road as shapes for 3D viewers: one ``visualization_msgs/MarkerArray``.

For each lane a line, a band that says how uncertain it is, and a text. Every list holds all shapes
of all five lanes, those that are not there as well: a viewer that missed a message, or still shows
what a node before this one has drawn, is right again with the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.tasks.lanes.answer import LaneLine, Lanes, LaneStatus
from shared_encoder_perception.tasks.lanes.birds_eye import SIGMAS, finite
from shared_encoder_perception.tasks.lanes.draw import LANE_COLOURS, lane_text

if TYPE_CHECKING:
    from shared_encoder_perception.tasks.contract.runtime import New

MARKERS: Final = "visualization_msgs/msg/MarkerArray"
MARKER: Final = "visualization_msgs/msg/Marker"
POINT: Final = "geometry_msgs/msg/Point"
ADD, DELETE = 0, 2
"""Values of a marker's ``action``."""
LIFETIME_S: Final = 1
"""A viewer forgets a lane that is not confirmed: a dead node must not look like a live one."""

STATIONS: Final = 20
"""Points of a line and of its band: each costs time in Python."""
LINE_WIDTH_M: Final = 0.15
BAND_OPACITY: Final = 0.35
TEXT_HEIGHT_M: Final = 0.8
TEXT_AT_M: Final = 20.0
"""Texts stand so far ahead: the lanes are apart there, and letters large. Those of splits stand at
the lane's end, because at the beginning it is the ego lane."""
TEXT_ABOVE_M: Final = 1.0

LINE, BAND, TEXT = "lanes", "sigma", "labels"
"""Namespaces of the shapes: a viewer can switch each off."""


class ShapeType(IntEnum):
    """Values equal the constants of ``visualization_msgs/Marker``."""

    LINE_STRIP = 4
    LINE_LIST = 5
    TEXT_VIEW_FACING = 9
    TRIANGLE_LIST = 11


@dataclass(frozen=True, eq=False)
class Shape:
    """One marker.

    Attributes:
        namespace: ``LINE``, ``BAND`` or ``TEXT``.
        number: The ``LaneId``: namespace and number together name the marker.
        type: How the points are drawn.
        points_m: (N, 3) float64 in the vehicle's frame; empty: the marker is not there.
        colour: RGBA, 0 to 1.
        scale: Width of a line, 1 for triangles, height of a text; metres.
        text: Of a text.
    """

    namespace: str
    number: int
    type: ShapeType
    points_m: NDArray[np.float64]
    colour: tuple[float, float, float, float]
    scale: float
    text: str = ""


def fill_markers(message: Any, lanes: Lanes, header: Any, new: New) -> None:
    """Fill a MarkerArray with the shapes of all lanes (in place).

    Args:
        message: A new one, of rclpy or rosbags.
        lanes: Of one image.
        header: Of all markers: the image's time, in the vehicle's frame; not copied.
        new: Makes messages of the same kind.
    """
    message.markers = [_marker(shape, header, new) for shape in lane_shapes(lanes.lines)]


def _marker(shape: Shape, header: Any, new: New) -> Any:
    """Translate one shape."""
    marker = new(MARKER)
    marker.header, marker.ns, marker.id = header, shape.namespace, shape.number
    marker.pose.orientation.w = 1.0
    if not len(shape.points_m):
        marker.action = DELETE
        return marker
    marker.action, marker.type = ADD, int(shape.type)
    marker.lifetime.sec = LIFETIME_S
    for channel, level in zip("rgba", shape.colour, strict=True):
        setattr(marker.color, channel, float(level))
    marker.scale.x = marker.scale.y = marker.scale.z = float(shape.scale)
    points = [new(POINT) for _ in shape.points_m]
    for point, place in zip(points, shape.points_m.tolist(), strict=True):
        point.x, point.y, point.z = place
    if shape.type is ShapeType.TEXT_VIEW_FACING:
        marker.pose.position, marker.text = points[0], shape.text
    else:
        marker.points = points
    return marker


def lane_shapes(lanes: Sequence[LaneLine]) -> list[Shape]:
    """Return the shapes of all lanes: three for each.

    Args:
        lanes: Lines of one image, with or without ground geometry.
    """
    return [shape for line in lanes for shape in _shapes(line)]


def _shapes(line: LaneLine) -> tuple[Shape, Shape, Shape]:
    """Return line, band and text of one lane."""
    points, std = _stations(line)
    blue, green, red = (channel / 255 for channel in LANE_COLOURS[line.lane_id])
    colour, number = (red, green, blue), int(line.lane_id)
    predicted = line.status is LaneStatus.PREDICTED
    kind = ShapeType.LINE_LIST if predicted else ShapeType.LINE_STRIP
    at = points[-1:]
    if len(points) and not line.lane_id.is_split:
        nearest = int(np.abs(points[:, 0] - TEXT_AT_M).argmin())
        at = points[nearest : nearest + 1]
    return (
        Shape(LINE, number, kind, points, (*colour, 1.0), LINE_WIDTH_M),
        Shape(
            BAND,
            number,
            ShapeType.TRIANGLE_LIST,
            _band(points, SIGMAS * std),
            (*colour, BAND_OPACITY),
            1.0,
        ),
        Shape(
            TEXT,
            number,
            ShapeType.TEXT_VIEW_FACING,
            at + np.array((0.0, 0.0, TEXT_ABOVE_M)),
            (*colour, 1.0),
            TEXT_HEIGHT_M,
            lane_text(line),
        ),
    )


def _stations(line: LaneLine) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return an even number of points, evenly spaced along the line, and their deviations."""
    nothing = np.zeros((0, 3)), np.zeros(0)
    if line.ground is None:
        return nothing
    points, std = finite(line.ground)
    if len(points) < 2:
        return nothing
    along = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))]
    at = np.linspace(0.0, along[-1], STATIONS)
    thinned = np.stack([np.interp(at, along, axis) for axis in points.T], axis=-1)
    return thinned, np.interp(at, along, std)


def _band(points: NDArray[np.float64], half_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the triangles between both edges of a band, seen from above counter-clockwise.

    Where the deviation is unknown there is no triangle.
    """
    edge = np.zeros_like(points)
    edge[:, 1] = half_m
    left, right = points + edge, points - edge
    corners = (right[:-1], right[1:], left[1:], right[:-1], left[1:], left[:-1])
    triangles = np.stack(corners, axis=1).reshape(-1, 6, 3)
    known: NDArray[np.float64] = triangles[np.isfinite(triangles).all(axis=(1, 2))]
    return known.reshape(-1, 3)
