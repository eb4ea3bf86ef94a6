# SPDX-License-Identifier: Apache-2.0
"""Depth of pictures: units, focal lengths, interpolation, messages."""

import math

import numpy as np
import pytest

from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.images.preprocess import Crop, ImageTransform
from shared_encoder_perception.tasks.contract.refining import Moment
from shared_encoder_perception.tasks.depth.answer import METRIC, RELATIVE, DepthMap
from shared_encoder_perception.tasks.depth.decode import Decoder, Options
from shared_encoder_perception.tasks.depth.depth_msg import (
    focal_of,
    millimetres,
    pinhole,
    points,
)
from shared_encoder_perception.tasks.depth.draw import outline_label, panels
from shared_encoder_perception.tasks.depth.label import Label
from shared_encoder_perception.tasks.depth.refine import NO_FOCAL, RefineOptions, Refiner
from shared_encoder_perception.tasks.depth.spec import OUTPUT_DEPTH, OUTPUT_SIGMA, Block
from shared_encoder_perception.tasks.status import Level

SIZE = (80, 200)
GRID = (20, 50)
BLOCK = Block(depth_stride=4, focal_px=200.0)


def outputs(depth):
    plane = np.broadcast_to(np.asarray(depth, np.float32), GRID)
    return {OUTPUT_DEPTH: np.array(plane), OUTPUT_SIGMA: np.full(GRID, 0.1, np.float32)}


def decoded(depth, image_size=SIZE, options=None, crop=None, block=BLOCK):
    transform = ImageTransform.fit(image_size, SIZE, crop)
    return Decoder(block, SIZE)(outputs(depth), transform, options or Options())


def test_depth_scales_with_the_focal_length():
    """The canonical camera sees what the network says; one of twice its focal length, twice."""
    answer = decoded(10.0)
    assert not answer.in_metres
    for focal, expected in ((200.0, 10.0), (400.0, 20.0), (240.0, 12.0)):
        seen = answer.through(focal)
        np.testing.assert_allclose(seen.depth, expected, rtol=1e-6)
        assert seen.beyond == pytest.approx(BLOCK.max_m * focal / 200.0)
        np.testing.assert_allclose(seen.through(200.0).depth, 10.0, rtol=1e-6)
    np.testing.assert_allclose(decoded(10.0, options=Options(300.0)).depth, 15.0, rtol=1e-6)


def test_a_crop_is_a_longer_lens():
    """Half of a camera's picture, shown as large: the network sees it at half the depth."""
    crop = Crop(50, 20, 100, 40)
    whole, part = decoded(10.0), decoded(5.0, crop=crop)
    inside = np.isfinite(part.depth)
    assert inside.sum() == 100 * 40 and np.isnan(part.depth[0, 0])
    np.testing.assert_allclose(part.depth[crop.window], whole.depth[crop.window], rtol=1e-6)


def test_a_step_has_nothing_between_and_a_plane_is_exact():
    steps = np.full(GRID, 5.0)
    steps[:, 20:] = 50.0
    answer = decoded(steps).through(200.0)
    assert set(np.unique(answer.depth.round(3))) == {5.0, 50.0}
    # A road: inverse depth is linear in the row. Cells of four rows, rows in between.
    row = np.arange(SIZE[0])
    exact = 200.0 * 1.5 / (row + 40.0)
    cells = 200.0 * 1.5 / (4 * np.arange(GRID[0]) + 1.5 + 40.0)
    road = decoded(cells[:, None]).through(200.0)
    np.testing.assert_allclose(road.depth[2:-2, 100], exact[2:-2], rtol=1e-4)


def test_beyond_the_range_is_infinite_and_unsure_is_unknown():
    depth = np.full(GRID, 20.0)
    depth[:5] = BLOCK.max_m * 1.1
    answer = decoded(depth)
    assert np.isposinf(answer.depth[:16]).all() and np.isnan(answer.sigma[:16]).all()
    assert np.isfinite(answer.depth[24:]).all()
    unsure = decoded(depth, options=Options(unknown_above=0.05))
    assert np.isnan(unsure.depth).all()


def test_relative_depth_never_becomes_metres():
    answer = decoded(10.0, block=Block(RELATIVE, 200.0, depth_stride=4), options=Options(300.0))
    assert not answer.in_metres and not answer.through(500.0).in_metres


@pytest.mark.parametrize("focal", [0.0, -3.0, math.nan, math.inf])
def test_what_is_no_focal_length_is_refused(focal):
    with pytest.raises(ValueError, match="focal length"):
        decoded(10.0).through(focal)


def test_arrays_of_another_kind_are_refused():
    with pytest.raises(ValueError, match="float32"):
        DepthMap(np.ones(SIZE))
    with pytest.raises(ValueError, match="sigma"):
        DepthMap(np.ones(SIZE, np.float32), np.ones((2, 2), np.float32))
    with pytest.raises(ValueError, match="expected the image's"):
        DepthMap(np.ones(SIZE, np.float32)).check((3, 4))


def test_millimetres_are_the_raw_form():
    depth = np.array([[np.nan, np.inf, 1.2344, 65.535, 65.6, 0.0004]], np.float32)
    assert millimetres(depth).tolist() == [[0, 0, 1234, 65535, 0, 0]]


LENSES = {
    "pinhole": pinhole(150.0, SIZE),
    "plumb_bob": CameraModel(
        SIZE,
        np.array([[150.0, 0, 97.0], [0, 150.0, 42.0], [0, 0, 1]]),
        np.array([-0.25, 0.06, 0.001, -0.002, 0.0]),
        False,
        np.eye(3),
        (1, 1),
        (0.0, 0.0),
    ),
    "fisheye": CameraModel(
        SIZE,
        np.array([[80.0, 0, 99.0], [0, 80.0, 39.0], [0, 0, 1]]),
        np.array([0.05, -0.01, 0.0, 0.0]),
        True,
        np.eye(3),
        (1, 1),
        (0.0, 0.0),
    ),
}


@pytest.mark.parametrize("lens", LENSES.values(), ids=LENSES)
def test_points_lie_on_their_pixels_rays_at_their_depth(lens):
    depth = np.full(SIZE, 7.0, np.float32)
    depth[0, 0], depth[1, 1] = np.nan, np.inf
    found = points(depth, lens)
    assert np.isnan(found[0, 0]).all() and np.isnan(found[1, 1]).all()
    y, x = np.mgrid[10 : SIZE[0] - 10 : 7, 10 : SIZE[1] - 10 : 9]
    chosen = found[y, x].reshape(-1, 3)
    np.testing.assert_allclose(chosen[:, 2], 7.0)
    back = lens.pixels(chosen)
    np.testing.assert_allclose(back, np.stack((x, y), axis=-1).reshape(-1, 2), atol=0.03)


def test_a_rectified_cameras_points_are_those_of_depth_image_proc():
    """``x = (u - cx) z / fx``, of image_pipeline's convertDepth, within a millimetre."""
    lens = LENSES["pinhole"]
    depth = np.random.default_rng(0).uniform(1, 60, SIZE).astype(np.float32)
    found = points(depth, lens)
    v, u = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
    (fx, _, cx), (_, fy, cy) = lens.matrix[:2]
    np.testing.assert_allclose(found[..., 0], (u - cx) * depth / fx, atol=1e-3)
    np.testing.assert_allclose(found[..., 1], (v - cy) * depth / fy, atol=1e-3)


def test_the_refiner_says_what_is_missing():
    refiner = Refiner(RefineOptions())
    answer = refiner(decoded(10.0), Moment(SIZE, 0.0))
    assert not answer.in_metres
    status = refiner.statuses()["depth"]
    assert (status.level, status.message) == (Level.WARN, NO_FOCAL)
    answer = refiner(decoded(10.0), Moment(SIZE, 0.0, lens_problem="the image is 3x4"))
    assert refiner.statuses()["depth"] == type(status)(Level.ERROR, "the image is 3x4")
    answer = refiner(decoded(10.0), Moment(SIZE, 0.0, lens=pinhole(300.0, SIZE)))
    np.testing.assert_allclose(answer.depth, 15.0, rtol=1e-6)
    assert refiner.statuses()["depth"].values["focal length from"] == "CameraInfo"
    told = decoded(10.0, options=Options(250.0))
    assert refiner(told, Moment(SIZE, 0.0)).focal_px == 250.0
    assert refiner.statuses()["depth"].values["focal length from"] == "depth.source_focal_px"


def test_pixels_that_are_not_square_are_refused():
    lens = CameraModel(
        SIZE, np.diag([300.0, 200.0, 1.0]), np.zeros(0), False, np.eye(3), (1, 1), (0.0, 0.0)
    )
    with pytest.raises(ValueError, match="square"):
        focal_of(lens)
    refiner = Refiner(RefineOptions())
    assert not refiner(decoded(10.0), Moment(SIZE, 0.0, lens=lens)).in_metres
    assert refiner.statuses()["depth"].level == Level.ERROR


def test_a_label_without_metres_is_drawn_up_to_its_scale():
    ramp = np.linspace(4.0, 60.0, SIZE[0], dtype=np.float32)[:, None].repeat(SIZE[1], 1)
    answer = DepthMap(ramp, focal_px=200.0)
    _, _, right = panels(answer, Label(ramp, 200.0))
    _, _, scaled = panels(answer, Label(ramp * 50, 200.0, RELATIVE))
    assert (scaled == right).all()
    _, _, wrong = panels(answer, Label(ramp * 50, 200.0, METRIC))
    assert (wrong != right).any()
    outlines = []
    for scale in (0.01, 100.0):
        outlines.append(np.zeros((*SIZE, 3), np.uint8))
        outline_label(outlines[-1], Label(ramp * np.float32(scale), 200.0, RELATIVE))
    assert outlines[0].any() and (outlines[0] == outlines[1]).all()
