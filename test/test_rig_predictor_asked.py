# SPDX-License-Identifier: Apache-2.0
"""Answers for single cameras that nobody asks for cost nothing, and the others stay as they are."""

import numpy as np
import pytest
from decode_counts import counted
from flat_ground import four_cameras, pictures

from shared_encoder_perception import tasks
from shared_encoder_perception.backends import DEFAULT_MODEL, load_backend
from shared_encoder_perception.images.variants import parse_variants
from shared_encoder_perception.rig_predictor import RigPredictor

OF_CAMERAS = ("lanes", "drivable_surface", "depth")


@pytest.fixture
def decoded(monkeypatch):
    return counted(monkeypatch)


@pytest.fixture(scope="module")
def of_rig(rig_model):
    """Return a predictor of a model that is asked of the rig, and of each camera."""
    pytest.importorskip("torch", reason="the model is exported from torch: make test")
    pytest.importorskip("timm", reason="the model is exported from torch: make test")
    return RigPredictor(load_backend(rig_model(*OF_CAMERAS)), four_cameras())


@pytest.fixture(scope="module")
def on_ground():
    """Return a predictor whose map is made of the cameras' answers."""
    return RigPredictor(load_backend(DEFAULT_MODEL), four_cameras())


def same(one, other):
    """Hold two values against each other, bit for bit, whatever they are made of."""
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    elif isinstance(one, (tuple, list)):
        assert len(one) == len(other)
        for mine, its in zip(one, other, strict=True):
            same(mine, its)
    elif hasattr(one, "__dataclass_fields__"):
        assert type(one) is type(other)
        for name in one.__dataclass_fields__:
            same(getattr(one, name), getattr(other, name))
    else:
        assert one == other or (one != one and other != other)


@pytest.mark.parametrize(
    "asked", [(), ("lanes",), ("drivable_surface", "depth"), OF_CAMERAS], ids=len
)
def test_only_what_is_asked_is_decoded_and_says_the_same(of_rig, decoded, asked):
    images = pictures(of_rig.rig)
    whole = of_rig.predict(images)
    assert decoded == dict.fromkeys(OF_CAMERAS, 4)
    decoded.clear()
    found = of_rig.predict(images, asked)
    assert decoded == dict.fromkeys(asked, 4)
    same(found.surround, whole.surround)
    assert tuple(found.cameras) == of_rig.rig.names
    for name, camera in found.cameras.items():
        assert set(camera.answers) == set(asked)
        assert camera.crop == whole.cameras[name].crop
        assert camera.image_size == whole.cameras[name].image_size
        for task, answer in camera.answers.items():
            same(answer, whole.cameras[name].answers[task])
    same(of_rig.predict(images).surround, whole.surround)


def test_a_map_that_is_made_of_answers_still_has_them(on_ground, decoded):
    images = pictures(on_ground.rig)
    found = on_ground.predict(images, ())
    assert decoded == {"drivable_surface": 4}
    whole = on_ground.predict(images)
    assert decoded == {"drivable_surface": 8, "lanes": 4, "semantic": 4, "depth": 4}
    assert whole.surround.seen.any()
    same(found.surround, whole.surround)


def test_what_is_asked_follows_the_options_and_the_rig(on_ground):
    images = pictures(on_ground.rig)
    predictor = RigPredictor(on_ground.backend, on_ground.rig)
    before = predictor.predict(images, ["drivable_surface"])
    decode = tasks.part("drivable_surface", "decode")
    other = decode.Options(mask_threshold=0.9)
    predictor.options = {**predictor.options, "drivable_surface": other}
    predictor.set_rig(predictor.view_of(on_ground.rig.turned(0.5)))
    after = predictor.predict(images, ["drivable_surface"])
    same(after.surround, predictor.predict(images).surround)
    assert after.surround.drivable_threshold != before.surround.drivable_threshold
    assert (after.surround.seen != before.surround.seen).any()


def test_several_pictures_of_each_camera_are_made_one(on_ground, decoded):
    images = pictures(on_ground.rig)
    predictor = RigPredictor(on_ground.backend, on_ground.rig, variants=parse_variants("flip"))
    found = predictor.predict(images, ())
    assert decoded == {"drivable_surface": 4}
    same(found.surround, predictor.predict(images).surround)


@pytest.mark.parametrize("name", ["semantic", "no_such", "surround"])
def test_what_the_model_does_not_answer_for_a_camera_is_refused(of_rig, name):
    images = pictures(of_rig.rig)
    told = f"'{name}' is asked for each camera, and the model rig 0 answers lanes, drivable"
    with pytest.raises(ValueError, match=told):
        of_rig.predict(images, ["lanes", name])
