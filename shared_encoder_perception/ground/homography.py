# SPDX-License-Identifier: Apache-2.0
"""Reads a homography, image pixels to metres on the road, from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.files.plain_file import plain
from shared_encoder_perception.files.typed_json import parse_json
from shared_encoder_perception.structures import Size

FORMATS: Final = ".yaml, .yml, .json, .npy or .txt"
KEY, SIZE_KEY = "homography", "image_size"
WIDTH_KEY, HEIGHT_KEY = "image_width", "image_height"
"""As ROS's calibration files have the size."""
MATRIX_KEYS: Final = {"rows", "cols", "data"}
"""As ROS's and OpenCV's files have a matrix."""
OPENCV_HEAD: Final = "%YAML:"
"""How OpenCV begins its files; YAML itself wants a blank there."""
OPENCV_MATRIX: Final = "tag:yaml.org,2002:opencv-matrix"


def load_homography(path: str) -> tuple[NDArray[np.float64], Size | None]:
    """Read a 3x3 matrix that takes pixels ``(u, v, 1)`` to ``(x, y, 1)`` on the road, metres.

    A ``.json`` or ``.yaml`` file holds the matrix alone, or under the key ``homography``, then
    with the optional key ``image_size`` = [height, width]. The matrix may also be written as OpenCV
    and ROS do, with ``rows``, ``cols`` and ``data``, and the size as ``image_width`` and
    ``image_height``. A ``.npy`` file holds the array, a ``.txt`` file three rows of three numbers.

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
        content = _read(plain(Path(path).expanduser()))
    except ValueError as error:
        raise ValueError(f"homography {path}: {error}") from error
    except Exception as error:  # readers of the formats raise unrelated types
        raise ValueError(f"homography {path}: {type(error).__name__}: {error}") from error
    size = None
    if isinstance(content, dict) and not content.keys() >= MATRIX_KEYS:
        size = content.get(SIZE_KEY)
        if size is None and {WIDTH_KEY, HEIGHT_KEY} <= content.keys():
            size = [content[HEIGHT_KEY], content[WIDTH_KEY]]
        if KEY not in content:
            keys = sorted(map(str, content))
            raise ValueError(f"homography {path}: has the keys {keys}, expected {KEY}")
        content = content[KEY]
    if isinstance(content, dict):
        content = _of_rows(path, content)
    return _checked(path, content), _size(path, size)


def _read(path: Path) -> Any:
    """Return what the file holds."""
    if path.suffix == ".npy":
        return np.load(path, mmap_mode="r", allow_pickle=False)
    if path.suffix == ".txt":
        return np.loadtxt(path)
    if path.suffix == ".json":
        return parse_json(path.read_bytes(), "it")
    if path.suffix in (".yaml", ".yml"):
        import yaml  # comes with ROS, which is not everywhere

        class Loader(yaml.SafeLoader):
            """Reads OpenCV's matrices as mappings."""

        Loader.add_constructor(OPENCV_MATRIX, yaml.SafeLoader.construct_yaml_map)
        lines = path.read_text("utf-8-sig").splitlines()
        if lines and lines[0].startswith(OPENCV_HEAD):
            lines[0] = ""
        return yaml.load("\n".join(lines), Loader)
    raise ValueError(f"unknown kind of file, expected {FORMATS}")


def _of_rows(path: str, content: dict[Any, Any]) -> Any:
    """Return the numbers of a matrix that is written with its rows, columns and data."""
    if not content.keys() >= MATRIX_KEYS:
        keys = sorted(map(str, content))
        raise ValueError(
            f"homography {path}: the matrix has the keys {keys}, expected {sorted(MATRIX_KEYS)}"
        )
    shape = content["rows"], content["cols"]
    if shape != (3, 3):
        raise ValueError(f"homography {path}: rows and cols are {shape}, expected (3, 3)")
    return content["data"]


def _checked(path: str, content: Any) -> NDArray[np.float64]:
    """Return the matrix if it is one that can be used."""
    try:
        matrix = np.asarray(content, np.float64)
    except (TypeError, ValueError, OverflowError):
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
