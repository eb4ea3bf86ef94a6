# SPDX-License-Identifier: Apache-2.0
"""Four real fisheye pictures of a car on a cloth of 40 cm squares: poses, and corners of squares.

The set says where each camera's undistorted picture shows the cloth by a homography to centimetres
of a patch of its own; its poses are found here, in two steps: by that homography, which four points
chosen by hand have made, and then by the corners of the squares themselves, in pixels.
"""

from functools import cache
from pathlib import Path

import cv2
import numpy as np

from shared_encoder_perception.ground.extrinsics import Extrinsics
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.mosaic import ground_views
from shared_encoder_perception.rig.rig_entries import CameraEntry, Intrinsics
from shared_encoder_perception.rig.rig_file import RigFile

FOLDER = Path(__file__).parents[2].parent / "shared/data/surround_four"
WHOLE_CM = {
    "front": lambda u, v: (u, v),
    "back": lambda u, v: (1200.0 - u, 1600.0 - v),
    "left": lambda u, v: (v, 1600.0 - u),
    "right": lambda u, v: (1200.0 - v, u),
}
"""From a camera's patch to the whole picture of the ground, 12 m x 16 m; the cloth begins 3 m
inside, the car's middle is in its middle."""
GRID = BevGrid(-5.3, -3.3, 1060, 660, 0.01, heights_m=(0.0,))
WIDE_PX = 8.0
NEAR = 16
"""Cells around the place where a corner should be, in which it is looked for."""


def vehicle(x_cm, y_cm):
    """Turn points of the whole picture to the vehicle's frame, (N, 3) m."""
    x, y = np.ravel(x_cm), np.ravel(y_cm)
    return np.stack([(800.0 - y) / 100, (600.0 - x) / 100, np.zeros(len(x))], axis=-1)


@cache
def corners():
    """Return the corners of squares, (N, 3) m, and their places in the pattern, (N, 2)."""
    # Squares fill the bands of 1.6 m along the rims but where circles are in their middles.
    places = [
        (column, row)
        for column in range(1, 15)
        for row in range(1, 25)
        if ((column < 5 or column > 10) and (row < 4 or row > 21))
        or ((column < 4 or column > 11) and (row < 8 or row > 18))
    ]
    pattern = np.array(places)
    return vehicle(*(300.0 + 40.0 * pattern).T), pattern


@cache
def pictures():
    """Return the pictures by camera."""
    return {name: cv2.imread(str(FOLDER / f"{name}.png")) for name in WHOLE_CM}


def read(name):
    """Return camera matrix, distortion, that of the undistorted picture, and its homography."""
    file = cv2.FileStorage(str(FOLDER / f"{name}.yaml"), cv2.FILE_STORAGE_READ)
    matrix, bend, scale, shift, homography = (
        file.getNode(key).mat().astype(float)
        for key in ("camera_matrix", "dist_coeffs", "scale_xy", "shift_xy", "project_matrix")
    )
    flat = matrix.copy()
    flat[[0, 1], [0, 1]] *= scale.ravel()
    flat[:2, 2] += shift.ravel()
    return matrix, bend.ravel(), flat, homography


def entry(name, turn, shift, fisheye=True):
    """Return a camera whose frame has points of the vehicle at ``turn @ point + shift``."""
    matrix, bend, _, _ = read(name)
    height, width = pictures()[name].shape[:2]
    lens = ("equidistant", bend) if fisheye else ("", ())
    pose = Extrinsics(turn.T, -turn.T @ shift)
    return CameraEntry(
        name, intrinsics=Intrinsics((height, width), matrix.ravel(), *lens), pose=pose
    )


@cache
def by_homographies():
    """Return the rig with the poses that the set's homographies tell."""
    entries = []
    for name, to_whole in WHOLE_CM.items():
        _, _, flat, homography = read(name)
        length = 1200 if name in ("front", "back") else 1600
        # The band of the cloth that this camera is for.
        u, v = np.meshgrid(np.arange(320.0, length - 319, 20), np.arange(300.0, 461, 20))
        patch = np.c_[u.ravel(), v.ravel(), np.ones(u.size)]
        seen = patch @ np.linalg.inv(homography).T
        ahead = seen[:, 2] * seen[len(seen) // 2, 2] > 0
        rays = (seen[ahead, :2] / seen[ahead, 2:] - flat[:2, 2]) / flat.diagonal()[:2]
        points = vehicle(*to_whole(patch[ahead, 0], patch[ahead, 1]))
        _, turn, shift = cv2.solvePnP(points, rays[:, None], np.eye(3), np.zeros(4))
        entries.append(entry(name, cv2.Rodrigues(turn)[0], shift.ravel()))
    return RigFile(tuple(entries))


@cache
def by_corners():
    """Return the rig with poses that put the corners of squares where the pictures have them."""
    rig, points = by_homographies().rig(), corners()[0]
    entries = []
    for camera, found in zip(rig.cameras, found_corners(rig).values(), strict=True):
        known = ~np.isnan(found[:, 0])
        seen = camera.see(np.c_[found[known], np.zeros(known.sum())])
        pose = camera.view.extrinsics
        turn = cv2.Rodrigues(pose.rotation.T)[0].ravel()
        solved = fit(
            camera.name, points[known], seen, np.r_[turn, -pose.rotation.T @ pose.position]
        )
        entries.append(entry(camera.name, cv2.Rodrigues(solved[:3])[0], solved[3:]))
    return RigFile(tuple(entries))


def fit(name, points, seen, start):
    """Solve for a pose, (6,), by least squares of pixels; far ones count less (Huber)."""
    matrix, bend, _, _ = read(name)

    def apart(pose):
        found = cv2.fisheye.projectPoints(points[:, None], pose[:3], pose[3:], matrix, bend)[0]
        return found[:, 0] - seen

    pose = start
    for _ in range(30):
        errors = apart(pose)
        slopes = [(apart(pose + step) - errors).ravel() / 1e-6 for step in np.eye(6) * 1e-6]
        weights = np.sqrt(np.repeat(1 / np.maximum(np.hypot(*errors.T), 1.0), 2))
        moved = np.linalg.lstsq(np.stack(slopes, 1) * weights[:, None], errors.ravel() * weights)
        pose = pose - moved[0]
    return pose


def found_corners(rig):
    """Find the corners on the ground as each camera sees it, (N, 2) m, NaN where it does not.

    Only where a square is wide enough in the picture: on its rim it looks along the cloth.
    """
    views = ground_views(pictures(), rig, GRID, samples=1)
    found = {}
    for view, camera in zip(views, rig.cameras, strict=True):
        points = corners()[0]
        sides = [
            np.linalg.norm(camera.see(points + step) - camera.see(points - step), axis=1)
            for step in ((0.2, 0.0, 0.0), (0.0, 0.2, 0.0))
        ]
        wide = np.minimum(*sides) >= WIDE_PX
        places = [
            _corner(view, point) if good else (np.nan, np.nan)
            for point, good in zip(points, wide, strict=True)
        ]
        found[view.name] = np.array(places)
    return found


def _corner(view, point):
    """Find where four squares meet: by what is like a saddle, then to parts of a cell."""
    column, row = np.rint(GRID.cells(point[:2])).astype(int)
    reach = NEAR + 12
    window = np.s_[row - reach : row + reach + 1, column - reach : column + reach + 1]
    if row < reach or column < reach or not view.seen[window].all():
        return np.nan, np.nan
    part = view.grey[window]
    saddle = np.kron([[-1.0, 1.0], [1.0, -1.0]], np.ones((12, 12))).astype(np.float32)
    likeness = np.abs(cv2.matchTemplate(part - part.mean(), saddle, cv2.TM_CCORR_NORMED))
    _, best, _, at = cv2.minMaxLoc(likeness)
    if best < 0.75:
        return np.nan, np.nan
    rough = np.array([[at]], np.float32) + 11.5
    until = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 50, 0.01)
    fine = cv2.cornerSubPix(np.rint(part).astype(np.uint8), rough.copy(), (8, 8), (-1, -1), until)
    if np.abs(fine - rough).max() > 4:
        return np.nan, np.nan
    return tuple(GRID.points(fine[0, 0] + (column - reach, row - reach)))
