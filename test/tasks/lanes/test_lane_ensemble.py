# SPDX-License-Identifier: Apache-2.0
"""Lane maps of mirrored and resized pictures: where their points come to lie, and what counts."""

import numpy as np
import pytest

from shared_encoder_perception.images.preprocess import LETTERBOX, STRETCH, Crop, ImageTransform
from shared_encoder_perception.images.variants import PLAIN, Variant, parse_variants
from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.lanes.ensemble import merge, on_plain_grid
from shared_encoder_perception.tasks.lanes.spec import OUTPUT_LANES, Block

SIZE, STRIDE = (64, 160), 8
GRID = (8, 20)
BLOCK = Block()
TRANSFORMS = {
    "whole": ImageTransform((128, 320), Crop(0, 0, 320, 128), SIZE, STRETCH),
    "aside": ImageTransform((300, 500), Crop(31, 60, 401, 150), SIZE, STRETCH),
    "letterbox": ImageTransform((300, 500), Crop(30, 60, 200, 160), SIZE, LETTERBOX),
}
VARIANTS = [Variant(flip, scale) for flip in (False, True) for scale in (1.0, 0.75, 1.25, 2.0)]


def noise(seed=0):
    """Maps in which everything means something: no two cells are as hot."""
    rng = np.random.default_rng(seed)
    maps = rng.random((5, 5, *GRID)).astype(np.float32)
    maps[:, 1:3] = rng.normal(0, 5, (5, 2, *GRID))
    return maps


def plain_px(points_px, look, transform):
    """Bring pixels of a look to the plain picture, by way of the image: another way than ours."""
    margins = [(a - b) // 2 for a, b in zip(SIZE, look.transform.input_size, strict=True)]
    in_image = look.transform.points_to_image(points_px - margins[::-1])
    if look.mirrored:
        in_image = in_image * (-1, 1) + (transform.image_size[1] - 1, 0)
    return transform.points_to_input(in_image)


def points_of(maps):
    """Return the keypoints and the starts that a head's maps tell, (rows, columns, 2) pixels."""
    cells = np.stack(np.meshgrid(*map(np.arange, GRID[::-1])), axis=-1)
    keypoints = cells + np.moveaxis(maps[3:5], 0, -1)
    return keypoints * STRIDE, (keypoints + np.moveaxis(maps[1:3], 0, -1)) * STRIDE


@pytest.mark.parametrize("how", TRANSFORMS)
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_points_lie_where_the_image_has_them(how, variant):
    transform = TRANSFORMS[how]
    look, maps = variant.look(transform), noise()
    found = on_plain_grid(maps, look, STRIDE)
    for lane, head in ((1, 2), (4, 3)) if variant.flip else ((1, 1), (4, 4)):
        theirs = [plain_px(points, look, transform) for points in points_of(maps[head])]
        ours = points_of(found[lane])
        seen = look.seen(STRIDE)
        assert seen.sum() > 10
        for row, column in np.argwhere(seen):
            # Heat tells which cell of the look speaks; all differ.
            source = np.argwhere(maps[head, 0] == np.float32(found[lane, 0, row, column]))
            assert len(source) == 1
            for mine, its in zip(ours, theirs, strict=True):
                np.testing.assert_allclose(mine[row, column], its[tuple(source[0])], atol=1e-4)
            middle = (np.array([column, row]) + 0.5) * STRIDE - 0.5
            corner = source[0][::-1] * STRIDE
            there = plain_px(corner + STRIDE / 2 - 0.5, look, transform)
            assert np.abs(there - middle).max() <= STRIDE * max(0.5, 0.5 / variant.scale) + 1e-6


def test_left_lanes_of_a_mirrored_picture_are_right_ones():
    maps = np.zeros((5, 5, *GRID), np.float32)
    maps[LaneId.LEFT_EGO, 0, 3, 2] = maps[LaneId.RIGHT_SPLIT_EGO, 0, 4, 5] = 0.9
    found = on_plain_grid(maps, Variant(True).look(TRANSFORMS["whole"]), STRIDE)
    hot = [(LaneId.RIGHT_EGO, 3, 17), (LaneId.LEFT_SPLIT_EGO, 4, 14)]
    assert [tuple(one) for one in np.argwhere(found[:, 0])] == hot


@pytest.mark.parametrize("scale", [0.75, 1.25, 2.0])
def test_a_line_that_is_one_cell_wide_is_not_paled(scale):
    maps = np.zeros((5, 5, *GRID), np.float32)
    maps[0, 0, :, 8] = 0.9  # a column
    look = Variant(False, scale).look(TRANSFORMS["whole"])
    found = on_plain_grid(maps, look, STRIDE)[0, 0]
    rows = look.seen(STRIDE).any(axis=1)
    assert (found[rows].max(axis=1) == np.float32(0.9)).all()
    assert ((found > 0).sum(axis=1) <= 2).all()


def test_where_a_look_sees_nothing_its_vectors_do_not_count():
    looks = [variant.look(TRANSFORMS["whole"]) for variant in parse_variants("flip")]
    plain, mirrored = np.zeros((2, 5, 5, *GRID), np.float32)
    plain[0, :, 3, 5] = (0.6, 4.0, 2.0, 0.5, 0.25)
    mirrored[0, :, 3, 14] = (0.3, -1.0, 5.0, 0.125, 0.75)
    plain[1, :, 2, 2] = (0.6, 4.0, 2.0, 0.5, 0.25)
    mirrored[2, :, 2, 17] = (0.0, 100.0, 100.0, 100.0, 100.0)
    found = merge(looks, [{OUTPUT_LANES: plain}, {OUTPUT_LANES: mirrored}], BLOCK)[OUTPUT_LANES]
    weights, across = np.array([2, 1]) / 3, 1 - 1 / STRIDE - 0.125
    expected = [0.45, weights @ [4.0, 1.0], 3.0, weights @ [0.5, across], weights @ [0.25, 0.75]]
    np.testing.assert_allclose(found[0, :, 3, 5], expected, atol=1e-6)
    np.testing.assert_allclose(found[1, :, 2, 2], (0.3, 4.0, 2.0, 0.5, 0.25), atol=1e-6)


def test_a_picture_that_ends_early_does_not_know_the_start():
    """Zoomed in, the lane leaves the picture before it begins; zoomed out it does not."""
    transform = TRANSFORMS["whole"]
    for scale, counts in ((1.25, False), (0.75, True)):
        looks = [PLAIN.look(transform), Variant(False, scale).look(transform)]
        maps = np.zeros((2, 5, 5, *GRID), np.float32)
        maps[:, :, 0] = 0.5
        maps[0, :, 2], maps[1, :, 2] = 4.0, 2.0
        outputs = [{OUTPUT_LANES: one} for one in maps]
        found = merge(looks, outputs, BLOCK)[OUTPUT_LANES]
        cell = found[0, 2, 4, 10]
        assert cell == pytest.approx((4.0 + 2.0 / scale) / 2 if counts else 4.0, abs=1e-6)
