# SPDX-License-Identifier: Apache-2.0
"""KITTI's calibration files: matrices by name, a line each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

ROAD: Final = {"P2": (3, 4), "R0_rect": (3, 3), "Tr_cam_to_road": (3, 4)}
"""What tells where the road lies in a picture of the road benchmark."""


def read_matrices(
    path: Path, shapes: Mapping[str, tuple[int, int]]
) -> dict[str, NDArray[np.float64]]:
    """Read some matrices of a frame.

    Args:
        path: The file.
        shapes: Name -> (rows, columns).

    Raises:
        ValueError: There is no such file, or one of the matrices is missing or no such one; the
            message names the file.
    """
    found = {}
    for name, values in _named_lines(path):
        if name in shapes:
            rows, columns = shapes[name]
            if len(values) != rows * columns:
                raise ValueError(
                    f"{path}: {name} has {len(values)} numbers, expected {rows * columns}"
                )
            found[name] = np.array(values).reshape(rows, columns)
    if missing := [name for name in shapes if name not in found]:
        raise ValueError(f"{path} lacks {', '.join(missing)}: expected KITTI's calibration")
    return found


def road_homography(matrices: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return (3, 3) from pixels to ``(x ahead, y left)`` metres on the road.

    A pixel is ``P2 R0_rect inverse(Tr_cam_to_road) (X, Y, Z)``; the road is ``Y = 0``, X right, Z
    ahead, and begins below the camera (the benchmark's description of its calibration).

    Args:
        matrices: Those of ``ROAD``.

    Raises:
        ValueError: They put no road into the picture.
    """
    turn, shift = matrices["Tr_cam_to_road"][:, :3], matrices["Tr_cam_to_road"][:, 3]
    # (x, y) on our road is X = -y, Z = x of KITTI's.
    on_road = np.array([[0.0, -1, 0], [0, 0, 0], [1, 0, 0]]) - np.outer(shift, (0.0, 0, 1))
    try:
        rectified = matrices["R0_rect"] @ np.linalg.solve(turn, on_road)
        pixels = matrices["P2"][:, :3] @ rectified
        pixels[:, 2] += matrices["P2"][:, 3]
        return np.asarray(np.linalg.inv(pixels))
    except np.linalg.LinAlgError:
        raise ValueError("its matrices put no road into the picture") from None


def _named_lines(path: Path) -> Iterator[tuple[str, list[float]]]:
    """Read ``NAME: numbers``."""
    if not path.is_file():
        raise ValueError(f"there is no {path}")
    for line in path.read_text(encoding="utf-8").splitlines():
        name, colon, numbers = line.partition(":")
        try:
            if colon:
                yield name.strip(), [float(word) for word in numbers.split()]
        except ValueError:
            raise ValueError(f"{path}: {name} has words, expected numbers") from None
