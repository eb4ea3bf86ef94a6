# SPDX-License-Identifier: Apache-2.0
"""``rig.yaml``: the cameras of a vehicle, as people write them down. ``docs/rig.md`` shows one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from shared_encoder_perception.drawing.pictures import as_png
from shared_encoder_perception.files.data_paths import write_new
from shared_encoder_perception.files.plain_file import plain
from shared_encoder_perception.files.typed_json import JsonError
from shared_encoder_perception.files.whole_file import write_text
from shared_encoder_perception.ground.extrinsics import Extrinsics
from shared_encoder_perception.rig.rig import VEHICLE_FRAME, Rig
from shared_encoder_perception.rig.rig_entries import (
    RAW,
    CameraEntry,
    RigFileError,
    angles_deg,
    entry_of,
)
from shared_encoder_perception.rig.rig_keys import ANGLES, Loader, entries_of
from shared_encoder_perception.structures import Size

EXACT: Final = 1e-6
"""Deviation of a rotation up to which its angles are as good: what float32 has lost, and a
thousandth of a pixel."""


@dataclass(frozen=True, eq=False)
class RigFile:
    """A rig as a file describes it; topics may have to say the rest.

    Attributes:
        entries: Its cameras, in order: that of a batch of their pictures.
        frame_id: Of the vehicle, in which the poses are.
    """

    entries: tuple[CameraEntry, ...]
    frame_id: str = VEHICLE_FRAME

    @classmethod
    def of(cls, rig: Rig) -> RigFile:
        """Return the file that describes a rig completely."""
        return cls(tuple(entry_of(camera) for camera in rig.cameras), rig.frame_id)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the cameras, in order."""
        return tuple(entry.name for entry in self.entries)

    def rig(
        self,
        infos: Mapping[str, Any] | None = None,
        transforms: Mapping[str, Any] | None = None,
        sizes: Mapping[str, Size] | None = None,
    ) -> Rig:
        """Build the rig.

        Args:
            infos: ``sensor_msgs/CameraInfo`` by camera, of those with an ``info_topic``.
            transforms: ``geometry_msgs/Transform`` by camera, of those with a ``tf_frame``.
            sizes: ``(height, width)`` of images by camera, as far as known.

        Raises:
            RigFileError: Something is missing or of no use; the message names the camera.
        """
        infos, transforms, sizes = infos or {}, transforms or {}, sizes or {}
        cameras = (
            entry.camera(infos.get(entry.name), transforms.get(entry.name), sizes.get(entry.name))
            for entry in self.entries
        )
        return Rig(tuple(cameras), self.frame_id)


def read_rig(path: Path) -> RigFile:
    """Read a ``rig.yaml`` and the masks that it names.

    Raises:
        RigFileError: It is none; the message names file, camera and key.
        OSError: It cannot be read.
    """
    try:
        text = plain(path.expanduser()).read_text("utf-8-sig")
        raw = yaml.load(text, Loader=Loader)
        return RigFile(*entries_of(raw, path.expanduser().parent))
    except yaml.YAMLError as error:
        raise RigFileError(f"{path} is no valid YAML: {' '.join(str(error).split())}") from None
    except UnicodeDecodeError as error:
        raise RigFileError(f"{path} is no UTF-8 text: {error.reason}") from None
    except RecursionError:
        raise RigFileError(f"{path} is no rig: nested too deep") from None
    except (RigFileError, JsonError) as error:
        raise RigFileError(f"{path}: {error}") from None


def write_rig(path: Path, rig: RigFile) -> None:
    """Write a ``rig.yaml``, and its masks beside it.

    Raises:
        FileExistsError: Another mask of that name is there.
        OSError: It cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for entry in rig.entries:
        if entry.own is not None:
            name = entry.own_mask or f"{entry.name}_own.png"
            write_new(path.parent, name, as_png(np.where(entry.own, 255, 0).astype(np.uint8)))
    content = {
        "frame_id": rig.frame_id,
        "cameras": {entry.name: _written(entry) for entry in rig.entries},
    }
    write_text(path, yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=100))


def _written(entry: CameraEntry) -> dict[str, Any]:
    """Return the keys of a camera."""
    keys: dict[str, Any] = {}
    for name in ("topic", "info_topic"):
        if value := getattr(entry, name):
            keys[name] = value
    if (lens := entry.intrinsics) is not None:
        (height, width), matrix = lens.size, lens.k
        parts = {"fx": matrix[0], "fy": matrix[4], "cx": matrix[2], "cy": matrix[5]}
        keys["intrinsics"] = {"width": width, "height": height, **parts}
        if lens.model:
            keys["intrinsics"] |= {"model": lens.model, "d": list(lens.d)}
    if entry.pose is not None:
        keys["pose"] = _written_pose(entry.pose)
    if entry.tf_frame:
        keys["tf_frame"] = entry.tf_frame
    if entry.own is not None:
        keys["own_mask"] = entry.own_mask or f"{entry.name}_own.png"
    if entry.crop is not None:
        keys["crop"] = list(entry.crop)
    if entry.transport != RAW:
        keys["transport"] = entry.transport
    if entry.rectified:
        keys["rectified"] = True
    return keys


def _written_pose(pose: Extrinsics) -> dict[str, Any]:
    """Return the keys of a pose: angles, which people can read; a matrix where those lose it."""
    angles, position = angles_deg(pose), pose.position.tolist()
    again = Extrinsics.from_angles(tuple(position), *np.deg2rad(angles).tolist())
    if np.abs(again.rotation - pose.rotation).max() < EXACT:
        return {"position_m": position, **dict(zip(ANGLES, angles, strict=True))}
    matrix = np.vstack([np.c_[pose.rotation, pose.position], (0.0, 0.0, 0.0, 1.0)])
    return {"vehicle_from_optical": matrix.tolist()}
