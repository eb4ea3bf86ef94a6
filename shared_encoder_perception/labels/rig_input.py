"""Pictures of one moment for a ``rig.yaml``: out of a folder, a rosbag2, or a ``rigs.jsonl``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.files.typed_json import suggestion
from shared_encoder_perception.images.bags import is_bag
from shared_encoder_perception.images.frames import tell
from shared_encoder_perception.images.listing import beside, counting, pictures_in
from shared_encoder_perception.images.sources import SourceError, read_image
from shared_encoder_perception.labels.rigs.native import is_rig_set, read_records
from shared_encoder_perception.rig.bag_moments import BagMoments
from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.rig.rig_file import RigFile

NEAR_S: Final = 0.05
"""Stamps of one moment are no further apart, if a bag has such."""
FAR_S: Final = 0.5
"""Further than this from the first camera's, an image is of another moment in any case."""
TRIED: Final = 50
"""Moments of a bag that are looked at for one whose cameras are all there and near in time."""


def read_moment(
    rig: RigFile | None, path: Path, frame: str | None = None, at_s: float = 0.0
) -> RigFrame:
    """Read one moment of what a rig saw.

    Args:
        rig: From ``rig.yaml``; ``None`` for that of a ``rigs.jsonl``, which has its own.
        path: A folder with a picture, or a folder of pictures, by each camera's name; a rosbag2;
            or a ``rigs.jsonl``, or the folder of one.
        frame: Which: a line's name in a ``rigs.jsonl``, or the name, without its ending, that the
            pictures in cameras' folders have; the first one if not said.
        at_s: Where in a bag, seconds after its first image.

    Raises:
        ValueError: It cannot be read, or does not belong to the rig; the message names the camera.
        OSError: See there.
    """
    if not path.exists():
        raise SourceError(
            f"there is no {path}: give a folder with a picture for each camera, a rosbag2 or a "
            "rigs.jsonl"
        )
    if is_rig_set(path):
        return _of_set(rig, path, frame)
    if rig is None:
        raise SourceError(f"{path} has no calibration: give the rig.yaml of its cameras, too")
    if is_bag(path):
        if frame is not None:
            raise SourceError(f"--frame is for folders and rigs.jsonl; in the bag {path} use --at")
        return _of_bag(rig, path, at_s)
    return _of_folder(rig, path, frame)


def _of_set(rig: RigFile | None, path: Path, frame: str | None) -> RigFrame:
    """Read a line of a ``rigs.jsonl``; a ``rig.yaml`` takes the place of its calibration."""
    names = []
    for record in read_records(path):
        if frame in (None, record.name):
            found = record.frame()
            break
        names.append(record.name)
    else:
        hint = suggestion(frame or "", names[:1000]) if names else ""
        raise SourceError(f"{path} has no line{f' named {frame!r}' if frame else ''}{hint}")
    if rig is None:
        return found
    if strange := sorted(set(found.images) - set(rig.names)):
        raise SourceError(
            f"{path} has pictures of camera {strange[0]!r}, which the rig.yaml does not have"
            f"{suggestion(strange[0], rig.names)}"
        )
    sizes = {name: picture.shape[:2] for name, picture in found.images.items()}
    return replace(found, rig=_calibrated(rig, sizes))


def _of_folder(rig: RigFile, folder: Path, frame: str | None) -> RigFrame:
    """Read ``front.png``, or one of ``front/*.png``, for each camera."""
    if not folder.is_dir():
        raise SourceError(f"{folder} is no folder, no rosbag2 and no rigs.jsonl")
    images: dict[str, NDArray[np.uint8]] = {}
    for name in rig.names:
        inside = folder / name
        found = list(beside(inside))
        if inside.is_dir():
            found += sorted(pictures_in(inside), key=lambda path: counting(Path(path.name)))
            found = [path for path in found if frame in (None, path.stem)]
        if found:
            images[name] = read_image(found[0])
    if not images:
        which = f" named {frame!r}" if frame else ""
        raise SourceError(
            f"{folder} has no picture{which} of any camera of the rig: expected {rig.names[0]}.png "
            f"or {rig.names[0]}/..., and so on for {', '.join(rig.names)}"
        )
    sizes = {name: picture.shape[:2] for name, picture in images.items()}
    return RigFrame(str(folder), _calibrated(rig, sizes), images)


def _calibrated(rig: RigFile, sizes: Mapping[str, Any]) -> Rig:
    """Build the rig from its file alone."""
    for entry in rig.entries:
        if entry.intrinsics is None or entry.pose is None:
            what = "CameraInfo" if entry.intrinsics is None else "TF"
            raise SourceError(
                f"camera {entry.name}: its calibration comes from {what}, which only a bag has: "
                "write intrinsics and pose into the rig.yaml"
            )
    return rig.rig(sizes=sizes)


def _of_bag(rig: RigFile, path: Path, at_s: float) -> RigFrame:
    """Read the first moment of which all cameras have an image, near in time; else less."""
    near = _fullest(BagMoments(path, rig, NEAR_S), at_s)
    if near is None or len(near.images) < len(rig.names):
        far = _fullest(BagMoments(path, rig, FAR_S), at_s)
        if near is None or (far is not None and len(far.images) > len(near.images)):
            near = far
    if near is None:
        raise SourceError(f"{path} has no image of camera {rig.names[0]} after {at_s:g} s")
    return replace(near, name=f"{path}, {near.name}")


def _fullest(source: BagMoments, at_s: float) -> RigFrame | None:
    """Return the first of some moments that has the most pictures."""
    best: RigFrame | None = None
    begun_s = math.inf
    left = TRIED
    for moment in source:
        stamp = min(moment.frame.stamps_s.values())
        begun_s = min(begun_s, stamp)
        if stamp < begun_s + at_s:
            continue
        if best is None or len(moment.frame.images) > len(best.images):
            best = moment.frame
        left -= 1
        if not left or len(best.images) == len(best.rig.cameras):
            break
    tell(source.problems)
    return best
