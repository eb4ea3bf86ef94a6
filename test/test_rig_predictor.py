# SPDX-License-Identifier: Apache-2.0
"""Several cameras of one vehicle: what each sees as if alone, and one map of the ground."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from flat_ground import camera, four_cameras, pictures, shown, town
from specs import spec_of
from tiny_model import write_tiny_model

from shared_encoder_perception import tasks
from shared_encoder_perception.backends import DEFAULT_MODEL, load_backend
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.images.variants import parse_variants
from shared_encoder_perception.predictor import STAGES, Predictor
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.rig_predictor import RigPredictor
from shared_encoder_perception.tasks.depth.depth_msg import focal_of
from shared_encoder_perception.tasks.depth.height import at_height
from shared_encoder_perception.world.synthetic import Drive

GRID = BevGrid()
OTHER = BevGrid(-5.0, -10.0, 60, 40, 0.5)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Return a model whose mask is the green channel: it knows the flat world exactly."""
    return load_backend(write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx"))


@pytest.fixture(scope="module")
def lanes_only(tmp_path_factory):
    spec = spec_of("half", "1", tasks=("lanes",))
    return load_backend(write_tiny_model(tmp_path_factory.mktemp("model") / "half.onnx", spec))


def on_ground(rig, grid=GRID):
    """Return the centres of cells as points, (Y * X, 3)."""
    flat = grid.centres().reshape(-1, 2)
    return np.concatenate((flat, np.zeros((len(flat), 1))), axis=1)


def equal(one, other):
    """Hold two answers to one picture against each other."""
    assert one.answers.keys() == other.answers.keys()
    mask, expected = one.answers["drivable_surface"], other.answers["drivable_surface"]
    np.testing.assert_array_equal(mask.probability, expected.probability)
    for found, lane in zip(one.answers["lanes"].lines, other.answers["lanes"].lines, strict=True):
        np.testing.assert_array_equal(found.points_px, lane.points_px)
        assert (found.status, found.confidence) == (lane.status, lane.confidence)
    assert one.crop == other.crop


def test_each_camera_sees_what_it_would_see_alone():
    backend = load_backend(DEFAULT_MODEL)
    frames = [Drive(seed, (320, 800)).render().image for seed in range(3)]
    rig = Rig(tuple(camera(name, yaw) for name, yaw in (("a", 0.0), ("b", 90.0), ("c", 180.0))))
    images = dict(zip(rig.names, frames, strict=True))
    predictor, alone = RigPredictor(backend, rig), Predictor(backend)
    together = predictor.predict(images)
    assert tuple(together.cameras) == rig.names
    for name, image in images.items():
        equal(together.cameras[name], alone(image))
    assert tuple(together.stage_ms) == STAGES
    assert not together.missing
    backend.close()


def test_the_place_of_each_camera_scales_its_depth():
    """Depth of a camera that is mounted higher is larger: the picture does not tell."""
    backend = load_backend(DEFAULT_MODEL)
    image = Drive(3, (320, 800)).render().image
    places = {"low": (0.0, 0.0, 1.2), "high": (0.0, 0.0, 2.4), "below": (0.0, 0.0, -0.1)}
    rig = Rig(tuple(camera(name, 0.0, place=place) for name, place in places.items()))
    predictor = RigPredictor(backend, rig)
    seen = predictor.predict(dict.fromkeys(rig.names, image)).cameras
    low, high, below = (seen[name].answers["depth"] for name in places)
    assert (low.height_m, high.height_m) == (1.2, 2.4) and math.isnan(below.height_m)
    assert high.scaled_by == pytest.approx(2 * low.scaled_by, rel=1e-3)
    lens = rig.cameras[0].view.camera
    alone = Predictor(backend)(image).answers["depth"].through(focal_of(lens), lens)
    np.testing.assert_allclose(low.depth, at_height(alone, 1.2).depth, rtol=1e-5)
    own = predictor.options
    predictor.options = {**own, "depth": replace(own["depth"], by_height=False)}
    for seen in predictor.predict(dict.fromkeys(rig.names, image)).cameras.values():
        np.testing.assert_allclose(seen.answers["depth"].depth, alone.depth, rtol=1e-5)
    backend.close()


def test_the_map_is_the_shipped_models_mask_at_the_projected_cells():
    backend = load_backend(DEFAULT_MODEL)
    front = camera("front", 0.0, (0.0, 0.0, 1.5), pitch_deg=2.0, focal_px=700.0)
    image = Drive(3, (320, 800)).render().image
    found = RigPredictor(backend, Rig((front,))).predict({"front": image})
    mask = Predictor(backend)(image).answers["drivable_surface"]
    pixels = front.see(on_ground(front))
    seen = np.isfinite(pixels).all(axis=1)
    rows = np.floor(pixels[seen] + 0.5).astype(int)
    inside = rows[:, 1] >= mask.crop.y
    expected = mask.probability[rows[inside, 1], rows[inside, 0]] / np.float32(255)
    said = found.surround.drivable.ravel()
    np.testing.assert_array_equal(said[np.flatnonzero(seen)[inside]], expected)
    assert np.isfinite(said).sum() == inside.sum()
    assert expected.max() > 0.9
    assert expected.min() < 0.1
    assert found.surround.drivable_threshold == pytest.approx(mask.threshold / 255)
    backend.close()


def test_a_town_is_mapped_by_four_cameras_of_different_lenses_and_sizes(tiny):
    rig = four_cameras()
    found = RigPredictor(tiny, rig, GRID).predict(pictures(rig)).surround
    truth = town(*np.moveaxis(GRID.centres(), -1, 0))
    right = (found.binary("drivable") > 0) == truth
    assert found.seen.mean() > 0.85
    assert right[found.seen].mean() > 0.99
    assert found.vehicle is None
    assert found.objects == ()
    np.testing.assert_array_equal(np.isnan(found.drivable), ~found.seen)


def test_the_order_of_the_cameras_changes_nothing(tiny):
    rig = four_cameras()
    images = pictures(rig)
    first = RigPredictor(tiny, rig).predict(images)
    names = ("right", "front", "rear", "left")
    again = RigPredictor(tiny, rig.ordered(names)).predict(dict(reversed(images.items())))
    assert tuple(again.cameras) == names
    np.testing.assert_array_equal(again.surround.drivable, first.surround.drivable)
    for name in names:
        equal(again.cameras[name], first.cameras[name])


@pytest.mark.parametrize("none", [True, False])
def test_a_missing_camera_takes_its_private_cells_along_and_nothing_else(tiny, none):
    rig = four_cameras()
    images = pictures(rig)
    predictor = RigPredictor(tiny, rig)
    whole = predictor.predict(images).surround
    for name in rig.names:
        rest = {other: image for other, image in images.items() if other != name}
        less = predictor.predict({**rest, name: None} if none else rest)
        assert less.missing == (name,)
        assert name not in less.cameras
        others = RigPredictor(tiny, rig.only(rest)).predict(rest).surround
        np.testing.assert_array_equal(less.surround.drivable, others.drivable)
        own = np.isfinite(
            RigPredictor(tiny, rig.only([name])).predict({name: images[name]}).surround.drivable
        )
        np.testing.assert_array_equal(less.surround.drivable[~own], whole.drivable[~own])
        assert (whole.seen & ~less.surround.seen).sum() > 50
        assert not (less.surround.seen & ~whole.seen).any()


def test_another_calibration_gives_the_map_that_it_would_have_given_from_the_start(tiny):
    rig = four_cameras()
    images = pictures(rig)
    turned = rig.turned(np.deg2rad(30))
    predictor = RigPredictor(tiny, rig)
    before = predictor.predict(images).surround.drivable
    predictor.set_rig(predictor.view_of(turned))
    found = predictor.predict(images).surround.drivable
    np.testing.assert_array_equal(
        found, RigPredictor(tiny, turned).predict(images).surround.drivable
    )
    assert not np.array_equal(np.isfinite(found), np.isfinite(before))
    predictor.set_rig(rig)
    np.testing.assert_array_equal(predictor.predict(images).surround.drivable, before)


def test_the_grid_is_the_one_that_is_asked_for(tiny):
    rig = four_cameras()
    found = RigPredictor(tiny, rig, OTHER).predict(pictures(rig)).surround
    assert found.grid == OTHER
    assert found.drivable.shape == (40, 60)


def test_several_pictures_of_each_camera_are_made_one(tiny):
    backend = load_backend(DEFAULT_MODEL)
    front = camera("front", 0.0, pitch_deg=2.0, focal_px=700.0)
    image = Drive(3, (320, 800)).render().image
    variants = parse_variants("flip")
    predictor = RigPredictor(backend, Rig((front,)), variants=variants)
    found = predictor.predict({"front": image}).cameras["front"]
    equal(found, Predictor(backend, variants=variants)(image))
    backend.close()


def test_pictures_that_do_not_belong_to_the_rig_are_refused_by_the_cameras_name(tiny):
    rig = four_cameras()
    images, predictor = pictures(rig), RigPredictor(tiny, rig)
    with pytest.raises(
        ValueError, match="camera 'roof', which the rig does not have: it has front"
    ):
        predictor.predict({**images, "roof": images["front"]})
    small = {**images, "rear": images["rear"][:, :600]}
    with pytest.raises(ValueError, match=r"camera rear is uint8 \(480, 600, 3\), .* for 640x480"):
        predictor.predict(small)
    with pytest.raises(ValueError, match="camera left is float64"):
        predictor.predict({**images, "left": images["left"] / 255})
    with pytest.raises(ValueError, match="no picture of any camera: front, left, rear, right"):
        predictor.predict({"front": None})


def test_a_model_that_knows_nothing_of_the_ground_is_refused_with_what_to_do(lanes_only):
    with pytest.raises(ValueError, match=r"answers lanes, .* one of those .* drivable_surface"):
        RigPredictor(lanes_only, four_cameras())


def test_a_rig_that_sees_no_ground_is_refused(tiny):
    up = camera("sky", 0.0, pitch_deg=-60.0)
    with pytest.raises(ValueError, match=r"no camera of the rig \(sky\) sees any of the ground"):
        RigPredictor(tiny, Rig((up,)))


def test_warming_up_takes_all_cameras(tiny):
    asked = []
    spy = SimpleNamespace(
        spec=tiny.spec,
        info=tiny.info,
        infer=lambda inputs: (asked.append(len(inputs["image"])), tiny.infer(inputs))[1],
    )
    RigPredictor(spy, four_cameras()).warm_up()
    assert asked == [4]


def test_the_own_vehicle_is_not_known(tiny):
    own = np.zeros((320, 800), bool)
    own[200:] = True
    front = camera("front", 0.0)
    images = {"front": shown(front, town)}
    free = RigPredictor(tiny, Rig((front,))).predict(images).surround.seen
    masked = RigPredictor(tiny, Rig((replace(front, own=own),))).predict(images).surround.seen
    assert (masked <= free).all()
    assert masked.sum() < free.sum()


def test_rooms_say_themselves_which_map_they_fill(tiny, monkeypatch):
    """Of two that fill the same one, the first of the table counts; without any there is none."""
    rig, images = four_cameras(), pictures(four_cameras())
    known = tasks.parts("on_ground")
    half = SimpleNamespace(
        MAP="drivable",
        read=lambda answer, pixels: np.full(len(pixels), 0.25, np.float32),
        threshold=lambda options: 0.2,
    )
    monkeypatch.setattr(tasks, "parts", lambda file, names=None: {"lanes": half, **known})
    found = RigPredictor(tiny, rig).predict(images).surround
    assert np.unique(found.drivable[found.seen]).tolist() == [0.25]
    assert found.drivable_threshold == 0.2


def test_each_camera_is_cropped_as_its_rig_says(tiny):
    low, high = Crop(0, 120, 800, 200), Crop(100, 20, 500, 280)
    rig = Rig((replace(camera("a", 0.0), crop=low), replace(camera("b", 90.0), crop=high)))
    images = pictures(rig)
    found = RigPredictor(tiny, rig).predict(images)
    alone = Predictor(tiny)
    for one in rig.cameras:
        equal(found.cameras[one.name], alone(images[one.name], one.crop))
        assert found.cameras[one.name].crop == one.crop
    rows = rig["a"].see(on_ground(rig))[:, 1].reshape(GRID.shape)
    beyond = rows < low.y - 0.5
    assert beyond.sum() > 100
    assert not found.surround.seen[beyond].any()
