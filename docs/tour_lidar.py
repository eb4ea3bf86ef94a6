# SPDX-License-Identifier: Apache-2.0
"""Sweep a lidar over rendered pictures, as KITTI has it: ``python docs/tour_lidar.py SET OUT``.

``SET`` is a native set with depth, as ``dataset render`` writes it. The lidar sits at the camera's
place, x ahead, y left, z up, and sees the points of every fourth row and second column. The set
does not tell the principal point: the picture's middle stands for it, here and in the calibration,
so that each point lies in the pixel that it was made of.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.labels import native
from shared_encoder_perception.tasks.depth.label import DEPTH

ROWS, COLUMNS = 4, 2
FARTHEST_M: Final = 80.0
REFLECTANCE: Final = 0.5
CALIBRATION: Final = """P2: {focal} 0 {x} 0 0 {focal} {y} 0 0 0 1 0
R0_rect: 1 0 0 0 1 0 0 0 1
Tr_velo_to_cam: 0 -1 0 0 0 0 -1 0 1 0 0 0
"""
"""The camera's x is to the right, its y down, its z ahead."""


def sweep(label: Any) -> NDArray[np.float32]:
    """Return (N, 4) float32 x, y, z in metres, reflectance, of a label of depth."""
    rows, columns = np.mgrid[0 : label.depth.shape[0] : ROWS, 0 : label.depth.shape[1] : COLUMNS]
    known = np.isfinite(label.depth[rows, columns]) & (label.depth[rows, columns] < FARTHEST_M)
    rows, columns = rows[known], columns[known]
    ahead, (y, x) = label.depth[rows, columns], middle(label)
    left, up = (x - columns) * ahead / label.focal_px, (y - rows) * ahead / label.focal_px
    return np.column_stack((ahead, left, up, np.full(len(ahead), REFLECTANCE))).astype("<f4")


def middle(label: Any) -> tuple[float, float]:
    """Return the row and the column in the middle of a picture."""
    height, width = label.depth.shape
    return (height - 1) / 2, (width - 1) / 2


def main() -> int:
    """Write the folder; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("set", type=Path, help="a native set with depth")
    parser.add_argument("out", type=Path, help="new folder for image_2, velodyne and calib")
    args = parser.parse_args()
    for name in ("image_2", "velodyne", "calib"):
        (args.out / name).mkdir(parents=True)
    count = total = 0
    for count, frame in enumerate(native.read(args.set), 1):
        label, name = frame.labels[DEPTH](), f"{count - 1:06d}"
        y, x = middle(label)
        text = CALIBRATION.format(focal=label.focal_px, x=x, y=y)
        (args.out / "calib" / f"{name}.txt").write_text(text, encoding="utf-8")
        cv2.imwrite(str(args.out / "image_2" / f"{name}.png"), frame.read_image())
        points = sweep(label)
        (args.out / "velodyne" / f"{name}.bin").write_bytes(points.tobytes())
        total += len(points)
    print(f"{count} sweeps, {total} points: {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
