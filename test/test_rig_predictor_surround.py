# SPDX-License-Identifier: Apache-2.0
"""A model that is asked of the rig itself: its view table, its cells, and one camera less."""

import numpy as np
import pytest
from flat_ground import camera, four_cameras, pictures

pytest.importorskip("torch", reason="the model is exported from torch: make test")
pytest.importorskip("timm", reason="the model is exported from torch: make test")

from shared_encoder_perception import tasks
from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.rig.table import Sight
from shared_encoder_perception.rig_predictor import RigPredictor

GRID = BevGrid()


@pytest.fixture(scope="module")
def backend(rig_model):
    return load_backend(rig_model("drivable_surface"))


@pytest.fixture(scope="module")
def rig():
    return four_cameras()


@pytest.fixture(scope="module")
def images(rig):
    return pictures(rig)


def infer(backend, rig, images, table):
    """Return the planes of the ground by the engine itself."""
    size = backend.spec.input_size
    shown = [one.transform(size).image_to_input(images[one.name]) for one in rig.cameras]
    inputs = {"view_place": table.place[None], "view_weight": table.weight[None]}
    return backend.infer({"image": np.stack(shown), **inputs})["surround"][0]


def noise(camera):
    return np.random.default_rng(0).integers(0, 256, (*camera.image_size, 3), np.uint8)


def test_the_network_is_given_the_view_table_of_the_rig(backend, rig, images):
    found = RigPredictor(backend, rig).predict(images)
    sight = Sight.of(rig, GRID, backend.spec.input_size)
    planes = infer(backend, rig, images, sight.table())
    np.testing.assert_array_equal(found.surround.seen, sight.seen())
    np.testing.assert_array_equal(found.surround.vehicle[sight.seen()], planes[0][sight.seen()])
    assert np.isnan(found.surround.vehicle[~sight.seen()]).all()
    assert set(found.cameras["front"].answers) == {"drivable_surface"}
    assert found.task in tasks.RIG_ROOMS


def test_answers_to_single_pictures_are_those_of_the_rigs_one_pass(backend, rig, images):
    together = RigPredictor(backend, rig).predict(images)
    for name in ("front", "right"):
        alone = RigPredictor(backend, rig.only([name])).predict({name: images[name]})
        one, other = (
            found.cameras[name].answers["drivable_surface"].probability.astype(int)
            for found in (together, alone)
        )
        assert np.abs(one - other).max() <= 1


def test_a_missing_camera_loses_its_private_cells(backend, rig, images):
    predictor = RigPredictor(backend, rig)
    whole = predictor.predict(images)
    sight = Sight.of(rig, GRID, backend.spec.input_size)
    for name in rig.names:
        rest = [other for other in rig.names if other != name]
        less = predictor.predict({**images, name: None})
        assert less.missing == (name,)
        assert tuple(less.cameras) == tuple(rest)
        np.testing.assert_array_equal(less.surround.seen, sight.seen(rest))
        assert less.surround.seen.sum() < whole.surround.seen.sum()
        # Its picture is of no weight, whatever it shows: noise here, black there.
        planes = infer(backend, rig, {**images, name: noise(rig[name])}, sight.table(live=rest))
        seen = less.surround.seen
        np.testing.assert_allclose(less.surround.vehicle[seen], planes[0][seen], atol=1e-6)
    again = predictor.predict(images)
    np.testing.assert_array_equal(again.surround.vehicle, whole.surround.vehicle)


def test_the_order_of_the_cameras_changes_nothing_but_rounding(backend, rig, images):
    first = RigPredictor(backend, rig).predict(images).surround
    turned = RigPredictor(backend, rig.ordered(rig.names[::-1])).predict(images).surround
    np.testing.assert_array_equal(first.seen, turned.seen)
    np.testing.assert_allclose(first.vehicle, turned.vehicle, atol=1e-4)


def test_another_calibration_makes_another_table_and_the_same_one_none(backend, rig, images):
    predictor = RigPredictor(backend, rig)
    before = predictor.predict(images).surround
    same, turned = predictor.view_of(four_cameras()), predictor.view_of(rig.turned(0.5))
    assert same.sight is predictor.view_of(rig).sight
    assert turned.sight is not same.sight
    predictor.set_rig(turned)
    after = predictor.predict(images).surround
    expected = RigPredictor(backend, rig.turned(0.5)).predict(images).surround
    np.testing.assert_array_equal(after.vehicle, expected.vehicle)
    assert not np.array_equal(after.seen, before.seen)


def test_a_picture_alone_is_refused_with_what_to_do(backend):
    with pytest.raises(ValueError, match=r"answers surround, which takes .* predict --rig rig"):
        Predictor(backend)


def test_another_grid_than_the_models_is_refused(backend, rig):
    assert RigPredictor(backend, rig, GRID).grid == GRID
    with pytest.raises(ValueError, match="has the grid BevGrid"):
        RigPredictor(backend, rig, BevGrid(cells_x=60))


def test_a_rig_that_sees_nothing_is_refused(backend):
    with pytest.raises(ValueError, match=r"no camera of the rig \(sky\) sees anything of the grid"):
        RigPredictor(backend, Rig((camera("sky", 0.0, (0.0, 0.0, 5.0), pitch_deg=-60.0),)))


def test_warming_up_takes_a_table(backend, rig):
    RigPredictor(backend, rig).warm_up()
