# SPDX-License-Identifier: Apache-2.0
"""What a label of depth is: in files, in worlds, in pictures that are cropped or turned.

In a native set it is a 16-bit PNG beside the line, what its numbers mean, and perhaps a PNG of what
each pixel is of.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.files.data_paths import shown
from shared_encoder_perception.images.planes import plane_inside, plane_to_input, warp_plane
from shared_encoder_perception.images.preprocess import Crop, ImageTransform
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.depth.answer import KINDS, METRIC, RELATIVE
from shared_encoder_perception.tasks.depth.label import (
    DEPTH,
    OWNERS,
    UNKNOWN,
    Label,
)
from shared_encoder_perception.tasks.label_files import (
    LabelError,
    path_faults,
    read_plane,
    write_plane,
)

SCALE: Final = "depth_scale_m"
KIND: Final = "depth_kind"
FOCAL: Final = "focal_px"
HEIGHT: Final = "camera_height_m"
KEYS: Final = (DEPTH, SCALE, KIND, FOCAL, HEIGHT, OWNERS)
FILE_KEYS: Final = (DEPTH, OWNERS)
FOLDERS: Final = {DEPTH: "depth", OWNERS: "depth_owners"}
"""Key -> folder of its files."""
IN_FILES: Final = True
OF_WORLD: Final = ("classes", "distances")
NOT_KNOWN, FAR = 0, 65535
"""Values of the PNG that are no depth: nothing is known, and beyond all range."""
STEP_M: Final = 1 / 256
"""Metres per step of what is written, as of KITTI: up to 256 m."""


def faults(record: Mapping[str, Any], size: Size) -> Iterator[str]:
    """Say what is wrong with the keys of a line, the files not looked at."""
    for key in FILE_KEYS:
        if record.get(key) is not None:
            yield from path_faults(record, key)
    kind = record.get(KIND)
    there = bool(record.get(DEPTH))
    alone = [key for key in (SCALE, KIND, OWNERS) if record.get(key) is not None]
    if alone and not there:
        yield f"{DEPTH} is missing, expected the file that {alone[0]} belongs to"
    if there and kind not in KINDS:
        yield f"{KIND} is {shown(kind)}, expected one of {list(KINDS)}"
    needed = {
        SCALE: "what one step of the PNG is" if there else "",
        FOCAL: "pixels; without it a network cannot learn metres" if kind == METRIC else "",
        HEIGHT: "",
    }
    for key, why in needed.items():
        value = record.get(key)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is None and why:
            yield f"{key} is missing, expected a number above 0: {why}"
        elif value is not None and not (number and 0 < value < math.inf):
            yield f"{key} is {shown(value)}, expected a number above 0"


def read(record: Mapping[str, Any], folder: Path, size: Size) -> Callable[[], Label] | None:
    """Return what reads the label of a line; ``None`` where there is none."""
    if not record.get(DEPTH):
        return None
    owners = folder / record[OWNERS] if record.get(OWNERS) else None
    scale, kind = float(record[SCALE]), record[KIND]
    camera = tuple(float(record.get(key) or math.nan) for key in (FOCAL, HEIGHT))
    return partial(_read, folder / record[DEPTH], scale, kind, camera, owners, size)


def _read(
    path: Path, scale: float, kind: str, camera: Sequence[float], owners: Path | None, size: Size
) -> Label:
    """Read depth and owners, and check them.

    Raises:
        LabelError: Unreadable, of another size, no 16-bit picture of one channel, or with owners
            that nobody knows.
    """
    steps = read_plane(path, size, "depth map (a PNG of one channel of 16 bits)", np.uint16)
    who = None if owners is None else read_plane(owners, size, OWNERS)
    focal_px, height_m = camera
    label = Label(metres(steps, scale), focal_px, kind, who, height_m=height_m)
    try:
        label.check(size)
    except ValueError as error:
        raise LabelError(path, None, str(error)) from None
    return label


def metres(steps: NDArray[np.uint16], scale: float) -> NDArray[np.float32]:
    """Return what a PNG of the native format says: (H, W) float32, NaN and +Inf where it does."""
    depth = steps.astype(np.float32) * np.float32(scale)
    depth[steps == NOT_KNOWN] = np.nan
    depth[steps == FAR] = np.inf
    return depth


def steps_of(depth: NDArray[np.float32], scale: float) -> NDArray[np.uint16]:
    """Return the PNG's values of depths: the nearest step, what is too far is beyond all range."""
    known = np.isfinite(depth)
    steps = np.round(np.where(known, depth, 0) / np.float32(scale)).clip(1, FAR)
    return np.where(known, steps, np.where(np.isnan(depth), NOT_KNOWN, FAR)).astype(np.uint16)


def write(label: Label, folder: Path, picture: Path) -> dict[str, Any]:
    """Write depth and owners as PNG; return the keys of the line."""
    path = Path(FOLDERS[DEPTH]) / picture.with_suffix(".png")
    known = label.depth[np.isfinite(label.depth)]
    # Inverse depth without a scale may have any size: the steps are made for it.
    scale = STEP_M if label.kind == METRIC else float(known.max(initial=1e-6)) / (FAR - 1)
    write_plane(folder, path, steps_of(label.depth, scale))
    keys: dict[str, Any] = {DEPTH: path.as_posix(), SCALE: scale, KIND: label.kind}
    if not math.isnan(label.focal_px):
        keys[FOCAL] = round(label.focal_px, 4)
    if not math.isnan(label.height_m):
        keys[HEIGHT] = round(label.height_m, 4)
    if label.owners is not None:
        owners = Path(FOLDERS[OWNERS]) / picture.with_suffix(".png")
        write_plane(folder, owners, label.owners)
        keys[OWNERS] = owners.as_posix()
    return keys


def complete(record: Mapping[str, Any]) -> bool:
    """Whether a line has metres."""
    return bool(record.get(DEPTH)) and record.get(KIND) == METRIC


def of_world(rendered: Any) -> Label | None:
    """Return the exact depth of a world; ``None`` where it was not painted."""
    if rendered.depth is None:
        return None
    camera, owners = rendered.camera, rendered.owners
    flat, height_m = rendered.flat_road, camera.height_m
    return Label(rendered.depth, camera.focal_px, METRIC, owners, flat, height_m)


def of_set(said: Any) -> tuple[Callable[[], Label] | None, Sequence[str]]:
    """Return what makes the depth that a public set measured."""
    return (None if said.depth is None else partial(_of_said, said)), ()


def _of_said(said: Any) -> Label:
    """Make a label of what a set says."""
    kind = RELATIVE if said.depth_is_relative else METRIC
    return Label(said.depth(), said.focal_px, kind, height_m=said.camera_height_m)


def merge(first: Label, second: Label) -> tuple[Label, Sequence[tuple[str, Any]]]:
    """Keep the first; metres win over a depth without scale, owners are added."""
    if first.kind != second.kind:
        kept, other = (first, second) if first.kind == METRIC else (second, first)
        return kept, ((DEPTH, other.kind),)
    if not np.array_equal(first.depth, second.depth, equal_nan=True):
        return first, ((DEPTH, None),)
    if first.owners is None and second.owners is not None:
        return replace(first, owners=second.owners), ()
    return first, ()


def view(label: Label, transform: ImageTransform) -> Label:
    """Crop and resize without mixing values; the focal length grows with the picture."""
    moved = _moved(label, lambda plane, outside: plane_to_input(plane, transform, outside))
    return replace(moved, focal_px=label.focal_px * transform.scale[1])


def mirror(label: Label, width: int) -> Label:
    """Return the depth of the mirrored picture."""
    moved = _moved(label, lambda plane, _: np.ascontiguousarray(plane[:, ::-1]))
    return replace(moved, flat=None if label.flat is None else label.flat.mirror())


def warp(label: Label, matrix: NDArray[np.float64], size: Size) -> Label:
    """Move the depth; what comes in from outside is unknown.

    A picture that is turned about the optical axis keeps its depth; one that is magnified is that
    of a longer lens.
    """
    moved = _moved(label, lambda plane, outside: warp_plane(plane, matrix, size, outside))
    scale = math.sqrt(abs(np.linalg.det(np.asarray(matrix)[:, :2])))
    same = scale == 1 and np.array_equal(matrix, np.eye(2, 3)) and size == label.depth.shape
    flat = label.flat if same else None
    return replace(moved, focal_px=label.focal_px * scale, flat=flat)


def inside(label: Label, crop: Crop) -> Label:
    """Forget what lies outside of the crop."""
    kept = _moved(label, lambda plane, outside: plane_inside(plane, crop, outside))
    return replace(kept, flat=label.flat)


def still_true(label: Label, size: Size) -> bool:
    """Depth says the same wherever it is moved."""
    return True


def _moved(label: Label, move: Callable[[NDArray, float], NDArray]) -> Label:
    """Apply ``move(plane, value outside)`` to depth and owners."""
    owners = None if label.owners is None else move(label.owners, UNKNOWN)
    return replace(label, depth=move(label.depth, math.nan), owners=owners, flat=None)
