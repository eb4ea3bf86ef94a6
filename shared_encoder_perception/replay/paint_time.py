# SPDX-License-Identifier: Apache-2.0
"""How long painting takes on this machine: from a cloud's message to the painted one."""

from __future__ import annotations

from array import array
from time import perf_counter, thread_time
from types import SimpleNamespace
from typing import Any, Final

import numpy as np

from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.ground.rigid import Rigid
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.tasks.cloud_msg import AXES
from shared_encoder_perception.tasks.painting import NOBODY, paint_cloud

SIZE: Final = (1080, 1920)
FOCAL_PX: Final = 1000.0
LENSES: Final = {
    "no distortion": ((), False),
    "radial and tangential": ((-0.3, 0.1, 0.001, -0.002, 0.0), False),
    "fisheye": ((0.02, -0.01, 0.0, 0.0), True),
}
SWEEP_DEG: Final = (-24.0, 4.0)
"""Lowest and highest beam."""
FLOAT32: Final = 7
"""As PointField calls it."""
TURNS: Final = 50
WARM_UP: Final = 3


def time_painting(
    predictor: Predictor, task: str, room: Any, options: Any, count: int
) -> list[str]:
    """Return lines of a table: milliseconds for a cloud all around, a camera that looks ahead.

    Other load on the machine shows in the times, and hardly in those of the CPU.

    Args:
        predictor: Answers ``task``.
        task: Whose answer paints.
        room: Its ``paint.py``.
        options: Its ``PaintOptions``.
        count: Points of the cloud.

    Raises:
        ValueError: There are none.
    """
    if count < 1:
        raise ValueError(f"--time is {count}, expected a number of points from 1")
    rng = np.random.default_rng(0)
    answer = predictor(np.zeros((*SIZE, 3), np.uint8)).answers[task]
    cloud = _cloud(rng, count)
    # The lidar's x ahead, y left, z up; the camera 20 cm below and ahead of it.
    to_camera = Rigid.from_quaternion((0.0, -0.2, -0.2), (0.5, -0.5, 0.5, 0.5))
    heads = ("median ms", "p95 ms", "CPU ms", "points seen")
    lines = [f"{'lens':<24}" + "".join(f"{head:>13}" for head in heads)]
    for name, (coefficients, fisheye) in LENSES.items():
        camera = _camera(coefficients, fisheye)
        times, ids = [], np.zeros(0, np.uint8)  # of the clock, and of the CPU
        for _ in range(WARM_UP + TURNS):
            start_s = np.array((perf_counter(), thread_time()))
            _, painted = paint_cloud(cloud, to_camera, camera, answer, room, options, _new)
            times.append((np.array((perf_counter(), thread_time())) - start_s) * 1e3)
            ids = painted.ids
        (median, cpu), (high, _) = np.percentile(times[WARM_UP:], (50, 95), axis=0)
        seen = float((ids != NOBODY).mean())
        lines.append(f"{name:<24}{median:>13.1f}{high:>13.1f}{cpu:>13.1f}{seen:>13.0%}")
    return lines


def _camera(coefficients: tuple[float, ...], fisheye: bool) -> CameraModel:
    """Return a camera of 88 degrees across."""
    height, width = SIZE
    centre = ((width - 1) / 2, (height - 1) / 2)
    matrix = np.array([[FOCAL_PX, 0, centre[0]], [0, FOCAL_PX, centre[1]], [0, 0, 1]])
    distortion = np.array(coefficients, np.float64)
    return CameraModel(SIZE, matrix, distortion, fisheye, np.eye(3), (1, 1), (0.0, 0.0))


def _cloud(rng: np.random.Generator, count: int) -> Any:
    """Return a PointCloud2 of points 3 to 100 m away in all directions, as a lidar sends it."""
    azimuth = rng.uniform(-np.pi, np.pi, count)
    elevation = np.radians(rng.uniform(*SWEEP_DEG, count))
    distance = np.exp(rng.uniform(np.log(3.0), np.log(100.0), count))
    flat = np.cos(elevation)
    table = np.zeros((count, 4), "<f4")
    table[:, 0], table[:, 1] = flat * np.cos(azimuth) * distance, flat * np.sin(azimuth) * distance
    table[:, 2] = np.sin(elevation) * distance
    names = (*AXES, "intensity")
    fields = [
        SimpleNamespace(name=name, offset=4 * index, datatype=FLOAT32, count=1)
        for index, name in enumerate(names)
    ]
    return SimpleNamespace(
        header=None,
        height=1,
        width=count,
        fields=fields,
        is_bigendian=False,
        point_step=16,
        row_step=16 * count,
        data=array("B", table.tobytes()),
        is_dense=True,
    )


def _new(kind: str) -> Any:
    """Return a message of no middleware, whose bytes are as rclpy has them."""
    return SimpleNamespace(data=array("B"))
