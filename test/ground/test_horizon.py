# SPDX-License-Identifier: Apache-2.0
"""Where cameras see the horizon, and the crops that put it where networks like it."""

from __future__ import annotations

import numpy as np
import pytest
from ground_world import SIZE, camera_info

from shared_encoder_perception.ground.camera_info import camera_model
from shared_encoder_perception.ground.extrinsics import Extrinsics
from shared_encoder_perception.ground.horizon import (
    BEST,
    advice,
    better_crop,
    horizon_px,
    share,
)
from shared_encoder_perception.ground.view import CameraView, HomographyView
from shared_encoder_perception.structures import Crop

IMAGE = (720, 1280)


def view(pitch_deg: float, yaw_deg: float = 0.0) -> CameraView:
    """A camera 1.6 m above the road."""
    pose = Extrinsics.from_angles((0.0, 0.0, 1.6), 0.0, *np.radians((pitch_deg, yaw_deg)))
    return CameraView(camera_model(camera_info("none"), SIZE), pose)


@pytest.mark.parametrize("pitch_deg", [-6.0, 0.0, 4.0, 12.0])
@pytest.mark.parametrize("yaw_deg", [0.0, 8.0])
def test_the_horizon_rises_with_the_pitch(pitch_deg: float, yaw_deg: float) -> None:
    """``c_y - f tan(pitch)``, whatever the yaw."""
    matrix = np.reshape(camera_info("none").k, (3, 3))
    expected = matrix[1, 2] - matrix[1, 1] * np.tan(np.radians(pitch_deg))
    assert horizon_px(view(pitch_deg, yaw_deg)) == pytest.approx(expected, abs=1e-6)


def test_a_homography_has_the_horizon_of_its_camera() -> None:
    """Where the road is infinitely far away."""
    camera = view(4.0)
    pixels = np.array([[100.0, SIZE[0] - 1], [600, SIZE[0] - 1], [300, 400], [400, 420]])
    rays = camera.rays(pixels)
    road = rays[:, :2] * (-1.6 / rays[:, 2:])
    rows = []
    for (u, v), (x, y) in zip(pixels, road, strict=True):
        rows += [[u, v, 1, 0, 0, 0, -x * u, -x * v, -x], [0, 0, 0, u, v, 1, -y * u, -y * v, -y]]
    matrix = np.linalg.svd(np.array(rows))[2][-1].reshape(3, 3)
    flat = HomographyView.from_matrix(matrix, SIZE, (0.0, 0.0, 1.6), 0.0)
    assert horizon_px(flat) == pytest.approx(horizon_px(camera), abs=0.5)


def test_a_camera_that_looks_straight_down_sees_none() -> None:
    """There is no ahead."""
    assert horizon_px(view(90.0)) is None


@pytest.mark.parametrize("row", [-60.0, 5.0, 100.0, 237.0, 360.0, 500.0, 640.0])
@pytest.mark.parametrize("crop", [Crop(0, 208, 1280, 512), Crop(100, 0, 1000, 400)])
def test_a_better_crop_has_the_horizon_well_inside(row: float, crop: Crop) -> None:
    """It lies in the image, is no larger, and has the aspect ratio."""
    better = better_crop(row, crop, IMAGE)
    if BEST[0] <= share(row, crop) <= BEST[1]:
        assert better is crop and advice(row, crop, IMAGE) == ""
        return
    text = advice(row, crop, IMAGE)
    assert "the horizon lies" in text
    if better is None:
        assert row < 10 or row > 560
        assert "turn the camera" in text
        return
    assert str(list(better)) in text and "input.crop:=" in text
    assert BEST[0] - 0.01 <= share(row, better) <= BEST[1] + 0.01
    assert better.width <= crop.width and better.height <= crop.height
    assert better.width / better.height == pytest.approx(2.5, abs=0.02)
    assert better.x >= 0 and better.y >= 0
    assert better.x + better.width <= 1280 and better.y + better.height <= 720
