# SPDX-License-Identifier: Apache-2.0
"""The picture of ``rig check``: what is drawn lies where the calibration says."""

import numpy as np
import pytest
from patterned_ground import entry, photographs, rig_file

from shared_encoder_perception.rig.camera_lines import ACROSS, ALONG, draw_camera, step_of
from shared_encoder_perception.rig.check import Check
from shared_encoder_perception.rig.check_picture import GAP, MARGIN, PANEL, draw_check
from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.rig import Rig

GRID = BevGrid(-10.0, -10.0, 40, 40, 0.5, heights_m=(0.0,))
SIZE = (300, 400)


def drawn(pitch=10.0, yaw=0.0):
    """Return a camera, and its black picture with everything drawn in, at its own size."""
    camera = entry("a", (0.0, 0.0, 1.5), 0.0, pitch, yaw, 200.0, SIZE).camera()
    return camera, draw_camera(camera, np.zeros((*SIZE, 3), np.uint8), 5.0, SIZE[1]).astype(int)


def is_near(picture, point, colour):
    """Whether a picture has a colour within 2 px of a point."""
    column, row = np.rint(point).astype(int)
    part = picture[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3]
    return bool((np.abs(part - colour).max(axis=-1) < 60).any())


@pytest.mark.parametrize("pitch", [0.0, 10.0])
def test_the_horizon_is_where_level_rays_go(pitch):
    _, picture = drawn(pitch)
    white = (picture.min(axis=-1) > 220).sum(axis=1)
    expected = (SIZE[0] - 1) / 2 - 2 - 200.0 * np.tan(np.deg2rad(pitch))
    assert white.argmax() == pytest.approx(expected, abs=1.5)


@pytest.mark.parametrize("yaw", [0.0, 100.0, -130.0])
def test_lines_run_over_the_ground_and_have_the_colour_of_their_direction(yaw):
    camera, picture = drawn(pitch=25.0, yaw=yaw)
    near = np.arange(-9.0, 9.1, 1.2)  # no crossings; the axes hide some
    lines = np.array([(x, y) for x in (-10.0, -5.0, 0.0, 5.0, 10.0) for y in near])
    for points, colour in ((lines, ACROSS), (lines[:, ::-1], ALONG)):
        for aside, is_line in ((0.0, True), (2.4, False)):
            moved = points + (np.array((aside, 0.0)) if colour == ACROSS else (0.0, aside))
            seen = camera.see(np.c_[moved, np.zeros(len(moved))])
            seen = seen[np.isfinite(seen).all(axis=1) & (np.hypot(*moved.T) < 12)]
            hits = [is_near(picture, place, colour) for place in seen]
            assert len(hits) >= 4
            assert (np.mean(hits) > 0.65) if is_line else (np.mean(hits) < 0.1)


def test_nothing_is_drawn_in_the_sky():
    _, picture = drawn(pitch=0.0)
    coloured = picture.max(axis=-1) - picture.min(axis=-1) > 60
    tall = coloured[: SIZE[0] // 2 - 10]  # but the upright axis, which is higher than the camera
    assert np.count_nonzero(tall.any(axis=0)) < 40


def test_maps_show_ahead_above_and_left_on_the_left():
    camera = rig_file().rig()["left"]
    sheet = draw_check(Check(RigFrame("x", Rig((camera,)), {"left": photographs()["left"]}), GRID))
    below = 2 * (PANEL + 26 + GAP) + 26 + round(SIZE[0] * PANEL / SIZE[1]) + GAP
    ground = sheet[-below:][26 + MARGIN : 26 + PANEL - MARGIN, GAP + MARGIN : GAP + PANEL - MARGIN]
    lit = ground.max(axis=-1) > 60
    half = lit.shape[1] // 2
    assert lit[:, : half - 60].mean() > 0.8
    assert lit[:, half + 60 :].mean() < 0.3


def test_a_camera_without_a_picture_has_a_place_on_the_sheet():
    images = {name: image for name, image in photographs().items() if name != "left"}
    whole = draw_check(Check(RigFrame("x", rig_file().rig(), photographs()), GRID))
    less = draw_check(Check(RigFrame("x", rig_file().rig(), images), GRID))
    assert less.shape[1] == whole.shape[1]
    assert less.shape[0] == pytest.approx(whole.shape[0], abs=300)


@pytest.mark.parametrize(("side", "step"), [(40, 1.0), (50, 5.0)])
def test_small_maps_have_finer_lines(side, step):
    assert step_of(BevGrid(-5.0, -5.0, side, side, 0.4)) == step
