# SPDX-License-Identifier: Apache-2.0
"""A flat world of known marks, and four cameras in it that have nothing in common.

Eight patches of different sizes lie around the vehicle, a cube of another height stands in each
quadrant, an arrow ahead has a bar on its left only: mixed up axes, signs or cameras move them.
Pictures are made the other way round than ours: from each pixel along its ray to what it hits.
"""

from dataclasses import dataclass, replace
from functools import cache
from types import SimpleNamespace

import cv2
import numpy as np
from ground_world import roi

from shared_encoder_perception.ground.camera_info import camera_model
from shared_encoder_perception.ground.extrinsics import Extrinsics
from shared_encoder_perception.ground.view import CameraView
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.rig import Rig, RigCamera
from shared_encoder_perception.rig.table import Sight, sample
from shared_encoder_perception.structures import Crop

INPUT = (320, 640)
FINE = 2
"""Rays of a pixel, along each side."""
CUBES = {"cube_1": 0.6, "cube_2": 0.9, "cube_3": 1.2, "cube_4": 0.4}
"""Their heights, metres; one in each quadrant."""
GRID = BevGrid(-32.0, -32.0, 128, 128, 0.5, (0.0, *sorted(CUBES.values())))
PATCHES = {
    # name: bearing in degrees from ahead to the left, distance, length, width in metres
    "patch_0": (0, 22.0, 3.0, 4.0),
    "patch_50": (50, 9.0, 2.0, 1.6),
    "patch_95": (95, 12.0, 2.4, 3.4),
    "patch_140": (140, 26.0, 5.0, 4.0),
    "patch_180": (180, 14.0, 2.2, 2.2),
    "patch_220": (220, 8.0, 1.6, 2.4),
    "patch_265": (265, 18.0, 4.0, 2.6),
    "patch_310": (310, 11.0, 2.6, 2.0),
}
CUBE_PLACES = {
    "cube_1": (28, 10.0),
    "cube_2": (118, 9.0),
    "cube_3": (241, 12.0),
    "cube_4": (333, 8),
}


@dataclass(frozen=True)
class Mark:
    """A convex polygon on the ground, or a prism that stands on it.

    Attributes:
        name: Of its channel; the top of a prism has one of its own, ``NAME_top``.
        corners: ``(x, y)`` metres in the vehicle's frame.
        height_m: Of a prism; 0 lies on the ground.
    """

    name: str
    corners: tuple[tuple[float, float], ...]
    height_m: float = 0.0

    @property
    def centre(self):
        """``(x, y)`` of its middle, metres."""
        x, y = np.array(self.corners).T
        cross = x * np.roll(y, -1) - np.roll(x, -1) * y
        both = np.stack((x + np.roll(x, -1), y + np.roll(y, -1)), axis=1)
        return (both * cross[:, None]).sum(axis=0) / (3 * cross.sum())

    @property
    def radius(self):
        """Metres within which all of it lies, around the middle of it."""
        return np.hypot(*(np.array(self.corners) - self.centre).T).max() + self.height_m

    def moved(self, matrix):
        """Return it with each corner multiplied by a (2, 2) matrix."""
        return replace(self, corners=tuple(map(tuple, np.array(self.corners) @ matrix.T)))


def block(name, x, y, length, width, yaw, height=0.0):
    """Return a rectangle, turned by ``yaw`` radians to the left."""
    along, across = np.array([np.cos(yaw), np.sin(yaw)]), np.array([-np.sin(yaw), np.cos(yaw)])
    ends = [(1, 1), (-1, 1), (-1, -1), (1, -1)]
    corners = [(x, y) + a * along * length / 2 + b * across * width / 2 for a, b in ends]
    return Mark(name, tuple(map(tuple, corners)), height)


def world():
    """Return the marks."""
    marks = [
        block("shaft", 8.5, 0.0, 3.0, 0.6, 0.0),
        Mark("head", ((10.0, 1.0), (10.0, -1.0), (12.0, 0.0))),
        block("bar", 8.0, 1.5, 2.0, 1.0, 0.0),
    ]
    for name, (bearing, distance, length, width) in PATCHES.items():
        yaw = np.radians(bearing)
        x, y = distance * np.cos(yaw), distance * np.sin(yaw)
        marks.append(block(name, x, y, length, width, yaw))
    for name, (bearing, distance) in CUBE_PLACES.items():
        yaw = np.radians(bearing)
        x, y = distance * np.cos(yaw), distance * np.sin(yaw)
        marks.append(block(name, x, y, 1.6, 1.6, yaw + 0.3, CUBES[name]))
    return tuple(marks)


def mirrored(marks):
    """Return the world whose left is right."""
    return tuple(mark.moved(np.diag([1.0, -1.0])) for mark in marks)


def channels(marks):
    """Return the names of the channels of a picture."""
    tops = [f"{mark.name}_top" for mark in marks if mark.height_m]
    return [mark.name for mark in marks] + tops


# --- the cameras ---------------------------------------------------------------------------------

CAMERAS = {
    # model, coefficients, (height, width), focal length, binning, crop, x y z, roll pitch yaw
    "front": ("plumb_bob", (-0.22, 0.06, 0.001, -0.0008, -0.008), (360, 640), 290.0, 1, None,
              (1.7, 0.1, 1.5), (1.0, 6.0, 12.0)),
    "left": ("equidistant", (0.02, -0.01, 0.003, -0.001), (400, 600), 230.0, 1, None,
             (0.9, 0.9, 1.9), (-2.0, 20.0, 103.0)),
    "rear": ("rational_polynomial", (1.9, 0.9, 0.0005, 0.0002, 0.05, 2.2, 1.4, 0.2), (360, 640),
             270.0, 1, None, (-0.8, -0.1, 2.2), (0.0, 9.0, 191.0)),
    "right": ("", (), (480, 640), 260.0, 2, Crop(24, 130, 600, 310), (0.8, -0.9, 2.4),
              (2.5, 12.0, 276.0)),
}  # fmt: skip
"""Their angles in degrees. Focal lengths are of the pictures as received, so twice as many pixels
of the sensor where it is binned."""


def calibrated(extra_pitch_deg=0.0, mirror=False):
    """Read the numbers above as a driver's CameraInfo and a pose in angles.

    Args:
        extra_pitch_deg: By which the front camera looks further down than the table says.
        mirror: Whether left is right: cameras, poses and lenses.
    """
    cameras = []
    for name, (model, d, size, focal, binning, crop, position, angles) in CAMERAS.items():
        if name == "front":
            angles = (angles[0], angles[1] + extra_pitch_deg, angles[2])
        full, d = (size[0] * binning, size[1] * binning), list(d)
        centre_x, centre_y = full[1] / 2 - 6.0, full[0] / 2 - 3.0
        if mirror:
            position, angles = (position[0], -position[1], position[2]), np.array(angles)
            angles = tuple(angles * (-1, 1, -1))
            centre_x = full[1] - 1 - centre_x
            if model in ("plumb_bob", "rational_polynomial"):
                d[3] = -d[3]  # p2: the lens is bent about its own vertical
            if crop is not None:
                crop = crop._replace(x=size[1] - crop.x - crop.width)
        k = [focal * binning, 0.0, centre_x, 0.0, focal * binning, centre_y, 0.0, 0.0, 1.0]
        info = SimpleNamespace(width=full[1], height=full[0], distortion_model=model, d=d, k=k,
                               r=np.eye(3).ravel(), p=[0.0] * 12, binning_x=binning,
                               binning_y=binning, roi=roi(0, 0, 0, 0))  # fmt: skip
        pose = Extrinsics.from_angles(position, *np.deg2rad(angles))
        cameras.append(RigCamera(name, CameraView(camera_model(info, size), pose), crop=crop))
    return Rig(tuple(cameras))


# --- their pictures ------------------------------------------------------------------------------


def hit(origin, rays, marks):
    """Return what rays meet first: the number of its channel, -1 for the bare ground and the sky.

    Args:
        origin: (3,) of all of them.
        rays: (N, 3) of any length; NaN meets nothing.
        marks: The world.

    Returns:
        (N,) int of the channel; (N,) metres along the ray in lengths of it, infinite for the sky.
    """
    names = channels(marks)
    found = np.full(len(rays), -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        far = np.where(rays[:, 2] < 0, -origin[2] / rays[:, 2], np.inf)
        ground = origin[:2] + far[:, None] * rays[:, :2]
    for number, mark in enumerate(marks):
        if not mark.height_m:
            near = np.flatnonzero(squares(ground - mark.centre) < mark.radius**2)
            inside = [(ground[near] - corner) @ normal >= 0 for corner, normal in edges(mark)]
            found[near[np.all(inside, axis=0)]] = number
    lengths = squares(rays)
    for number, mark in enumerate(marks):
        if mark.height_m:
            towards = np.array([*mark.centre, mark.height_m / 2]) - origin
            along = rays @ towards
            beside = towards @ towards - along**2 / lengths
            near = np.flatnonzero((along > 0) & (beside < mark.radius**2))
            enters, top = enter(origin, rays[near], mark)
            first = enters < far[near]
            far[near[first]] = enters[first]
            found[near[first]] = np.where(top[first], names.index(f"{mark.name}_top"), number)
    return found, far


def enter(origin, rays, mark):
    """Return where rays enter a prism, in lengths of each, infinite for never; if by its top."""
    enters, leaves = np.full(len(rays), -np.inf), np.full(len(rays), np.inf)
    top = np.zeros(len(rays), bool)
    planes = [(np.array([*corner, 0]), np.array([*normal, 0])) for corner, normal in edges(mark)]
    planes += [(np.zeros(3), np.array([0, 0, 1.0]))]
    planes += [(np.array([0, 0, mark.height_m]), np.array([0, 0, -1.0]))]
    for index, (point, inward) in enumerate(planes):
        speed = rays @ inward
        with np.errstate(divide="ignore", invalid="ignore"):
            at = (point - origin) @ inward / speed
        later = (speed > 0) & (at > enters)
        enters[later], top[later] = at[later], index == len(planes) - 1
        leaves = np.where((speed < 0) & (at < leaves), at, leaves)
    return np.where((enters > 0) & (enters < leaves), enters, np.inf), top


def squares(vectors):
    """Return the squared length of each."""
    return np.einsum("ni,ni->n", vectors, vectors)


def edges(mark):
    """Return a corner and the inward normal of each side."""
    corners = np.array(mark.corners)
    along = np.roll(corners, -1, axis=0) - corners
    inward = np.stack((-along[:, 1], along[:, 0]), axis=1)
    inward *= np.sign((mark.centre - corners[0]) @ inward[0])
    return list(zip(corners, inward, strict=True))


@cache
def middles(camera):
    """Return the rays of a camera's pixels, (H * W, 3), row by row."""
    height, width = camera.image_size
    x, y = np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float))
    return camera.view.rays(np.stack((x.ravel(), y.ravel()), axis=1))


def picture(camera, marks):
    """Return what a camera sees, (H, W, C) uint8: share of each pixel that shows each mark.

    Only where a pixel shows something else than one beside it, more rays than one tell more.
    """
    (height, width), count = camera.image_size, len(channels(marks))
    found = hit(camera.view.position, middles(camera), marks)[0]
    grid, around = found.astype(np.float32).reshape(height, width), np.ones((3, 3), np.uint8)
    mixed = (cv2.dilate(grid, around) != cv2.erode(grid, around)).ravel()
    seen = np.zeros((height * width, count), np.uint8)
    pure = np.flatnonzero((found >= 0) & ~mixed)
    seen[pure, found[pure]] = 255
    pixel = np.flatnonzero(mixed)
    at = (np.arange(FINE) + 0.5) / FINE - 0.5
    parts = np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 1, 2)
    places = np.stack((pixel % width, pixel // width), axis=1) + parts
    shown = hit(camera.view.position, camera.view.rays(places.reshape(-1, 2)), marks)[0]
    place = (np.tile(np.arange(len(pixel)), FINE**2) * count + shown)[shown >= 0]
    hits = np.bincount(place, minlength=len(pixel) * count).reshape(-1, count)
    seen[pixel] = np.rint(hits * 255 / FINE**2)
    return seen.reshape(height, width, count)


@cache
def brought(camera, marks):
    """Return a camera's picture as the network would get it, (C, h, w) uint8, 0 to 255."""
    bring, seen = camera.transform(INPUT).image_to_input, picture(camera, marks)
    planes = [bring(np.repeat(plane[..., None], 3, axis=2)) for plane in np.moveaxis(seen, 2, 0)]
    return np.stack([plane[..., 0] for plane in planes])


def features(marks, rig):
    """Return the pictures as the network would get them, (S, C, h, w) uint8, 0 to 255."""
    return np.stack([brought(camera, marks) for camera in rig.cameras])


@cache
def truth(extra_pitch_deg=0.0):
    """Return the rig as it really is: the one that takes the pictures."""
    rig = calibrated(extra_pitch_deg)
    # The other cameras are the same ones: they took their pictures already.
    return Rig((rig.cameras[0], *truth().cameras[1:])) if extra_pitch_deg else rig


def lifted(shown, rig, grid=GRID, best=2, live=None):
    """Look pictures up through the table, at stride 1: (C, Z, Y, X), 0 to 1."""
    table = Sight.of(rig, grid, INPUT).table(stride=1, best=best, live=live)
    return sample(shown, table).reshape(shown.shape[1], -1, *grid.shape) / 255


def centroid(values, grid=GRID):
    """Return the middle ``(x, y)`` of a (Y, X) map, as who reads an OccupancyGrid computes it."""
    flat = np.where(values > 0.05, values, 0).ravel()
    assert flat.sum() > 0, "nothing of it is on the map"
    index = np.arange(flat.size)
    x = grid.x_min_m + (index % grid.cells_x + 0.5) * grid.cell_m
    y = grid.y_min_m + (index // grid.cells_x + 0.5) * grid.cell_m
    return np.array([flat @ x, flat @ y]) / flat.sum()
