# SPDX-License-Identifier: Apache-2.0
"""Mistakes that others made with several cameras, to be made on purpose.

Each takes pytest's ``monkeypatch.setattr`` and makes one mistake, in the package's own code or in
the numbers that it is given.
"""

from dataclasses import replace
from types import SimpleNamespace

import landmarks
import numpy as np
import test_table

from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.ground.extrinsics import BODY_FROM_OPTICAL, Extrinsics
from shared_encoder_perception.ground.view import CameraView
from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.rig import table
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.rig.table import Sight
from shared_encoder_perception.tasks.depth import depth_msg
from shared_encoder_perception.tasks.surround import target

KEPT = SimpleNamespace(
    centres=BevGrid.centres,
    voxels=BevGrid.voxels,
    cells=BevGrid.cells,
    angles=Extrinsics.from_angles,
    calibrated=landmarks.calibrated,
    see=CameraModel.see,
    views=Sight.views,
    table=Sight.table,
    sample=table.sample,
    truth=target.truth,
    model=landmarks.camera_model,
)
"""What is right."""


# --- the ground ----------------------------------------------------------------------------------


def centres(wrong):
    """Return a mistake in the layout of the cells."""
    return lambda patch: patch(BevGrid, "centres", lambda grid: wrong(KEPT.centres(grid)))


def flat(patch):
    """Look all layers up on the ground."""
    patch(BevGrid, "voxels", lambda grid: KEPT.voxels(grid) * (1, 1, 0))


def columns_first(patch):
    """Ravel voxels the other way round."""

    def voxels(grid):
        right = KEPT.voxels(grid)
        return right.transpose(2, 1, 0, 3).reshape(right.shape)

    patch(BevGrid, "voxels", voxels)


def whole_cells(rounded):
    """Return a mistake of rasterising: corners of polygons brought to cells."""
    return lambda patch: patch(BevGrid, "cells", lambda grid, at: rounded(KEPT.cells(grid, at)))


# --- poses ---------------------------------------------------------------------------------------


def angles(wrong):
    """Return a mistake in reading ``(position, roll, pitch, yaw)``."""

    def mistake(patch):
        patch(Extrinsics, "from_angles", lambda *given: KEPT.angles(*wrong(*given)))

    return mistake


def pose(wrong):
    """Return a mistake in the pose that comes of them."""

    def mistake(patch):
        def made(*given):
            right = KEPT.angles(*given)
            return Extrinsics(*wrong(right.rotation, right.position))

        patch(Extrinsics, "from_angles", made)

    return mistake


def other_order(patch):
    """Apply roll last and yaw first."""

    def made(position, roll, pitch, yaw):
        about_z, about_y, about_x = (
            KEPT.angles(position, *only).rotation @ BODY_FROM_OPTICAL.T
            for only in ((0, 0, yaw), (0, pitch, 0), (roll, 0, 0))
        )
        rotation = about_x @ about_y @ about_z @ BODY_FROM_OPTICAL
        return Extrinsics(rotation, np.array(position, float))

    patch(Extrinsics, "from_angles", made)


def swapped(patch):
    """Give the left camera's calibration to the right one's pictures, and the other way round."""

    def rig(*args, **kwargs):
        front, left, rear, right = KEPT.calibrated(*args, **kwargs).cameras
        return Rig((front, replace(right, name="left"), rear, replace(left, name="right")))

    patch(landmarks, "calibrated", rig)


def hung_on_the_first_camera(patch):
    """Let the grid nod with the front camera, as if its body were the vehicle's."""

    def rig(*args, **kwargs):
        right = KEPT.calibrated(*args, **kwargs)
        ahead = right.cameras[0].view.ahead
        nod = -np.arcsin(ahead[2])
        level = ahead[:2] / np.linalg.norm(ahead[:2])
        turn = np.array([[level[0], -level[1], 0], [level[1], level[0], 0], [0, 0, 1.0]])
        cos, sin = np.cos(nod), np.sin(nod)
        down = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
        back = (turn @ down @ turn.T).T
        cameras = []
        for camera in right.cameras:
            was = camera.view.extrinsics
            moved = Extrinsics(back @ was.rotation, back @ was.position)
            cameras.append(replace(camera, view=CameraView(camera.view.camera, moved)))
        return Rig(tuple(cameras))

    patch(landmarks, "calibrated", rig)


# --- pixels --------------------------------------------------------------------------------------


def lens(**wrong):
    """Return a mistake in a camera's model, by functions of the right one."""

    def mistake(patch):
        def made(*given):
            right = KEPT.model(*given)
            return replace(right, **{name: change(right) for name, change in wrong.items()})

        for module in (landmarks, test_table):
            patch(module, "camera_model", made)

    return mistake


def behind_as_ahead(patch):
    """Divide by a depth below zero."""

    def see(camera, points):
        return KEPT.see(camera, points * np.where(points[:, 2:] < 0, -1.0, 1.0))

    patch(CameraModel, "see", see)


def input_pixels(wrong):
    """Return a mistake in the way from a picture's pixels to the network's input."""
    return lambda patch: patch(ImageTransform, "points_to_input", wrong)


def without_half_pixel(transform, points):
    crop, content = transform.crop, transform.content
    return (points - (crop.x, crop.y)) * transform.scale + (content.x, content.y)


def without_crop(transform, points):
    content = transform.content
    return (points + 0.5) * transform.scale - 0.5 + (content.x, content.y)


def without_bars(transform, points):
    return (points - (transform.crop.x, transform.crop.y) + 0.5) * transform.scale - 0.5


def cells_without_half_pixel(patch):
    """Divide focal length and principal point by the stride."""
    patch(table, "feature_cells", lambda pixels, stride: np.asarray(pixels, float) / stride)


def placed(wrong):
    """Return a mistake in the way from cells to places of GridSample."""

    def mistake(patch):
        def side_by_side(cells, camera, maps):
            count, rows, columns = maps
            cells = np.array(cells, float)
            return wrong(cells, camera, count * columns, rows, columns).astype(np.float32)

        patch(table, "side_by_side", side_by_side)

    return mistake


def corners_aligned(cells, camera, width, rows, columns):
    inside = np.clip(cells, 0, (columns - 1, rows - 1))
    inside[..., 0] += camera.astype(float) * columns
    return inside / (width - 1, rows - 1) * 2 - 1


def across_seams(cells, camera, width, rows, columns):
    cells[..., 0] += camera.astype(float) * columns
    return (2 * cells + 1) / (width, rows) - 1


def along_rays(patch):
    """Take depth for the length of the ray."""

    def slopes(camera):
        height, width = camera.image_size
        x, y = np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float))
        rays = camera.rays(np.stack((x.ravel(), y.ravel()), axis=1))
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        return rays[:, :2].reshape(height, width, 2)

    patch(depth_msg, "slopes", slopes)


# --- what is known -------------------------------------------------------------------------------


def guessed_from_features(patch):
    """Take the mean of the views whose feature is not zero."""

    def sample(features, views):
        there = KEPT.sample((features != 0).astype(np.float32), views)
        return KEPT.sample(features, views) / np.where(there > 0, there, 1)

    patch(test_table, "sample", sample)


def dead_cameras_see(patch):
    """Count views of cameras whose pictures are not there."""
    patch(Sight, "views", lambda sight, live=None: KEPT.views(sight))


def dead_cameras_are_looked_up(patch):
    """Keep them in the table."""
    patch(Sight, "table", lambda sight, *args, live=None, **more: KEPT.table(sight, *args, **more))


def labels(wrong):
    """Return a mistake in what a network is asked for."""
    return lambda patch: patch(target, "truth", wrong)


def offset_from_the_middle(*given):
    right = KEPT.truth(*given)
    return replace(right, offset=-right.offset)


def offset_in_cells(label, grid, *more):
    right = KEPT.truth(label, grid, *more)
    return replace(right, offset=right.offset / grid.cell_m)


def regardless_of_cameras(label, grid, seen, *more):
    return KEPT.truth(label, grid, np.ones_like(seen), *more)


def flipped(*given):
    right = KEPT.truth(*given)
    return replace(right, ids=right.ids[::-1], vehicle=right.vehicle[::-1])
