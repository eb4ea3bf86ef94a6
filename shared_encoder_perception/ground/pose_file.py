# SPDX-License-Identifier: Apache-2.0
"""Reads a pose, of a lidar in the frame of its camera, from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from shared_encoder_perception.files.plain_file import plain
from shared_encoder_perception.files.typed_json import parse_json
from shared_encoder_perception.ground.rigid import Rigid

KEYS: Final = {"translation": "xyz", "rotation": "xyzw"}
LENGTH_OFF: Final = 0.01
"""How far a quaternion's length may be from 1: more is a slip, not what was rounded."""


def load_pose(path: Path) -> Rigid:
    """Read what takes points of the lidar's frame to the camera's optical frame.

    A ``.yaml``, ``.yml`` or ``.json`` file holds ``translation``, metres, and ``rotation``, a
    quaternion of length 1, as ``tf2_echo CAMERA LIDAR`` prints them: where the lidar's origin is in
    the camera's frame, and how the lidar's axes lie there. Either is a list, ``[x, y, z]`` and
    ``[x, y, z, w]``, or has its numbers by these names, as a ``geometry_msgs/Transform`` has.

    Raises:
        ValueError: The file cannot be read, or holds no pose.
    """
    try:
        content = _read(plain(path.expanduser()))
        if not isinstance(content, dict) or set(content) != set(KEYS):
            found = sorted(map(str, content)) if isinstance(content, dict) else type(content)
            raise ValueError(f"has {found}, expected the keys {' and '.join(KEYS)}")
        shift, turn = (_numbers(name, content[name], axes) for name, axes in KEYS.items())
        length = float(np.linalg.norm(turn))
        if not abs(length - 1) <= LENGTH_OFF:
            raise ValueError(f"rotation {turn} has the length {length:.3g}, expected 1: x, y, z, w")
        return Rigid.from_quaternion(shift, turn)
    except ValueError as error:
        raise ValueError(f"pose {path}: {error}") from error
    except OSError:
        raise
    except Exception as error:  # readers of the formats raise unrelated types
        raise ValueError(f"pose {path}: {type(error).__name__}: {error}") from error


def _read(path: Path) -> Any:
    """Return what the file holds."""
    if path.suffix == ".json":
        return parse_json(path.read_bytes(), "it")
    if path.suffix in (".yaml", ".yml"):
        import yaml  # comes with ROS, which is not everywhere

        return yaml.safe_load(path.read_text("utf-8-sig"))
    raise ValueError("unknown kind of file, expected .yaml, .yml or .json")


def _numbers(name: str, value: Any, axes: str) -> list[float]:
    """Return the numbers of a list, or of a mapping by axes."""
    if isinstance(value, dict) and set(value) == set(axes):
        value = [value[axis] for axis in axes]
    fits = isinstance(value, list) and len(value) == len(axes)
    if not fits or not all(type(one) in (int, float) and np.isfinite(one) for one in value):
        raise ValueError(f"{name} is {value!r}, expected {len(axes)} numbers: {', '.join(axes)}")
    return [float(one) for one in value]
