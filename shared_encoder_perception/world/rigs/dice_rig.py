# SPDX-License-Identifier: Apache-2.0
"""Dice for rigs: how many cameras, where on which vehicle, and through what lens they look."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.ground.extrinsics import Extrinsics
from shared_encoder_perception.ground.view import CameraView
from shared_encoder_perception.rig.rig import MOST_CAMERAS, Rig, RigCamera
from shared_encoder_perception.structures import Size
from shared_encoder_perception.world.rigs.own_body import OwnBody
from shared_encoder_perception.world.vehicles import BODIES

COUNTS: Final = {1: 0.08, 2: 0.1, 3: 0.14, 4: 0.36, 5: 0.12, 6: 0.2}
"""How often a rig has so many cameras."""
FIELD_DEG: Final = (50.0, 120.0)
FISHEYE_DEG: Final = (90.0, 180.0)
HEIGHT_M: Final = (0.8, 2.5)
PITCH_DEG: Final = (-5.0, 15.0)
CARRIERS: Final = {"hatch": 0.3, "sedan": 0.25, "suv": 0.3, "van": 0.15}
BEARINGS: Final = (
    "front",
    "front_left",
    "left",
    "rear_left",
    "rear",
    "rear_right",
    "right",
    "front_right",
)
"""Names of cameras, by eighths of a circle."""
USUAL: Final = OwnBody("hatch", (4.2, 1.8, 1.48))


def camera_model(
    size: Size, field_rad: float, distortion: NDArray[np.float64] | None = None, *, fisheye: bool
) -> CameraModel:
    """Build the model of a camera that looks straight through the middle of its picture.

    Args:
        size: ``(height, width)`` of its pictures.
        field_rad: Horizontal field of view; of a bent lens: what it is without the bend.
        distortion: Coefficients, none for a pinhole.
        fisheye: Whether they are those of the equidistant model.
    """
    height, width = size
    half = field_rad / 2 if fisheye else np.tan(field_rad / 2)
    focal = width / 2 / float(half)
    matrix = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
    bend = np.zeros(0) if distortion is None else distortion
    return CameraModel(
        (int(height), int(width)), matrix, bend, fisheye, np.eye(3), (1, 1), (0.0, 0.0)
    )


def four_cameras(size: Size = (192, 480), field_deg: float = 100.0) -> Rig:
    """Return the usual rig: front, left, rear and right, as many degrees wide, on a small car."""
    length, width, height = USUAL.size_m
    middle = USUAL.stand.x_m
    places = {
        "front": (middle + 0.2 * length, 0.0, 0.0),
        "left": (middle, width / 2, 90.0),
        "rear": (middle - 0.4 * length, 0.0, 180.0),
        "right": (middle, -width / 2, -90.0),
    }
    model = camera_model(size, np.radians(field_deg), fisheye=False)
    cameras = []
    for name, (x, y, yaw) in places.items():
        pose = Extrinsics.from_angles((x, y, height + 0.1), 0.0, np.radians(8.0), np.radians(yaw))
        cameras.append(_camera(name, CameraView(model, pose), USUAL))
    return Rig(tuple(cameras))


def roll_rig(rng: Generator, size: Size = (192, 480), cameras: int | None = None) -> Rig:
    """Throw the dice for a rig.

    Args:
        rng: Decides everything.
        size: ``(height, width)`` of the pictures.
        cameras: How many; ``None``: one to six. The only one looks ahead, several all round.

    Raises:
        ValueError: No camera, or more than a rig can have.
    """
    if cameras is not None and not 1 <= cameras <= MOST_CAMERAS:
        raise ValueError(f"a rig of {cameras} cameras, expected 1 to {MOST_CAMERAS}")
    counts = list(COUNTS)
    count = cameras or counts[rng.choice(len(counts), p=list(COUNTS.values()))]
    kinds = list(CARRIERS)
    kind = kinds[rng.choice(len(kinds), p=list(CARRIERS.values()))]
    length, width, height = (float(side) for side in rng.uniform(*BODIES[kind].size_m))
    own = OwnBody(kind, (length, width, height))
    lens = str(rng.choice(["none", "plumb_bob", "equidistant"], p=[0.35, 0.35, 0.3]))
    field = rng.uniform(70, 110) if count > 1 else rng.uniform(*FIELD_DEG)
    made: list[RigCamera] = []
    for index in range(count):
        spread = 4.0 if index == 0 else 9.0
        yaw = np.radians(index * 360.0 / count + rng.normal(0, spread))
        model = _roll_model(rng, size, lens, field + rng.normal(0, 8))
        position = _roll_place(rng, own, float(yaw))
        pitch, roll = np.radians(rng.uniform(*PITCH_DEG)), np.radians(rng.normal(0, 0.8))
        pose = Extrinsics.from_angles(position, float(roll), float(pitch), float(yaw))
        view = CameraView(model, pose)
        made.append(_camera(_name(float(yaw), [one.name for one in made]), view, own))
    return Rig(tuple(made))


def _camera(name: str, view: CameraView, own: OwnBody) -> RigCamera:
    """A camera that knows where it sees its carrier."""
    return RigCamera(name, view, own.mask(view))


def _name(yaw_rad: float, taken: list[str]) -> str:
    """The eighth of the circle, numbered where two look there."""
    name = BEARINGS[round(yaw_rad / (np.pi / 4)) % len(BEARINGS)]
    number = 2
    while name in taken:
        name = f"{name.rstrip('0123456789_')}_{number}"
        number += 1
    return name


def _roll_model(rng: Generator, size: Size, lens: str, field_deg: float) -> CameraModel:
    """One of three kinds of lens, about as wide as asked."""
    height, width = size
    if lens == "equidistant":
        # A fisheye is taken where more is to be seen.
        wide = float(np.clip(field_deg * rng.uniform(1.0, 1.7), *FISHEYE_DEG))
        bend = rng.normal(0, (0.01, 0.004, 0.002, 0.001))
        return _off_centre(rng, camera_model(size, np.radians(wide), bend, fisheye=True))
    field = np.radians(np.clip(field_deg, *FIELD_DEG))
    if lens == "none":
        return _off_centre(rng, camera_model(size, field, fisheye=False))
    corner = np.hypot(width, height) / width * np.tan(field / 2)
    # Of the corner's radius: so little that the polynomial rises far beyond it.
    k1 = rng.uniform(-0.09, 0.04) / corner**2
    k2 = rng.uniform(0.0, 0.01) / corner**4
    tangential = rng.normal(0, 0.0008, 2)
    bend = np.array([k1, k2, *tangential, 0.0])
    return _off_centre(rng, camera_model(size, field, bend, fisheye=False))


def _off_centre(rng: Generator, model: CameraModel) -> CameraModel:
    """No principal point is quite in the middle, no pixel quite square."""
    height, width = model.image_size
    matrix = model.matrix.copy()
    matrix[0, 2] += rng.normal(0, 0.01) * width
    matrix[1, 2] += rng.normal(0, 0.03) * height
    matrix[1, 1] *= 1 + rng.normal(0, 0.003)
    return CameraModel(
        model.image_size, matrix, model.distortion, model.fisheye, np.eye(3), (1, 1), (0.0, 0.0)
    )


def _roll_place(rng: Generator, own: OwnBody, yaw_rad: float) -> tuple[float, float, float]:
    """On the rim of the body, on its roof, or behind the windscreen, towards where it looks."""
    length, width, height = own.size_m
    cos, sin = np.cos(yaw_rad), np.sin(yaw_rad)
    with np.errstate(divide="ignore"):
        rim = float(min(length / 2 / abs(cos), width / 2 / abs(sin)))
    middle = own.stand.x_m
    if cos > 0.8 and rng.random() < 0.35:
        return middle + 0.12 * length, float(rng.normal(0, 0.1)), 0.86 * height
    if rng.random() < 0.45:
        share, z = 0.7, height + rng.uniform(0.05, 0.35)
    else:
        share, z = 1.0, rng.uniform(0.8, min(1.25, 0.8 * height))
    reach = share * rim + 0.04
    return middle + reach * float(cos), reach * float(sin), float(np.clip(z, *HEIGHT_M))
