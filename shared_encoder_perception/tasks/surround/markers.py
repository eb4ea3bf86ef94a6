# SPDX-License-Identifier: Apache-2.0
"""The vehicles around as shapes for 3D viewers: one ``visualization_msgs/MarkerArray``.

A box and a text for each. Every list begins with a marker that removes all earlier ones: a viewer
that missed a message is right again with the next.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from shared_encoder_perception.tasks.contract.runtime import New
from shared_encoder_perception.tasks.surround.answer import SeenObject, Surround

MARKERS: Final = "visualization_msgs/msg/MarkerArray"
MARKER: Final = "visualization_msgs/msg/Marker"
ADD, DELETE_ALL = 0, 3
"""Values of a marker's ``action``."""
CUBE, TEXT_VIEW_FACING = 1, 9
"""Values of a marker's ``type``."""
BOX, TEXT = "objects", "scores"
"""Namespaces of the shapes: a viewer can switch each off."""
LIFETIME_S: Final = 1
"""A viewer forgets what is not confirmed: a dead node must not look like a live one."""
COLOUR: Final = (0.94, 0.89, 0.26)
"""RGB, 0 to 1."""
OPACITY: Final = 0.6
TEXT_HEIGHT_M: Final = 0.7


def fill_markers(message: Any, answer: Surround, header: Any, new: New) -> None:
    """Fill a MarkerArray with the objects of an answer (in place).

    Args:
        message: A new one, of rclpy or rosbags.
        answer: With the objects.
        header: Of all markers; not copied.
        new: Makes messages of the same kind.
    """
    first = _marker(header, BOX, 0, new)
    first.action = DELETE_ALL
    pairs = (_pair(number, one, header, new) for number, one in enumerate(answer.objects))
    message.markers = [first, *(marker for pair in pairs for marker in pair)]


def _marker(header: Any, namespace: str, number: int, new: New) -> Any:
    """Return a marker without a shape."""
    marker = new(MARKER)
    marker.header, marker.ns, marker.id = header, namespace, number
    marker.pose.orientation.w = 1.0
    return marker


def _pair(number: int, one: SeenObject, header: Any, new: New) -> tuple[Any, Any]:
    """Return the box of an object, and its score above."""
    box = one.box()
    shape, text = (_marker(header, namespace, number, new) for namespace in (BOX, TEXT))
    for marker, kind, height in (
        (shape, CUBE, box.z_m),
        (text, TEXT_VIEW_FACING, box.height_m + TEXT_HEIGHT_M),
    ):
        marker.action, marker.type, marker.lifetime.sec = ADD, kind, LIFETIME_S
        place = marker.pose.position
        place.x, place.y, place.z = float(one.x_m), float(one.y_m), float(height)
        for channel, level in zip("rgba", (*COLOUR, OPACITY), strict=True):
            setattr(marker.color, channel, float(level))
    turn = shape.pose.orientation
    turn.z, turn.w = float(np.sin(one.yaw_rad / 2)), float(np.cos(one.yaw_rad / 2))
    size = shape.scale
    size.x, size.y, size.z = float(one.length_m), float(one.width_m), float(box.height_m)
    text.scale.z, text.color.a, text.text = TEXT_HEIGHT_M, 1.0, f"{one.score:.2f}"
    return shape, text
