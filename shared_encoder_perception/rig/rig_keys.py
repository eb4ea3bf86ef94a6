# SPDX-License-Identifier: Apache-2.0
"""The keys of a ``rig.yaml``, checked; ``docs/rig.md`` explains them."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml
from numpy.typing import NDArray

from shared_encoder_perception.files.data_paths import PathError, inside
from shared_encoder_perception.files.typed_json import from_json, shown, suggestion
from shared_encoder_perception.ground.extrinsics import Extrinsics
from shared_encoder_perception.images.picture_bytes import PictureError
from shared_encoder_perception.images.picture_file import read_values
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.rig.rig import MOST_CAMERAS, VEHICLE_FRAME
from shared_encoder_perception.rig.rig_entries import (
    RAW,
    CameraEntry,
    Intrinsics,
    RigFileError,
)

ANGLES: Final = ("roll_deg", "pitch_deg", "yaw_deg")
ROUNDED: Final = 2e-3
"""Largest deviation from a rotation of a matrix that somebody has typed or rounded."""


@dataclass(frozen=True)
class _RigKeys:
    """Keys of the file, beside ``cameras``."""

    frame_id: str = VEHICLE_FRAME


@dataclass(frozen=True)
class _CameraKeys:
    """Keys of a camera, beside ``intrinsics`` and ``pose``."""

    topic: str = ""
    info_topic: str = ""
    tf_frame: str = ""
    own_mask: str = ""
    crop: tuple[int, ...] = ()
    transport: str = RAW
    rectified: bool = False


@dataclass(frozen=True)
class _LensKeys:
    """Keys of ``intrinsics``."""

    width: int
    height: int
    k: tuple[float, ...] = ()
    fx: float = 0.0
    fy: float = 0.0
    cx: float = 0.0
    cy: float = 0.0
    model: str = ""
    d: tuple[float, ...] = ()


@dataclass(frozen=True)
class _PoseKeys:
    """Keys of ``pose``."""

    position_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    roll_deg: float = 0.0
    pitch_deg: float = 0.0
    yaw_deg: float = 0.0
    vehicle_from_optical: tuple[tuple[float, ...], ...] = ()


class Loader(yaml.SafeLoader):
    """YAML without its two traps: a key that stands twice, and 1e-3, which it takes for text."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        """Refuse a key that stands twice: the last one would silently win."""
        seen = set()
        for key_node, _ in node.value:
            key = str(key_node.value)
            if key in seen:
                mark = key_node.start_mark
                raise RigFileError(
                    f"line {mark.line + 1} has {key!r} for the second time: a camera, or a key of "
                    "it, may stand there only once"
                )
            seen.add(key)
        return dict(super().construct_mapping(node, deep))


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    # YAML 1.2's floats: an exponent needs neither a point nor a sign.
    re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+"),
    list("-+0123456789."),
)


def entries_of(raw: Any, folder: Path) -> tuple[tuple[CameraEntry, ...], str]:
    """Turn what YAML holds into the cameras of a rig, and its frame.

    Args:
        raw: As parsed.
        folder: Of the file, in which masks are.

    Raises:
        RigFileError, JsonError: It is no rig.
    """
    found = _keyed(_RigKeys, raw, "the file", ("cameras",))
    cameras = raw.get("cameras")
    if not isinstance(cameras, Mapping) or not cameras:
        raise RigFileError(
            f"cameras is {shown(cameras)}, expected a name for each camera and its keys below"
        )
    if len(cameras) > MOST_CAMERAS:
        raise RigFileError(f"it has {len(cameras)} cameras, expected at most {MOST_CAMERAS}")
    for name in cameras:
        if not (isinstance(name, str) and name.isprintable() and name and "/" not in name):
            raise RigFileError(
                f"a camera is named {shown(name)}, expected text without a slash: put it in quotes"
            )
    entries = (_entry(name, keys, folder) for name, keys in cameras.items())
    return tuple(entries), found.frame_id


def _entry(name: str, raw: Any, folder: Path) -> CameraEntry:
    """Turn what stands below a camera's name into its entry."""
    where = f"camera {name}"
    keys = _keyed(_CameraKeys, raw, where, ("intrinsics", "pose"))
    if keys.crop and len(keys.crop) != 4:
        raise RigFileError(f"{where}, crop is {list(keys.crop)}, expected [x, y, width, height]")
    try:
        lens = _intrinsics(raw["intrinsics"]) if "intrinsics" in raw else None
        pose = _pose(raw["pose"]) if "pose" in raw else None
        own = _mask(folder, keys.own_mask) if keys.own_mask else None
    except (ValueError, PathError) as error:
        raise RigFileError(f"{where}, {error}") from None
    return CameraEntry(
        name,
        keys.topic,
        keys.info_topic,
        lens,
        pose,
        keys.tf_frame,
        keys.own_mask,
        own,
        Crop(*keys.crop) if keys.crop else None,
        keys.transport,
        keys.rectified,
    )


def _keyed(kind: Any, raw: Any, where: str, others: Sequence[str] = ()) -> Any:
    """Check the keys of a mapping but for some others, which are judged on their own."""
    if not isinstance(raw, Mapping):
        raise RigFileError(f"{where} is {shown(raw)}, expected keys and values")
    known = [field.name for field in fields(kind)]
    if unknown := [key for key in raw if key not in (*known, *others)]:
        hint = suggestion(str(unknown[0]), (*known, *others))
        raise RigFileError(f"{where} has the unknown key {shown(unknown[0])}{hint}")
    optional = [field.name for field in fields(kind) if field.default is not MISSING]
    return from_json(kind, {k: v for k, v in raw.items() if k not in others}, where, optional)


def _intrinsics(raw: Any) -> Intrinsics:
    """Read how a camera sees."""
    keys = _keyed(_LensKeys, raw, "intrinsics")
    single = [name for name in ("fx", "fy", "cx", "cy") if name in raw]
    if bool(keys.k) == bool(single) or len(single) not in (0, 4):
        raise RigFileError("intrinsics needs either k or all of fx, fy, cx, cy")
    k = keys.k or (keys.fx, 0.0, keys.cx, 0.0, keys.fy, keys.cy, 0.0, 0.0, 1.0)
    return Intrinsics((keys.height, keys.width), k, keys.model, keys.d)


def _pose(raw: Any) -> Extrinsics:
    """Read where a camera sits."""
    keys = _keyed(_PoseKeys, raw, "pose")
    if keys.vehicle_from_optical:
        if len(raw) > 1:
            raise RigFileError("pose needs either vehicle_from_optical or position_m and angles")
        return _of_matrix(keys.vehicle_from_optical)
    if missing := [name for name in ("position_m", *ANGLES) if name not in raw]:
        raise RigFileError(
            f"pose lacks {missing[0]}: give position_m and {', '.join(ANGLES)}, or "
            "vehicle_from_optical"
        )
    return Extrinsics.from_angles(
        keys.position_m, *np.deg2rad((keys.roll_deg, keys.pitch_deg, keys.yaw_deg)).tolist()
    )


def _of_matrix(rows: Sequence[Sequence[float]]) -> Extrinsics:
    """Build the pose from a matrix that was typed or rounded: its rotation is the nearest one."""
    if [len(row) for row in rows] != [4] * 4 or list(rows[3]) != [0, 0, 0, 1]:
        raise RigFileError(
            "pose, vehicle_from_optical needs four rows of four numbers, the last 0 0 0 1"
        )
    matrix = np.array(rows, np.float64)
    turn = matrix[:3, :3]
    if np.abs(turn @ turn.T - np.eye(3)).max() > ROUNDED:
        raise RigFileError(
            "pose, vehicle_from_optical is no rotation in its first three columns: they must be of "
            "length 1 and square to each other"
        )
    if np.linalg.det(turn) < 0:
        raise RigFileError(
            "pose, vehicle_from_optical mirrors (its determinant is -1): one axis has the wrong "
            "sign, as where a left-handed frame was taken for ours (x ahead, y left, z up)"
        )
    left, _, right = np.linalg.svd(turn)
    return Extrinsics(left @ right, matrix[:3, 3])


def _mask(folder: Path, name: str) -> NDArray[np.bool_]:
    """Read where a picture shows the vehicle itself: white there, black elsewhere."""
    path = inside(folder, name, "own_mask")
    try:
        values = read_values(path)
    except PictureError as error:
        raise RigFileError(f"own_mask {name} {error}") from None
    if values.ndim == 3:
        if values.shape[2] != 3 or (values != values[..., :1]).any():
            raise RigFileError(f"own_mask {name} has colours, expected black and white")
        values = values[..., 0]
    if other := sorted(set(np.unique(values).tolist()) - {0, 1, 255}):
        raise RigFileError(
            f"own_mask {name} holds the value {other[0]}, expected only 0, and 255 where the "
            "vehicle itself is seen: save it as PNG, without smoothing"
        )
    return np.asarray(values > 0)
