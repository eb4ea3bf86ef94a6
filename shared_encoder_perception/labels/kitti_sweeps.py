# SPDX-License-Identifier: Apache-2.0
"""Frames of KITTI's object detection set: picture, sweep, calibration, labelled boxes.

``FOLDER/image_2/000000.png``, ``velodyne/000000.bin``, ``calib/000000.txt`` and, where there are
some, ``label_2/000000.txt``; ``FOLDER/training/...`` works, too (Geiger et al., CVPR 2012).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.ground.kitti import read_matrices
from shared_encoder_perception.images.listing import pictures_in
from shared_encoder_perception.images.picture_file import read_picture

POINT: Final = 16
"""Bytes of a point: x, y, z, reflectance, float32."""
MATRICES: Final = {"P2": (3, 4), "R0_rect": (3, 3), "Tr_velo_to_cam": (3, 4)}
UNSURE: Final = "DontCare"


@dataclass(frozen=True)
class Box:
    """A labelled thing.

    Attributes:
        kind: KITTI's word, such as ``"Car"``.
        size_m: ``(height, width, length)``.
        place_m: Middle of its bottom, in the frame of ``Sweep.camera_points``.
        yaw_rad: About the camera's y axis.
    """

    kind: str
    size_m: tuple[float, float, float]
    place_m: tuple[float, float, float]
    yaw_rad: float

    def holds(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Say which (N, 3) points lie in it."""
        height, width, length = self.size_m
        moved = points - np.array(self.place_m)
        cos, sin = np.cos(self.yaw_rad), np.sin(self.yaw_rad)
        along = cos * moved[:, 0] - sin * moved[:, 2]
        across = sin * moved[:, 0] + cos * moved[:, 2]
        inside = (np.abs(along) <= length / 2) & (np.abs(across) <= width / 2)
        return np.asarray(inside & (moved[:, 1] <= 0) & (moved[:, 1] >= -height))


@dataclass(frozen=True, eq=False)
class Sweep:
    """One frame.

    Attributes:
        name: Of its files.
        picture: Path of the picture.
        image: (H, W, 3) uint8 BGR.
        camera: Of that image.
        points: (N, 4) float32 x, y, z, reflectance, as the lidar has them.
        camera_points: (N, 3) float64 in the camera's optical frame.
        boxes: What people labelled, in that frame.
    """

    name: str
    picture: Path
    image: NDArray[np.uint8]
    camera: CameraModel
    points: NDArray[np.float32]
    camera_points: NDArray[np.float64]
    boxes: tuple[Box, ...]


def sweeps(folder: Path) -> Iterator[Sweep]:
    """Read frame by frame.

    Raises:
        ValueError: No frame, or one with a part missing or damaged; the message names the file.
    """
    root = folder / "training" if (folder / "training").is_dir() else folder
    pictures = pictures_in(root / "image_2") if (root / "image_2").is_dir() else []
    if not pictures:
        raise ValueError(f"{folder} has no pictures: expected image_2/000000.png and so on")
    for picture in pictures:
        yield _sweep(root, picture)


def _sweep(root: Path, picture: Path) -> Sweep:
    """Read one frame."""
    calibration = read_matrices(root / "calib" / f"{picture.stem}.txt", MATRICES)
    projection = calibration["P2"]
    image = read_picture(picture)
    camera = CameraModel(
        (image.shape[0], image.shape[1]),
        projection[:, :3],
        np.zeros(0),
        fisheye=False,
        rectification=np.eye(3),
        binning=(1, 1),
        origin_px=(0.0, 0.0),
    )
    # P2 = K [I | t]: where the colour camera is beside the one that the rest is calibrated to.
    beside = np.asarray(np.linalg.solve(projection[:, :3], projection[:, 3]), np.float64)
    points = _points(root / "velodyne" / f"{picture.stem}.bin")
    turn = calibration["Tr_velo_to_cam"]
    seen = points[:, :3].astype(np.float64) @ turn[:, :3].T + turn[:, 3]
    seen = seen @ calibration["R0_rect"].T + beside
    labels = root / "label_2" / f"{picture.stem}.txt"
    boxes = _boxes(labels, beside) if labels.is_file() else ()
    return Sweep(picture.stem, picture, image, camera, points, seen, boxes)


def _points(path: Path) -> NDArray[np.float32]:
    """Read a sweep."""
    if not path.is_file():
        raise ValueError(f"there is no {path}")
    data = path.read_bytes()
    if not data or len(data) % POINT:
        raise ValueError(f"{path} has {len(data)} bytes, expected {POINT} for each point")
    return np.frombuffer(data, "<f4").reshape(-1, 4)


def _boxes(path: Path, beside: NDArray[np.float64]) -> tuple[Box, ...]:
    """Read the labelled boxes of a frame."""
    boxes = []
    for line in path.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if not words or words[0] == UNSURE:
            continue
        try:
            numbers = [float(word) for word in words[8:15]]
            height, width, length, x, y, z, yaw = numbers
        except ValueError:
            raise ValueError(f"{path}: {line[:60]!r} is no label of KITTI") from None
        place = np.array((x, y, z)) + beside
        boxes.append(
            Box(
                words[0],
                (height, width, length),
                (float(place[0]), float(place[1]), float(place[2])),
                yaw,
            )
        )
    return tuple(boxes)
