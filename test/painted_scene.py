# SPDX-License-Identifier: Apache-2.0
"""A scene of which every answer is known, seen by a camera and by a lidar; and as messages.

The picture *is* its classes: blue is the id, green the confidence, as ``tiny_model`` reads them.
"""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
from specs import spec_of
from tiny_model import write_tiny_model

from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.images.image_msg import fill_image
from shared_encoder_perception.tasks.semantic.answer import SemanticMask
from shared_encoder_perception.tasks.semantic.classes import UNLABELLED
from shared_encoder_perception.tasks.semantic.tables import WORLD

SIZE = (256, 640)
LENSES = {
    "none": ((), False),
    "radial": ((-0.3, 0.1, 0.001, -0.002, 0.0), False),
    "fisheye": ((0.02, -0.01, 0.0, 0.0), True),
}
CUBE, WALL, GROUND = 9, 5, 0


def camera(lens="none", focal=300.0):
    coefficients, fisheye = LENSES[lens]
    matrix = np.array([[focal, 0, 319.5], [0, focal, 127.5], [0, 0, 1.0]])
    return CameraModel(SIZE, matrix, np.array(coefficients), fisheye, np.eye(3), (1, 1), (0.0, 0.0))


def turned(yaw):
    """From the camera's frame into the scene's, turned about the vertical axis."""
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def cast(rays):
    """Follow (N, 3) rays from the scene's origin: what they hit, and where.

    A cube stands on the ground before a wall; x right, y down, z ahead.
    """
    distance = np.full(len(rays), np.inf)
    kind = np.full(len(rays), UNLABELLED, np.uint8)

    def hit(at, which, where):
        nearer = where & (at > 0) & (at < distance)
        distance[nearer], kind[nearer] = at[nearer], which

    with np.errstate(divide="ignore", invalid="ignore"):
        hit(1.5 / rays[:, 1], GROUND, rays[:, 1] > 0)
        hit(30.0 / rays[:, 2], WALL, rays[:, 2] > 0)
        for axis, value in ((2, 8.0), (0, -1.0), (0, 1.0), (1, -0.5)):
            at = value / rays[:, axis]
            point = rays * at[:, None]
            inside = (np.abs(point[:, 0]) <= 1 + 1e-9) & (point[:, 1] >= -0.5 - 1e-9)
            inside &= (point[:, 1] <= 1.5) & (point[:, 2] >= 8 - 1e-9) & (point[:, 2] <= 10)
            hit(at, CUBE, inside)
    return kind, rays * distance[:, None]


def picture(model, yaw):
    """What a perfect network says of the scene."""
    rows, columns = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
    pixels = np.stack((columns.ravel(), rows.ravel()), axis=1)
    rays = model.rays(pixels)
    kind, _ = cast(np.nan_to_num(rays, nan=0.0) @ turned(yaw).T)
    kind[np.isnan(rays).any(axis=1)] = UNLABELLED
    ids = kind.reshape(SIZE)
    confidence = np.where(ids == UNLABELLED, 0, 200).astype(np.uint8)
    return SemanticMask(ids, confidence, WORLD)


def sweep():
    """A lidar's points at the camera's place, all around."""
    azimuth, elevation = np.meshgrid(
        np.radians(np.arange(-180, 180, 0.4)), np.radians(np.arange(-24, 10, 0.8))
    )
    rays = np.stack(
        (
            np.cos(elevation) * np.sin(azimuth),
            -np.sin(elevation),
            np.cos(elevation) * np.cos(azimuth),
        ),
        axis=-1,
    ).reshape(-1, 3)
    kind, points = cast(rays)
    return kind[kind != UNLABELLED], points[kind != UNLABELLED]


def near_edges(ids, places):
    """Points whose pixel touches another class: there half a pixel decides."""
    row, column = np.rint(places[:, 1]).astype(int), np.rint(places[:, 0]).astype(int)
    here = ids[row, column]
    other = np.zeros(len(row), bool)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            y, x = np.clip(row + dy, 0, SIZE[0] - 1), np.clip(column + dx, 0, SIZE[1] - 1)
            other |= ids[y, x] != here
    return other


MODELS = {"none": "plumb_bob", "radial": "plumb_bob", "fisheye": "equidistant"}
LIDAR, CAMERA = "lidar", "camera_optical"


def as_image(answer):
    """(H, W, 3) uint8 BGR of an answer, as the camera would send it."""
    return np.stack((answer.ids, answer.confidence, np.zeros_like(answer.ids)), axis=2)


def pose(yaw):
    """Translation and quaternion (x, y, z, w) of the lidar in the frame of the turned camera."""
    return (0.0, 0.0, 0.0), (0.0, float(np.sin(-yaw / 2)), 0.0, float(np.cos(yaw / 2)))


def stamped(message: Any, stamp_ns: int, frame: str) -> Any:
    """Set a message's header (in place)."""
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
    message.header.frame_id = frame
    return message


def image_of(answer, stamp_ns, new):
    """The Image of an answer; ``new`` makes messages of rclpy or rosbags."""
    message = stamped(new("sensor_msgs/msg/Image"), stamp_ns, CAMERA)
    fill_image(message, as_image(answer), "bgr8")
    return message


def info_of(lens, stamp_ns, new):
    """The CameraInfo of the camera."""
    model, message = camera(lens), stamped(new("sensor_msgs/msg/CameraInfo"), stamp_ns, CAMERA)
    message.height, message.width = SIZE
    message.distortion_model = MODELS[lens]
    message.d = np.array(model.distortion) if _of_rosbags(message) else model.distortion.tolist()
    message.k = model.matrix.ravel()
    message.r = np.eye(3).ravel()
    message.p = np.column_stack((model.matrix, np.zeros(3))).ravel()
    return message


def cloud_of(points, stamp_ns, new, frame=LIDAR):
    """A PointCloud2 of (N, 3) points, with an intensity that numbers them."""
    message = stamped(new("sensor_msgs/msg/PointCloud2"), stamp_ns, frame)
    table = np.zeros((len(points), 4), "<f4")
    table[:, :3], table[:, 3] = points, np.arange(len(points))
    fields = []
    for index, name in enumerate(("x", "y", "z", "intensity")):
        field = new("sensor_msgs/msg/PointField")
        field.name, field.offset, field.datatype, field.count = name, 4 * index, 7, 1
        fields.append(field)
    message.fields, message.height, message.width = fields, 1, len(points)
    message.point_step, message.row_step = 16, 16 * len(points)
    flat = np.frombuffer(table.tobytes(), np.uint8)
    message.data = flat if _of_rosbags(message) else array("B", flat.tobytes())
    return message


def transform_of(yaw, new):
    """The TransformStamped of the lidar in the frame of the turned camera."""
    message = stamped(new("geometry_msgs/msg/TransformStamped"), 0, CAMERA)
    message.child_frame_id = LIDAR
    shift, turn = pose(yaw)
    for name, value in zip("xyz", shift, strict=True):
        setattr(message.transform.translation, name, value)
    for name, value in zip("xyzw", turn, strict=True):
        setattr(message.transform.rotation, name, value)
    return message


def _of_rosbags(message):
    """Whether a message is one of rosbags."""
    return hasattr(message, "__msgtype__")


def certain(ids, lens, yaw, answer, points):
    """Indices of painted points whose pixel touches no other class."""
    known = np.flatnonzero(ids != UNLABELLED)
    assert len(known) > 500
    found = known[~near_edges(answer.ids, camera(lens).see(points[known] @ turned(yaw)))]
    assert len(found) > 0.8 * len(known)
    return found


def write_scene_model(path):
    """Write a model that says of each pixel the class that its blue is; return its path."""
    spec = spec_of("blue", "1", tasks=("semantic",), input_size=SIZE)
    return write_tiny_model(path, spec, blue_is_class=True)
