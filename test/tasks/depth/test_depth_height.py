# SPDX-License-Identifier: Apache-2.0
"""The scale of depth by how high the camera is: planes, what hides them, what is none."""

import math
from dataclasses import replace

import numpy as np
import pytest
from flat_ground import camera as rig_camera

from shared_encoder_perception.ground.calibrated import CalibratedCamera
from shared_encoder_perception.ground.options import GroundOptions
from shared_encoder_perception.ground.view import HomographyView
from shared_encoder_perception.images.preprocess import Crop, ImageTransform
from shared_encoder_perception.tasks.contract.refining import Moment
from shared_encoder_perception.tasks.depth.answer import RELATIVE, DepthMap
from shared_encoder_perception.tasks.depth.calibrate import Events
from shared_encoder_perception.tasks.depth.decode import Decoder, Options
from shared_encoder_perception.tasks.depth.depth_msg import pinhole
from shared_encoder_perception.tasks.depth.height import at_height, find_road
from shared_encoder_perception.tasks.depth.label import Label
from shared_encoder_perception.tasks.depth.metric import Metric
from shared_encoder_perception.tasks.depth.refine import RefineOptions, Refiner
from shared_encoder_perception.tasks.depth.spec import OUTPUT_DEPTH, OUTPUT_SIGMA, Block
from shared_encoder_perception.world.camera import Camera, FlatRoad

SIZE, FOCAL, HEIGHT = (160, 400), 380.0, 1.7
LENS = pinhole(FOCAL, SIZE)
WHOLE = Crop(0, 0, SIZE[1], SIZE[0])


def flat_road(height_m=HEIGHT, pitch=0.06, roll=0.02):
    """(H, W) depth of a flat road, NaN above the horizon."""
    centre = ((SIZE[1] - 1) / 2, (SIZE[0] - 1) / 2)
    return FlatRoad(Camera(SIZE, FOCAL, centre, height_m, pitch, 0.0, roll, 0.0))()


def answer(depth, **options):
    return DepthMap(np.asarray(depth, np.float32), focal_px=FOCAL, lens=LENS, **options)


@pytest.mark.parametrize("height_m", [0.8, 1.7, 3.0])
@pytest.mark.parametrize(("pitch", "roll"), [(0.0, 0.0), (0.3, 0.05), (-0.05, -0.1)])
def test_a_flat_road_tells_how_high_its_camera_is(height_m, pitch, roll):
    road = find_road(flat_road(height_m, pitch, roll), LENS)
    assert road.height_m == pytest.approx(height_m, rel=1e-3)
    assert road.share > 0.99


@pytest.mark.parametrize(
    "lens", [{"distortion": (-0.2, 0.05, 0, 0)}, {"fisheye": True, "focal_px": 250.0}], ids=str
)
def test_so_it_does_through_any_lens(lens):
    """Points on the ground, seen through the lens: depth is along the optical axis."""
    view = rig_camera("front", 3.0, place=(1.0, 0.2, 1.4), roll_deg=2.0, size=SIZE, **lens).view
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    pixels = np.stack((columns.ravel(), rows.ravel()), axis=1)
    rays = view.camera.rays(pixels)
    down = (rays @ view.extrinsics.rotation.T)[:, 2]
    with np.errstate(invalid="ignore", divide="ignore"):
        depth = np.where(down < 0, -1.4 * rays[:, 2] / down, np.nan)
    road = find_road(depth.reshape(SIZE).astype(np.float32), view.camera)
    assert road.height_m == pytest.approx(1.4, rel=2e-3)


def test_what_stands_on_the_road_does_not_move_it():
    depth = flat_road()
    depth[30:150, 60:150] = 9.0
    depth[60:140, 280:390] = 5.0
    road = find_road(depth, LENS)
    assert road.height_m == pytest.approx(HEIGHT, rel=0.02)
    assert 0.5 < road.share < 0.9
    assert find_road(depth, LENS) == road  # the same for the same picture


NOISE = np.random.default_rng(0).uniform(2, 60, SIZE)


@pytest.mark.parametrize(
    "depth",
    [
        np.full(SIZE, 12.0),
        NOISE,
        np.full(SIZE, np.nan),
        np.full(SIZE, np.inf),
        flat_road()[::-1].copy(),
    ],
    ids=["a wall", "noise", "nothing", "sky", "a ceiling"],
)
def test_what_is_no_road_scales_nothing(depth):
    assert find_road(depth.astype(np.float32), LENS) is None
    said = answer(depth)
    assert at_height(said, HEIGHT) is said


@pytest.mark.parametrize("wrong", [0.5, 0.8, 1.3, 2.5])
def test_the_height_takes_out_a_wrong_scale(wrong):
    """Of all that is seen, not of the road alone."""
    truth = flat_road()
    truth[20:100, 100:150] = 12.0
    said = answer(truth * wrong, sigma=np.full(SIZE, 0.2, np.float32), sigma_by_height=0.5)
    mended = at_height(said, HEIGHT)
    np.testing.assert_allclose(mended.depth, truth, rtol=0.02)
    assert mended.scaled_by == pytest.approx(1 / wrong, rel=0.02)
    assert mended.height_m == HEIGHT and np.unique(mended.sigma) == np.float32(0.1)
    again = at_height(mended, HEIGHT)
    assert again.scaled_by == pytest.approx(mended.scaled_by, rel=1e-5)
    assert np.unique(again.sigma) == np.float32(0.1)  # narrowed once


def test_a_scale_off_by_more_than_any_is_another_plane():
    said = answer(flat_road() * 4)
    assert at_height(said, HEIGHT) is said


def test_without_metres_or_where_it_is_not_wanted_nothing_is_scaled():
    fixed = answer(flat_road(), fixed=True)
    for said in (DepthMap(flat_road()), replace(fixed, kind=RELATIVE, fixed=False), fixed):
        assert at_height(said, HEIGHT) is said


@pytest.mark.parametrize("height_m", [0.0, -1.0, math.nan, math.inf])
def test_no_height_is_refused(height_m):
    with pytest.raises(ValueError, match=r"height is .* m, expected more than 0"):
        at_height(answer(flat_road()), height_m)


def calibrated(height_m):
    view = rig_camera("front", 0.0, place=(0.0, 0.0, height_m), size=SIZE).view
    values = dict.fromkeys(GroundOptions.__annotations__, 0.0)
    return CalibratedCamera(view, GroundOptions(**values))


@pytest.mark.parametrize(
    ("options", "pose_m", "expected_m"),
    [
        (RefineOptions(), None, math.nan),
        (RefineOptions(), 2.0, 2.0),
        (RefineOptions(height_m=1.2), None, 1.2),
        (RefineOptions(height_m=1.2), 2.0, 2.0),
    ],
    ids=["nobody knows", "pose", "parameter", "the pose comes first"],
)
def test_the_node_scales_by_what_is_known(options, pose_m, expected_m):
    camera = None if pose_m is None else calibrated(pose_m)
    moment = Moment(SIZE, 0.0, camera, LENS)
    refiner = Refiner(options)
    refined = refiner(DepthMap(flat_road() / FOCAL), moment)
    assert refined.height_m == pytest.approx(expected_m, nan_ok=True)
    wanted = HEIGHT if math.isnan(expected_m) else expected_m
    assert find_road(refined.depth, LENS).height_m == pytest.approx(wanted, rel=1e-3)
    told = refiner.statuses()["depth"].values
    assert ("camera height (m)" in told) == (not math.isnan(expected_m))


def test_a_homography_does_not_say_how_high_its_camera_is():
    """Its parameters have a height, which nobody need have set."""
    values = dict.fromkeys(GroundOptions.__annotations__, 0.0)
    matrix = np.array([[0.01, 0, 1], [0, 0.01, 2], [0, 0, 1.0]])
    view = HomographyView.from_matrix(matrix, SIZE, (0.0, 0.0, 1.5), 0.0)
    moment = Moment(SIZE, 0.0, CalibratedCamera(view, GroundOptions(**values)), LENS)
    said = DepthMap(flat_road() / FOCAL)
    assert math.isnan(Refiner(RefineOptions())(said, moment).height_m)
    assert Refiner(RefineOptions(height_m=1.2))(said, moment).height_m == 1.2


BLOCK = Block(depth_stride=1, focal_px=FOCAL, sigma_scale=2.0, sigma_scale_height=0.5)
TRANSFORM = ImageTransform.fit(SIZE, SIZE, None)


def outputs(depth):
    said = np.where(np.isnan(depth), 1e6, depth).astype(np.float32)
    return {OUTPUT_DEPTH: said, OUTPUT_SIGMA: np.full(SIZE, 0.1, np.float32)}


@pytest.mark.parametrize(("by_height", "expected"), [(0.5, 0.05), (0.0, 0.2)])
def test_offline_it_is_told_beside_the_focal_length(by_height, expected):
    """A model that was not calibrated for it keeps its deviations."""
    decode = Decoder(replace(BLOCK, sigma_scale_height=by_height), SIZE)
    found = decode(outputs(flat_road() * 1.5), TRANSFORM, Options(FOCAL, HEIGHT))
    known = np.isfinite(found.depth)
    np.testing.assert_allclose(found.depth[known], flat_road()[known], rtol=1e-3)
    np.testing.assert_allclose(found.sigma[known], expected, rtol=1e-5)
    alone = decode(outputs(flat_road() * 1.5), TRANSFORM, Options(0.0, HEIGHT))
    assert not alone.in_metres and math.isnan(alone.height_m)


def test_scores_tell_what_the_height_would_mend():
    metric = Metric()
    truth = flat_road()
    metric.update(answer(truth * 1.3), Label(truth, FOCAL, height_m=HEIGHT), SIZE, WHOLE)
    metric.update(answer(truth * 1.3), Label(truth, FOCAL), SIZE, WHOLE)
    found = metric.compute()["depth"]
    assert found["absrel"] == pytest.approx(0.3, rel=1e-3) and found["images"] == 2
    assert found["known_height"]["images"] == 1
    assert found["known_height"]["absrel"] < 1e-3


def test_deviations_are_calibrated_for_both():
    """A model that is wrong by its scale alone is nearly sure once that is known."""
    events = Events(Block(depth_stride=1, focal_px=FOCAL), SIZE)
    rng = np.random.default_rng(3)
    for _ in range(12):
        wrong = math.exp(rng.normal(0, 0.2))
        label = Label(flat_road(), FOCAL, height_m=HEIGHT)
        events.update("worlds", False, outputs(flat_road() * wrong), TRANSFORM, label)
    block = events.fit()
    assert 0 < block.sigma_scale_height < 0.1 * block.sigma_scale
    without = Events(Block(depth_stride=1, focal_px=FOCAL), SIZE)
    without.update("lidar", True, outputs(flat_road()), TRANSFORM, Label(flat_road(), FOCAL))
    assert without.fit().sigma_scale_height == 0.0
