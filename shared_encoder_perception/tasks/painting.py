# SPDX-License-Identifier: Apache-2.0
"""Clouds painted by what a task says of an image: for node and bags alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np

from shared_encoder_perception import tasks
from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.ground.rigid import Rigid
from shared_encoder_perception.tasks.cloud_msg import CloudMsgError, positions, with_fields

NOBODY: Final = 255
"""Class of a point of which nothing is known; its probability is 0."""
CLASS, PROBABILITY = "class", "probability"
"""Fields that are added: uint8 and float32."""

NO_IMAGE, NO_TRANSFORM = "no_image", "no_transform"
NO_CAMERA_INFO, BAD_CLOUD = "no_camera_info", "bad_cloud"
"""Why a cloud is not painted: no image near in time, frames that are not known to each other, a
camera that is not calibrated, a cloud that cannot be read."""


class UnpaintedError(ValueError):
    """A cloud that is not painted.

    Attributes:
        reason: The kind of reason, for counting.
    """

    def __init__(self, reason: str, text: str) -> None:
        """Keep the reason; the text is what to tell people."""
        super().__init__(text)
        self.reason = reason


def painter(names: Iterable[str], asked: str = "") -> tuple[str, Any]:
    """Return the task of a model that can paint points, and its ``paint.py``.

    Args:
        names: Tasks of the model.
        asked: Who wants to know, for the message: a parameter.

    Raises:
        ValueError: It has none.
    """
    names = tuple(names)
    for task, room in tasks.parts("paint", names).items():
        return task, room
    able = " or ".join(tasks.parts("paint"))
    who = f"{asked}, but " if asked else ""
    raise ValueError(f"{who}the model answers {', '.join(names)}, expected one that answers {able}")


def paint_options(room: Any, hidden_too: bool) -> Any:
    """Return a room's ``PaintOptions``; ``hidden_too`` paints what something nearer hides."""
    return room.PaintOptions(cell_px=0) if hidden_too else room.PaintOptions()


def paint_cloud(
    cloud: Any,
    to_camera: Rigid,
    camera: CameraModel,
    answer: Any,
    room: Any,
    options: Any,
    new: Callable[[str], Any],
) -> tuple[Any, Any]:
    """Return a cloud with two more fields, ``class`` and ``probability``, and what was painted.

    Args:
        cloud: A ``sensor_msgs/PointCloud2`` of rclpy or rosbags; it stays as it is.
        to_camera: From its frame to the camera's optical frame.
        camera: Of the image.
        answer: Of the task to that image.
        room: The task's ``paint.py``.
        options: Its ``PaintOptions``.
        new: Makes an empty message of the same middleware, by its type.

    Raises:
        UnpaintedError: The cloud has no x, y and z, or is damaged.
    """
    try:
        points = to_camera.apply(positions(cloud))
        painted = room.paint(points.T, camera, answer, options)
        values = {CLASS: painted.ids, PROBABILITY: painted.probability.astype(np.float32)}
        return with_fields(cloud, values, new), painted
    except CloudMsgError as error:
        raise UnpaintedError(BAD_CLOUD, str(error)) from error
