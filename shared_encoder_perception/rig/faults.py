# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a rig, as far as its calibration and its labels can tell.

A rotation that mirrors (determinant -1) is refused before there is a rig; here is what passes every
formula and is wrong all the same: a sign, a unit, a copied line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.rig.boxes import Box
from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.rig import Rig, RigCamera

HEIGHTS_M: Final = (0.1, 5.0)
"""Between which cameras of vehicles sit."""
NEAREST: Final = 2.0
"""A camera that sees no ground further away than this many times its height looks too far down."""
SAME_M, SAME_DEG, SAME_FOCAL = 0.05, 2.0, 0.1
"""How near poses and focal lengths of two cameras are that have one view."""
ONE_WAY_DEG, APART_M = 10.0, 0.5
"""Three cameras or more, so far apart, that look so much the same way: radians, not degrees."""
UPSIDE_DOWN: Final = 0.3
MOST_APART_S: Final = 0.1
"""Between exposures of one moment: at 50 km/h, 1.4 m."""
MOST_OBJECTS: Final = 3
"""Objects that are told one by one."""
RAYS: Final = 24
"""Rays of a camera that are looked at, along each side of its picture."""
IN_PICTURES, BETTER = 0.3, 1.5
"""Overlap of projected with given boxes that is no accident; how much better mirrored ones fit."""


class Fault(NamedTuple):
    """Something that is wrong, or may be.

    Attributes:
        cameras: Whom it concerns.
        text: One line, which names them.
        grave: Whether maps of this rig would be wrong; otherwise a warning.
    """

    cameras: tuple[str, ...]
    text: str
    grave: bool = True


def rig_faults(rig: Rig, grid: BevGrid) -> list[Fault]:
    """Say what is wrong with the calibration of a rig, whatever its pictures show."""
    found = [fault for camera in rig.cameras for fault in _camera_faults(camera, grid)]
    return found + _same_views(rig) + _one_way(rig)


def moment_faults(frames: Sequence[RigFrame]) -> list[Fault]:
    """Say what is wrong with the pictures and the labels of moments of one rig."""
    rig, count, found = frames[0].rig, len(frames), []
    for name in rig.names:
        without = sum(name not in frame.images for frame in frames)
        if without:
            often = f" in {without} of {count} moments" if count > 1 else ""
            text = f"camera {name} has no picture{often}"
            found.append(Fault((name,), text, grave=without == count))
    late: dict[tuple[str, str], list[float]] = {}
    for frame in frames:
        first, *others = frame.stamps_s or [""]
        for name in others:
            if (apart := abs(frame.stamps_s[name] - frame.stamps_s[first])) > MOST_APART_S:
                late.setdefault((name, first), []).append(apart)
    for (name, first), times in late.items():
        often = f" in {len(times)} of {count} moments" if count > 1 else ""
        text = (
            f"camera {name} has its picture {max(times):.3f} s away from camera {first}'s{often}: "
            "while the vehicle moves they show different ground"
        )
        found.append(Fault((name,), text, grave=False))
    labels = [frame.label.objects or () for frame in frames if frame.label is not None]
    objects = [box for boxes in labels for box in boxes]
    told = object_faults(rig, [box for box in objects if box.visible != 0])
    if len(told) > MOST_OBJECTS:
        text = f"{len(told)} of {len(objects)} objects are in no picture of {', '.join(rig.names)}"
        told = [Fault(rig.names, text, grave=False)]
    return found + told


def object_faults(
    rig: Rig,
    objects: Sequence[Box],
    image_boxes: Mapping[str, Sequence[NDArray]] | None = None,
) -> list[Fault]:
    """Say what does not fit between objects around the vehicle and the pictures.

    Args:
        rig: The cameras.
        objects: Those that pictures may show.
        image_boxes: By camera, of the same objects as somebody has marked them in its picture:
            left, top, right, bottom, px. Where given, a mirrored rig is found.
    """
    found = []
    unseen = [box for box in objects if not any(_in_picture(c, box) for c in rig.cameras)]
    names = ", ".join(rig.names)
    for box in unseen:
        found.append(
            Fault(
                rig.names,
                f"a {box.kind} at x {box.x_m:.1f} m, y {box.y_m:.1f} m is in no picture of {names}",
                grave=False,
            )
        )
    if objects and len(unseen) == len(objects):
        text = f"all {len(objects)} objects are in no picture of {names}: is it their calibration?"
        found = [Fault(rig.names, text)]
    for name, boxes in (image_boxes or {}).items():
        fits, mirrored = (
            _fit(rig[name], some, boxes) for some in (objects, [box.mirrored() for box in objects])
        )
        if mirrored > IN_PICTURES and mirrored > BETTER * fits:
            found.append(
                Fault(
                    (name,),
                    f"camera {name}: its image boxes fit the objects mirrored left to right (mean "
                    f"overlap {mirrored:.2f}) better than as they are ({fits:.2f}): a sign of y or "
                    "yaw is wrong, in its pose or in the objects",
                )
            )
    return found


def _camera_faults(camera: RigCamera, grid: BevGrid) -> list[Fault]:
    """Look at one camera alone."""
    name, height = camera.name, float(camera.view.position[2])
    found = []

    def tell(text: str, *, grave: bool = True) -> None:
        found.append(Fault((name,), f"camera {name} {text}", grave))

    if height <= 0.0:
        tell(f"is {-height:.2f} m below the ground (z = 0): metres, and z upwards?")
    elif not HEIGHTS_M[0] <= height <= HEIGHTS_M[1]:
        tell(f"is {height:.2f} m above the ground, which is unusual: metres?", grave=False)
    rays = _rays(camera)
    if not len(rays):
        tell("sees nothing: its mask of the own vehicle hides the whole picture, or it has no rays")
        return found
    if not (down := rays[:, 2] < 0).any():
        tell(
            "sees only the sky: pitch_deg above 0 looks down; a matrix must be that of the optical "
            "frame (x right, y down, z ahead)"
        )
        return found
    level = np.hypot(rays[down, 0], rays[down, 1])
    furthest_m = float((level / -rays[down, 2]).max()) * max(height, 0.0)
    if down.all() and furthest_m < NEAREST * height:
        tell(
            f"sees only the ground below it, up to {furthest_m:.1f} m away: pitch_deg above 0 "
            "looks down, 0 straight ahead; angles are degrees"
        )
    if camera.view.extrinsics.rotation[2, 1] > UPSIDE_DOWN:
        tell("gives pictures that stand on their heads: is its roll wrong by 180 degrees?")
    centres = grid.centres().reshape(-1, 2)
    if np.isnan(camera.see(np.c_[centres, np.zeros(len(centres))])[:, 0]).all():
        x_min, y_min, x_max, y_max = grid.extent_m
        tell(
            f"sees nothing of the ground from x {x_min:g} to {x_max:g} m, y {y_min:g} to {y_max:g} "
            "m: is its pose, or its mask of the own vehicle, another camera's?"
        )
    return found


def _rays(camera: RigCamera) -> NDArray[np.float64]:
    """Return directions, (N, 3) of length 1 in the vehicle's frame, of what a picture shows."""
    height, width = camera.image_size
    columns, rows = np.linspace(0, width - 1, RAYS), np.linspace(0, height - 1, RAYS)
    pixels = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    if camera.own is not None:
        at = np.rint(pixels).astype(np.intp)
        pixels = pixels[~camera.own[at[:, 1], at[:, 0]]]
    rays = camera.view.rays(pixels)
    rays = rays[np.isfinite(rays).all(axis=1)]
    return np.asarray(rays / np.linalg.norm(rays, axis=1, keepdims=True))


def _same_views(rig: Rig) -> list[Fault]:
    """Find cameras of which one's calibration is a copy of the other's."""
    found = []
    for one, other in combinations(rig.cameras, 2):
        apart_m = float(np.linalg.norm(one.view.position - other.view.position))
        focal = [c.view.camera.matrix[0, 0] / c.image_size[1] for c in (one, other)]
        alike = abs(np.log(focal[0] / focal[1])) < SAME_FOCAL
        if apart_m < SAME_M and _angle_deg(one, other) < SAME_DEG and alike:
            text = (
                f"cameras {one.name} and {other.name} have the same view: was the calibration of "
                "one copied for the other?"
            )
            found.append(Fault((one.name, other.name), text))
    return found


def _one_way(rig: Rig) -> list[Fault]:
    """Find angles in radians: cameras all round the vehicle that seem to look the same way."""
    pairs = list(combinations(rig.cameras, 2))
    if len(rig.cameras) < 3 or max(_angle_deg(*pair) for pair in pairs) > ONE_WAY_DEG:
        return []
    apart = (np.linalg.norm(a.view.position - b.view.position) for a, b in pairs)
    if max(apart) < APART_M:
        return []
    text = (
        f"cameras {', '.join(rig.names)} all look the same way, within {ONE_WAY_DEG:g} degrees: "
        "are their angles in degrees, not radians?"
    )
    return [Fault(rig.names, text)]


def _angle_deg(one: RigCamera, other: RigCamera) -> float:
    """Return the angle between the directions in which two cameras look."""
    cosine = one.view.ahead @ other.view.ahead
    sine = np.linalg.norm(np.cross(one.view.ahead, other.view.ahead))
    return float(np.rad2deg(np.arctan2(sine, cosine)))


def _in_picture(camera: RigCamera, box: Box) -> bool:
    """Whether a picture may show some of a box: its centre or one of its corners."""
    points = np.vstack([box.corners(), (box.x_m, box.y_m, box.z_m)])
    return bool(np.isfinite(camera.see(points)[:, 0]).any())


def _fit(camera: RigCamera, objects: Sequence[Box], boxes: Sequence[NDArray]) -> float:
    """Return how well boxes of a picture fit objects: mean overlap with the best one of each."""
    height, width = camera.image_size
    projected = []
    for box in objects:
        seen = camera.view.pixels(box.corners() - camera.view.position)
        if np.isfinite(seen).all():  # wholly ahead
            low = np.clip(seen.min(axis=0), -0.5, (width - 0.5, height - 0.5))
            high = np.clip(seen.max(axis=0), -0.5, (width - 0.5, height - 0.5))
            projected.append((*low, *high))
    if not (len(boxes) and projected):
        return 0.0
    theirs = np.array(projected)
    return float(np.mean([_overlap(np.asarray(box, np.float64), theirs).max() for box in boxes]))


def _overlap(box: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return intersection by union of a box with (N, 4) others."""
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[2:], others[:, 2:])
    shared = np.prod(np.maximum(high - low, 0.0), axis=1)
    areas = [np.prod(np.maximum(b[..., 2:] - b[..., :2], 0.0), axis=-1) for b in (box, others)]
    return np.asarray(shared / np.maximum(areas[0] + areas[1] - shared, 1e-9))
