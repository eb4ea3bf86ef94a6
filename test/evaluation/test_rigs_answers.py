# SPDX-License-Identifier: Apache-2.0
"""Who is asked about a moment: the model, masks on the ground, and two cameras mixed up."""

from dataclasses import replace

import numpy as np
import pytest
from flat_ground import camera, four_cameras, pictures
from rig_moments import same_size_rig
from tiny_model import write_tiny_model

from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.evaluation.rigs.answers import Asked, Swap, swapped_images
from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.rig_predictor import RigPredictor


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return load_backend(write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx"))


@pytest.fixture(scope="module")
def rig_models(rig_model, one_task_model):
    """Return a model that is asked of rigs, with masks of its own and without."""
    pytest.importorskip("torch", reason="the model is exported from torch: make test")
    pytest.importorskip("timm", reason="the model is exported from torch: make test")
    return load_backend(rig_model("drivable_surface")), load_backend(one_task_model("surround"))


def frame_of(rig, **missing):
    images = {name: one for name, one in pictures(rig).items() if name not in missing}
    return RigFrame("here", rig, images)


def unasked():
    raise AssertionError("no other model is needed")


def test_a_swap_of_pictures_is_a_swap_of_calibrations(tiny):
    rig = same_size_rig()
    frame = frame_of(rig)
    found = Asked(RigPredictor(tiny, rig), unasked, Swap(("left", "right"))).ask(frame)
    moved = {"left": rig["right"], "right": rig["left"]}
    wrong = Rig(
        tuple(replace(moved.get(one.name, one), name=one.name) for one in rig.cameras),
    )
    expected = RigPredictor(tiny, wrong).predict(frame.images).surround
    np.testing.assert_array_equal(found.swapped.drivable, expected.drivable)
    np.testing.assert_array_equal(found.swapped.seen, found.model.surround.seen)
    assert not np.array_equal(
        np.nan_to_num(found.swapped.drivable), np.nan_to_num(found.model.surround.drivable)
    )
    assert swapped_images({"a": 1, "b": 2, "c": 3}, ("a", "c")) == {"a": 3, "b": 2, "c": 1}


def test_without_names_those_are_swapped_that_look_most_apart():
    rig, images = four_cameras(), pictures(four_cameras())
    assert Swap().pair(rig, images) == ("left", "right")  # the rear one has another size
    some = {name: images[name] for name in ("front", "left")}
    assert Swap().pair(rig, some) == ("front", "left")
    assert Swap().pair(rig, {"front": images["front"]}) is None
    ring = Rig(tuple(camera(f"c{yaw}", yaw) for yaw in (0, 100, 190)))
    assert Swap().pair(ring, pictures(ring)) == ("c0", "c190")


def test_named_cameras_are_swapped_where_both_have_pictures():
    rig, images = four_cameras(), pictures(four_cameras())
    assert Swap(("right", "front")).pair(rig, images) == ("right", "front")
    assert Swap(("right", "front")).pair(rig, {"front": images["front"]}) is None
    with pytest.raises(ValueError, match="camera front are 800x320, of rear 640x480 pixels"):
        Swap(("front", "rear")).pair(rig, images)
    with pytest.raises(ValueError, match="names the camera left twice"):
        Swap(("left", "left"))


def test_a_model_that_is_masks_on_the_ground_has_none_beside(tiny):
    rig = four_cameras()
    asked = Asked(RigPredictor(tiny, rig), unasked, None)
    found = asked.ask(frame_of(rig))
    assert found.on_ground is None
    assert found.swapped is None
    assert found.model.surround.drivable is not None
    assert asked.masks_title == "the model's answer is just that"


def test_a_models_own_masks_are_put_on_the_ground(rig_models):
    rig, (own, _) = four_cameras(), rig_models
    asked = Asked(RigPredictor(own, rig), unasked, None)
    found = asked.ask(frame_of(rig))
    assert asked.masks_title == "the model's own"
    seen = found.on_ground.seen
    assert found.on_ground.grid == found.model.surround.grid
    assert found.on_ground.vehicle is None
    # Some pixel of the map is what the mask of the one camera says that sees it.
    front = rig["front"]
    cells = found.on_ground.grid.centres().reshape(-1, 2)
    pixels = front.see(np.column_stack((cells, np.zeros(len(cells)))))
    others = [rig[name].see(np.column_stack((cells, np.zeros(len(cells))))) for name in rig.names]
    alone = np.isfinite(pixels[:, 0]) & (
        np.sum([np.isfinite(one[:, 0]) for one in others], axis=0) == 1
    )
    alone &= seen.ravel()
    mask = found.model.cameras["front"].answers["drivable_surface"].probability
    columns, rows = np.floor(pixels[alone] + 0.5).astype(int).T
    expected = mask[rows, columns] / np.float32(255)
    np.testing.assert_array_equal(found.on_ground.drivable.ravel()[alone], expected)
    assert alone.sum() > 100


def test_masks_of_another_model_stand_in_where_a_model_has_none(rig_models, tiny):
    rig, (_, bare) = four_cameras(), rig_models
    asked = Asked(RigPredictor(bare, rig), lambda: tiny, None)
    frame = frame_of(rig)
    expected = RigPredictor(tiny, rig).predict(frame.images).surround
    found = asked.ask(frame)
    np.testing.assert_array_equal(found.on_ground.drivable, expected.drivable)
    assert asked.masks_title == "of tiny 1.2.3"
    # Another rig, and the first again: nothing of the last one stays.
    turned = frame_of(rig.turned(0.5))
    other = asked.ask(turned)
    assert not np.array_equal(other.on_ground.seen, expected.seen)
    both = other.model.surround.seen & found.model.surround.seen
    assert not np.array_equal(
        other.model.surround.vehicle[both], found.model.surround.vehicle[both]
    )
    again = asked.ask(frame)
    np.testing.assert_array_equal(again.on_ground.drivable, expected.drivable)
    np.testing.assert_array_equal(again.model.surround.vehicle, found.model.surround.vehicle)


def test_a_missing_camera_is_missing_to_everybody(rig_models):
    rig, (own, _) = four_cameras(), rig_models
    asked = Asked(RigPredictor(own, rig), unasked, Swap(("left", "right")))
    whole, less = asked.ask(frame_of(rig)), asked.ask(frame_of(rig, left=True))
    assert less.model.missing == ("left",)
    assert whole.swapped is not None
    assert less.swapped is None
    for name in ("model", "on_ground"):
        one, other = (getattr(found, name) for found in (whole, less))
        one, other = (getattr(each, "surround", each).seen for each in (one, other))
        assert (other <= one).all()
        assert other.sum() < one.sum()


def test_a_rig_that_sees_nothing_is_told_with_its_line(tiny):
    rig = four_cameras()
    asked = Asked(RigPredictor(tiny, rig), unasked, None)
    sky = Rig((camera("sky", 0.0, pitch_deg=-60.0),))
    with pytest.raises(ValueError, match=r"^rigs.jsonl, line 7: no camera of the rig \(sky\) sees"):
        asked.ask(frame_of(sky), "rigs.jsonl, line 7")
