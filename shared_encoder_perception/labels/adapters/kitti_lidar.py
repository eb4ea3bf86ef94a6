# SPDX-License-Identifier: Apache-2.0
"""KITTI's object detection set as depth: how far the pixels are that show a point of the lidar."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.labels.frame import LabelledFrame
from shared_encoder_perception.labels.kitti_sweeps import Sweep, sweeps
from shared_encoder_perception.labels.said import Said
from shared_encoder_perception.tasks.label_files import LabelError

Metres = NDArray[np.float32]
HEIGHT_M: Final = 1.65
"""Of the cameras above the road (Geiger et al., IJRR 2013, figure 3)."""


def read(path: Path) -> Iterator[LabelledFrame]:
    """Read KITTI's object detection set: where the lidar's points are seen, how far they are.

    Raises:
        LabelError: No frame, or one with a part missing or damaged.
    """
    try:
        for sweep in sweeps(path):
            yield _swept(path, sweep)
    except ValueError as error:
        raise LabelError(path, None, str(error)) from None


def _swept(root: Path, sweep: Sweep) -> LabelledFrame:
    """Describe one frame."""
    size = sweep.camera.image_size
    depth: Callable[[], Metres] = partial(sparse_depth, sweep.camera_points, sweep.camera)
    focal_px = float(sweep.camera.matrix[1, 1])
    return Said(size, depth=depth, focal_px=focal_px, camera_height_m=HEIGHT_M).frame(
        name=sweep.picture.relative_to(root).as_posix(),
        image_path=sweep.picture,
        source="kitti_lidar",
        licence="CC BY-NC-SA 3.0",
        where=str(sweep.picture),
    )


def sparse_depth(points: NDArray[np.float64], camera: CameraModel) -> Metres:
    """Return how far the pixels are that show a point: the nearest of a pixel's.

    Args:
        points: (N, 3) in the camera's optical frame.
        camera: It.

    Returns:
        (H, W) float32 metres along the optical axis, NaN where no point is seen.
    """
    found, places = camera.find(points)
    columns, rows = np.round(places).astype(int)
    height, width = camera.image_size
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    ahead = points[found, 2][inside]
    order = np.argsort(-ahead, kind="stable")
    depth = np.full(camera.image_size, np.nan, np.float32)
    depth[rows[inside][order], columns[inside][order]] = ahead[order]
    return depth
