"""Reads a homography, image pixels to metres on the road, from a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size

FORMATS: Final = ".yaml, .yml, .json, .npy or .txt"
KEY, SIZE_KEY = "homography", "image_size"


def load_homography(path: str) -> tuple[NDArray[np.float64], Size | None]:
    """Read a 3x3 matrix that takes pixels ``(u, v, 1)`` to ``(x, y, 1)`` on the road, metres.

    A ``.json`` or ``.yaml`` file holds the matrix alone, or under the key ``homography``, then
    with the optional key ``image_size`` = [height, width]. A ``.npy`` file holds the array, a
    ``.txt`` file three rows of three numbers.

    Returns:
        The matrix, and the size of the images it is for where the file says so.

    Raises:
        ValueError: The file cannot be read, or holds no such matrix.
    """
    if not path:
        raise ValueError(
            "ground.calibration is empty: give the path of the homography file, or choose another "
            "ground.source"
        )
    try:
        content = _read(Path(path).expanduser())
    except ValueError as error:
        raise ValueError(f"homography {path}: {error}") from error
    except Exception as error:  # readers of the formats raise unrelated types
        raise ValueError(f"homography {path}: {type(error).__name__}: {error}") from error
    size = None
    if isinstance(content, dict):
        size = content.get(SIZE_KEY)
        if KEY not in content:
            raise ValueError(f"homography {path}: has the keys {sorted(content)}, expected {KEY}")
        content = content[KEY]
    return _checked(path, content), _size(path, size)


def _read(path: Path) -> Any:
    """Return what the file holds."""
    if path.suffix == ".npy":
        return np.load(path, allow_pickle=False)
    if path.suffix == ".txt":
        return np.loadtxt(path)
    if path.suffix == ".json":
        return json.loads(path.read_text())
    if path.suffix in (".yaml", ".yml"):
        import yaml  # comes with ROS, which is not everywhere

        return yaml.safe_load(path.read_text())
    raise ValueError(f"unknown kind of file, expected {FORMATS}")


def _checked(path: str, content: Any) -> NDArray[np.float64]:
    """Return the matrix if it is one that can be used."""
    try:
        matrix = np.asarray(content, np.float64)
    except (TypeError, ValueError):
        matrix = np.zeros(0)
    if matrix.shape not in ((3, 3), (9,)):
        raise ValueError(f"homography {path}: expected 3x3 numbers, got shape {matrix.shape}")
    matrix = matrix.reshape(3, 3)
    scale = np.abs(matrix).max()
    if not np.isfinite(scale) or np.linalg.matrix_rank(matrix) < 3:
        raise ValueError(
            f"homography {path}: {matrix.tolist()} has no inverse, expected a matrix that has one"
        )
    return matrix


def _size(path: str, size: Any) -> Size | None:
    """Return the image size that a file names."""
    if size is None:
        return None
    if isinstance(size, list) and len(size) == 2 and all(isinstance(n, int) for n in size):
        return size[0], size[1]
    raise ValueError(f"homography {path}: {SIZE_KEY} is {size!r}, expected [height, width]")
