# SPDX-License-Identifier: Apache-2.0
"""Things pasted into pictures: what is pasted is theirs, the rest is the place's."""

import cv2
import numpy as np
import pytest
from cutouts import PLACE, background, cutout

from shared_encoder_perception.world.noise import GRAIN, _grain, grain
from shared_encoder_perception.world.pair import JITTER_PX, roll_sensor, taken_before
from shared_encoder_perception.world.paste import (
    BELOW,
    HEIGHTS,
    HIGHEST_FOOT,
    SEEN,
    Cutout,
    Placement,
    Shadow,
    paste,
    roll_placement,
)
from shared_encoder_perception.world.sensor import Sensor, develop

SHADOW = Shadow(0.5, 0.3, 0.4, 0.03)
PLAIN = Sensor((1.0, 1.0, 1.0), 1.0, 0.0, 0.0, 0.0, 0.0, 0, 0)


def thing(index=0):
    pixels = cutout(index)
    return Cutout(pixels[..., :3].copy(), pixels[..., 3].copy())


def sharp_place():
    """So finely patterned that nothing has to be blurred to match it."""
    return np.random.default_rng(3).integers(40, 216, (*PLACE, 3), np.uint8)


def test_as_it_is_a_thing_is_its_pixels_and_the_mask_its_alpha():
    one, place = thing(), sharp_place()
    at = Placement(one.alpha.shape, 50, 20)
    scene, seen = paste(place, one, at)
    expected = np.zeros(PLACE, bool)
    expected[20:60, 50:74] = one.alpha >= SEEN
    np.testing.assert_array_equal(seen, expected)
    np.testing.assert_array_equal(scene[seen], one.colour[one.alpha >= SEEN])
    np.testing.assert_array_equal(scene[~seen], place[~seen])


@pytest.mark.parametrize("height", [13, 40, 77])
def test_outside_of_a_thing_the_picture_is_the_place(height):
    place = background(1)
    at = Placement((height, height * 24 // 40), 60, 10, False, 0.5, 1.2)
    scene, seen = paste(place, thing(), at)
    assert seen.any()
    near = cv2.dilate(seen.astype(np.uint8), np.ones((19, 19))) > 0  # as far as a blur reaches
    np.testing.assert_array_equal(scene[~near], place[~near])


def test_a_mirrored_thing_is_the_mirror_image():
    place = np.full((*PLACE, 3), 128, np.uint8)
    at = Placement((51, 31), 60, 20, False, 0.5, 1.1)
    scene, seen = paste(place, thing(), at)
    turned, its = paste(place, thing(), at._replace(mirrored=True))
    columns = slice(60 - 8, 60 + 31 + 8)
    np.testing.assert_array_equal(its[:, columns], seen[:, columns][:, ::-1])
    np.testing.assert_allclose(
        turned[:, columns].astype(int), scene[:, columns][:, ::-1].astype(int), atol=1
    )
    assert not np.array_equal(its, seen)


def test_a_shadow_darkens_the_ground_and_is_no_part_of_the_thing():
    place = np.full((*PLACE, 3), 160, np.uint8)
    at = Placement((40, 24), 60, 30)
    plain, seen = paste(place, thing(), at)
    shaded, its = paste(place, thing(), at._replace(shadow=SHADOW))
    np.testing.assert_array_equal(its, seen)
    np.testing.assert_array_equal(shaded[seen], plain[seen])
    darker = (plain.astype(int) - shaded).max(2)
    assert darker.min() >= 0 and 60 < darker.max() <= 82
    rows = np.flatnonzero(darker.max(1) > 10)
    assert rows.min() > 30 + 40 - 0.3 * 40 - 8 and rows.max() < 30 + 40 + 8
    forward, _ = paste(place, thing(), at._replace(shadow=SHADOW._replace(length=-0.3)))
    rows = np.flatnonzero((plain.astype(int) - forward).max((1, 2)) > 10)
    assert rows.max() > 30 + 40 and rows.min() > 30 + 20


def test_brightness_is_brought_to_that_of_the_place():
    dark = np.full((*PLACE, 3), 40, np.uint8)
    light = Cutout(np.full((40, 24, 3), 200, np.uint8), thing().alpha)
    means = []
    for match in (0.0, 0.5, 1.0):
        scene, seen = paste(dark, light, Placement((40, 24), 60, 30, False, match))
        means.append(scene[seen].mean())
    assert means[0] == pytest.approx(200, abs=1)
    assert means[0] > means[1] > means[2] > 60  # within bounds: not all of it


@pytest.mark.parametrize("plain", [False, True])
def test_a_thing_is_no_sharper_than_its_place(plain):
    """Nor is its outline, where it has no pattern of its own."""
    colour = np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8)
    if plain:
        colour[:] = 0
    one = Cutout(colour, np.pad(np.full((50, 50), 255, np.uint8), 5))
    at = Placement((60, 60), 60, 20)
    steepest = []
    for place in (sharp_place(), background(1)):
        scene, seen = paste(place, one, at)
        steps = np.abs(np.diff(scene[25:75].astype(float), axis=1)).mean((0, 2))
        steepest.append(steps[60:70].max() if plain else steps[75:105].mean())
        assert seen.sum() == pytest.approx(2500, rel=0.05)
    assert steepest[1] < steepest[0] / 2


def test_soft_outlines_leave_no_seam_of_what_was_around_the_thing():
    """Colours where nothing is seen are of no meaning, whatever the resizing."""
    one = thing()
    for around in (0, 255):
        colour = one.colour.copy()
        colour[one.alpha == 0] = around
        pasted = paste(background(1), Cutout(colour, one.alpha), Placement((25, 15), 60, 30))
        if around == 0:
            first = pasted
    np.testing.assert_array_equal(first.scene, pasted.scene)


@pytest.mark.parametrize(("top", "left"), [(-20, 10), (80, -15), (80, 150), (30, 159), (-200, 0)])
def test_what_lies_outside_of_the_picture_is_cut_off(top, left):
    one, place = thing(), sharp_place()
    scene, seen = paste(place, one, Placement((40, 24), left, top, shadow=SHADOW))
    wide = np.zeros((PLACE[0] + 600, PLACE[1] + 600), bool)
    wide[top + 300 : top + 340, left + 300 : left + 324] = one.alpha >= SEEN
    np.testing.assert_array_equal(seen, wide[300 : 300 + PLACE[0], 300 : 300 + PLACE[1]])
    assert scene.shape == place.shape


@pytest.mark.parametrize("shape", [(40, 24), (10, 90)])
def test_dice_put_things_into_the_picture(shape):
    rng = np.random.default_rng(0)
    heights = []
    for _ in range(300):
        at = roll_placement(rng, PLACE, shape, False)
        heights.append(at.size[0] / PLACE[0])
        foot = at.top_px + at.size[0]
        assert at.size[1] <= PLACE[1] + 1
        assert at.size[1] / at.size[0] == pytest.approx(shape[1] / shape[0], rel=0.2)
        assert HIGHEST_FOOT * PLACE[0] - 1 <= foot <= PLACE[0] + BELOW * at.size[0] + 1
        assert -at.size[1] / 2 - 1 <= at.left_px <= PLACE[1] - at.size[1] / 2 + 1
    if shape == (40, 24):
        assert min(heights) < HEIGHTS[0] + 0.03 and max(heights) > HEIGHTS[1] - 0.03
    shadows = [roll_placement(rng, PLACE, shape, False).shadow for _ in range(100)]
    assert 30 < sum(shadow is not None for shadow in shadows) < 90


def test_a_pair_differs_as_a_cameras_pictures_do():
    place = background(2, (320, 480))
    rng = np.random.default_rng(5)
    sensor = roll_sensor(rng)
    before, today = taken_before(place, sensor, rng), develop(place, sensor, rng)
    difference = np.abs(before.astype(int) - today)
    assert 1 < difference.mean() < 60
    again = np.random.default_rng(5)
    sensor = roll_sensor(again)
    np.testing.assert_array_equal(taken_before(place, sensor, again), before)


def test_without_noise_a_pair_is_the_same_up_to_exposure_and_a_shift():
    place = background(2, (320, 480))
    before = taken_before(place, PLAIN, np.random.default_rng(1))
    grey = [one.mean(2).astype(np.float32) for one in (place, before)]
    shift, _ = cv2.phaseCorrelate(*grey, cv2.createHanningWindow(grey[0].shape[::-1], cv2.CV_32F))
    assert 0 < max(map(abs, shift)) <= JITTER_PX + 0.5
    ratio = (before.astype(float) / place)[40:-40, 40:-40]
    assert ratio.std() < 0.06


def test_noise_of_a_large_picture_is_the_stock_side_by_side():
    shape = (GRAIN[0] * 2, GRAIN[1] + 100)
    found = grain(np.random.default_rng(0), shape)
    assert found.shape == (*shape, 3)
    np.testing.assert_array_equal(found[: GRAIN[0]], found[GRAIN[0] :])
    assert np.array_equal(np.sort(found[: GRAIN[0], : GRAIN[1]].ravel()), np.sort(_grain().ravel()))
