# SPDX-License-Identifier: Apache-2.0
"""A camera over a flat road with known lines, projected by OpenCV alone, for tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np

from shared_encoder_perception.ground.calibrated import CalibratedCamera
from shared_encoder_perception.ground.camera_info import FISHEYE, camera_model
from shared_encoder_perception.ground.options import GroundOptions, ground_options
from shared_encoder_perception.ground.view import CameraView
from shared_encoder_perception.node.parameter_groups.ground import PARAMETERS
from shared_encoder_perception.tasks.lanes.answer import LaneId, LaneLine, Lanes, LaneStatus
from shared_encoder_perception.tasks.lanes.ground.options import RoadOptions
from shared_encoder_perception.tasks.lanes.ground.projector import Projector

SIZE = (720, 1280)
FOCAL = 1000.0
DEFAULTS = {parameter.name: parameter.default for parameter in PARAMETERS}
EXACT = {
    "roll_std_deg": 0.0,
    "pitch_std_deg": 0.0,
    "yaw_std_deg": 0.0,
    "height_std_m": 0.0,
}
"""Options of a calibration without error."""
LENSES: dict[str, tuple[str, tuple[float, ...]]] = {
    "none": ("", ()),
    "plumb_bob": ("plumb_bob", (-0.3, 0.12, 0.001, -0.0008, -0.02)),
    "rational": ("rational_polynomial", (1.9, 0.9, 0.0005, 0.0002, 0.05, 2.2, 1.4, 0.2)),
    "equidistant": ("equidistant", (0.02, -0.01, 0.003, -0.001)),
}
LANES = {LaneId.EGO: 0.1, LaneId.LEFT_EGO: 3.6, LaneId.RIGHT_EGO: -3.4}
"""Lateral offset of three parallel lanes."""


def camera_info(lens: str = "none", size: tuple[int, int] = SIZE, **changes: Any) -> Any:
    """Return what a CameraInfo holds, of no message class."""
    model, distortion = LENSES[lens]
    height, width = size
    centre_x, centre_y = width / 2 - 3.0, height / 2 + 5.0
    info = SimpleNamespace(
        width=width,
        height=height,
        distortion_model=model,
        d=list(distortion),
        k=[FOCAL, 0.0, centre_x, 0.0, FOCAL * 1.01, centre_y, 0.0, 0.0, 1.0],
        r=np.eye(3).ravel(),
        p=[FOCAL * 0.9, 0, centre_x + 8, 0, 0, FOCAL * 0.9, centre_y - 4, 0, 0, 0, 1, 0],
        binning_x=0,
        binning_y=0,
        roi=SimpleNamespace(x_offset=0, y_offset=0, width=0, height=0, do_rectify=False),
    )
    for name, value in changes.items():
        setattr(info, name, value)
    return info


def roi(x: int, y: int, width: int, height: int, do_rectify: bool = False) -> Any:
    """Return a region of interest."""
    return SimpleNamespace(
        x_offset=x, y_offset=y, width=width, height=height, do_rectify=do_rectify
    )


def options(**changes: Any) -> GroundOptions:
    """Return the default options of a camera on a car, with changes."""
    mounted = {"source": "parameters", "height_m": 1.6, "pitch_deg": 3.0, "offset_x_m": 1.8}
    return replace(ground_options(DEFAULTS.__getitem__), **{**mounted, **changes})


def projector(info: Any = None, size: tuple[int, int] = SIZE, **changes: Any) -> Projector:
    """Return the projector of a camera, by parameters: the node's and the lanes' own."""
    own = {field.name for field in fields(RoadOptions)}
    road = RoadOptions(**{name: value for name, value in changes.items() if name in own})
    chosen = options(**{name: value for name, value in changes.items() if name not in own})
    model = camera_model(info or camera_info(), size, chosen.rectified)
    return Projector(CalibratedCamera(CameraView(model, chosen.extrinsics), chosen), road)


def opencv_pixels(points_m: np.ndarray, info: Any, where: GroundOptions) -> np.ndarray:
    """Project (N, 3) points to (N, 2) full-resolution raw pixels, without any code of ours."""
    roll, pitch, yaw = np.radians((where.roll_deg, where.pitch_deg, where.yaw_deg))
    turn = np.eye(3)
    for axis, angle in ((2, yaw), (1, pitch), (0, roll)):
        vector = np.zeros(3)
        vector[axis] = angle
        turn = turn @ cv2.Rodrigues(vector)[0]
    body = (points_m - where.position) @ turn
    optical = np.stack((-body[:, 1], -body[:, 2], body[:, 0]), axis=-1)[:, None]
    matrix, distortion = np.reshape(info.k, (3, 3)), np.array(info.d, np.float64)
    project = cv2.fisheye.projectPoints if info.distortion_model in FISHEYE else cv2.projectPoints
    pixels, _ = project(optical, np.zeros(3), np.zeros(3), matrix, distortion)
    return pixels[:, 0]


def road_points(curve: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    """Return (N, 3) points of a line on the road."""
    return np.stack((x, curve(x), np.zeros_like(x)), axis=-1)


def even_rows(where: GroundOptions, near: float, far: float, count: int) -> np.ndarray:
    """Return distances whose rows in the image are evenly spaced, as decode spaces its points."""
    ahead = where.offset_x_m
    return ahead + 1.0 / np.linspace(1.0 / (near - ahead), 1.0 / (far - ahead), count)


def line(lane: LaneId, pixels: np.ndarray, std: Any = np.nan) -> LaneLine:
    """Return a detected line through pixels, near to far."""
    stds = np.broadcast_to(np.asarray(std, np.float32), len(pixels))
    return LaneLine(lane, LaneStatus.DETECTED, 0.9, pixels, stds)


def lanes_of(lines: Mapping[LaneId, LaneLine]) -> Lanes:
    """Return lanes of which these lines are seen."""
    return Lanes(tuple(lines.get(lane, LaneLine(lane)) for lane in LaneId))
