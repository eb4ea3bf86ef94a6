# SPDX-License-Identifier: Apache-2.0
"""The predictor: the order of the flow, times, no state, batches, extra inputs, broken promises."""

from types import SimpleNamespace

import changes_task
import numpy as np
import pytest
from changes_task import CELLS, SIZE, changes_spec, some_inputs
from tiny_model import random_image, write_tiny_model

from shared_encoder_perception import tasks
from shared_encoder_perception.artifact.tensors import InputError, OutputError
from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.images.preprocess import LETTERBOX, Crop, ImageError, ImageTransform
from shared_encoder_perception.predictor import STAGES, Predictor


def probability(perception):
    return perception.answers["drivable_surface"].probability


def lines(perception):
    return perception.answers["lanes"].lines


@pytest.fixture(scope="module")
def predictor():
    return Predictor(load_backend())


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Five straight lanes in every image, and its green channel as the mask."""
    return Predictor(load_backend(write_tiny_model(tmp_path_factory.mktemp("models") / "t.onnx")))


def test_predictor_times_every_stage(predictor):
    perception = predictor(np.zeros((320, 800, 3), np.uint8))
    assert tuple(perception.stage_ms) == STAGES
    assert min(perception.stage_ms.values()) >= 0


def test_predictor_is_deterministic_and_keeps_no_state(predictor):
    rng = np.random.default_rng(0)
    first, other = (rng.integers(0, 256, (320, 800, 3), np.uint8) for _ in range(2))
    a = predictor(first)
    predictor(other)
    b = predictor(first)
    assert np.array_equal(probability(a), probability(b))
    assert [line.confidence for line in lines(a)] == [line.confidence for line in lines(b)]


def test_mask_is_silent_outside_the_crop(predictor):
    image = np.full((720, 1280, 3), 90, np.uint8)
    perception = predictor(image, Crop(100, 300, 1000, 400))
    mask = probability(perception).copy()
    mask[300:700, 100:1100] = 0
    assert mask.max() == 0


def test_images_of_several_cameras_in_one_inference_are_answered_as_if_each_were_alone(predictor):
    rng = np.random.default_rng(1)
    images = [rng.integers(0, 256, (*size, 3), np.uint8) for size in ((320, 800), (720, 1280))]
    crops = [None, Crop(100, 300, 1000, 400)]
    together = predictor.perceive_batch(images, crops)
    for image, crop, found in zip(images, crops, together, strict=True):
        alone = predictor(image, crop)
        difference = probability(found).astype(int) - probability(alone)
        assert np.abs(difference).max() <= 2
        assert [line.status for line in lines(found)] == [line.status for line in lines(alone)]
        for line, expected in zip(lines(found), lines(alone), strict=True):
            assert line.confidence == pytest.approx(expected.confidence, abs=1e-3)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((320, 800), np.uint8),
        np.zeros((320, 800, 4), np.uint8),
        np.zeros((320, 800, 3), np.float32),
    ],
)
def test_predictor_refuses_other_images(predictor, image):
    with pytest.raises(ValueError, match=r"expected uint8 \(H, W, 3\) BGR"):
        predictor(image)
    with pytest.raises(ValueError, match=r"expected uint8 \(H, W, 3\) BGR"):
        predictor.perceive_batch([np.zeros((320, 800, 3), np.uint8), image])


@pytest.mark.parametrize("image", [np.zeros((1, 1, 3), np.uint8), np.zeros((320, 800), np.uint8)])
def test_what_is_wrong_with_the_image_is_told_apart_from_what_is_wrong_with_the_engine(
    predictor, image
):
    with pytest.raises(ImageError):
        predictor(image)


def test_letterboxed_image_comes_to_the_engine_as_the_transform_says(tiny):
    """The mask is the green channel of the network's input, so it must lead back to the image."""
    image = np.full((720, 1280, 3), 200, np.uint8)
    crop = Crop(100, 200, 500, 333)
    found = probability(tiny(image, crop, LETTERBOX))
    expected = np.zeros((720, 1280), np.uint8)
    expected[200:533, 100:600] = 200
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "size",
    [
        pytest.param((320, 400), id="bars left and right"),
        pytest.param((200, 1000), id="bar on top"),
    ],
)
def test_letterboxed_lanes_end_where_the_image_ends(tiny, size):
    """What the network sees in the padding is not part of the image."""
    image = random_image(0, size)
    crop = Crop(0, 0, size[1], size[0])
    found = tiny(image, crop, LETTERBOX)
    assert any(line.detected for line in lines(found))
    for line in lines(found):
        assert (line.points_px >= -0.5).all()
        assert (line.points_px <= (size[1] - 0.5, size[0] - 0.5)).all()
    # Something was cut: the same answer of the network reaches further where all is image.
    transform = ImageTransform.fit(size, tiny.spec.input_size, crop, LETTERBOX)
    padded = np.full((*tiny.spec.input_size, 3), 114, np.uint8)
    whole = [transform.points_to_image(line.points_px) for line in lines(tiny(padded))]
    assert min(points.min() for points in whole) < -1


def test_letterbox_of_the_models_aspect_ratio_changes_nothing(tiny):
    image = random_image(3, (400, 1000))
    plain, boxed = tiny(image), tiny(image, None, LETTERBOX)
    np.testing.assert_array_equal(probability(plain), probability(boxed))
    for line, other in zip(lines(plain), lines(boxed), strict=True):
        np.testing.assert_array_equal(line.points_px, other.points_px)


def test_letterbox_works_for_several_cameras_at_once(tiny):
    images = [random_image(number, size) for number, size in enumerate([(240, 320), (320, 800)])]
    crops = [Crop(0, 0, 320, 240), None]
    together = tiny.perceive_batch(images, crops, LETTERBOX)
    for image, crop, found in zip(images, crops, together, strict=True):
        alone = tiny(image, crop, LETTERBOX)
        np.testing.assert_array_equal(
            probability(found),
            probability(alone),
        )


# ---- what belongs to an image, and what an engine owes -------------------------------------------


class Subtracts:
    """A backend whose answer depends on all inputs of each image; broken on demand."""

    info = SimpleNamespace(name="abacus", version="1.0", source="changes.onnx")

    def __init__(self):
        self.spec = changes_spec()
        self.change = lambda outputs: outputs
        self.seen = None

    def infer(self, inputs):
        self.seen = inputs
        means = inputs["image"].mean((1, 2, 3)) - inputs["background"].mean((1, 2, 3))
        strength = (means[:, None, None] * inputs["gain"]).astype(np.float32)
        return self.change({"strength": strength, "changed": np.zeros(strength.shape, np.uint8)})


@pytest.fixture
def subtracts(monkeypatch):
    monkeypatch.setitem(tasks.ROOMS, changes_task.NAME, changes_task.__name__)
    return Subtracts()


def extras_of(inputs, index):
    return {name: inputs[name][index] for name in ("background", "gain")}


def test_each_image_comes_to_the_engine_with_its_own_extras(subtracts):
    predictor, inputs = Predictor(subtracts), some_inputs(3)
    images, extras = list(inputs["image"]), [extras_of(inputs, index) for index in range(3)]
    together = predictor.perceive_batch(images, extras=extras)
    assert all(np.array_equal(subtracts.seen[name], inputs[name]) for name in inputs)
    for image, given, found in zip(images, extras, together, strict=True):
        alone = predictor(image, extras=given)
        assert np.array_equal(alone.answers["changes"].strength, found.answers["changes"].strength)
    assert not np.array_equal(*(found.answers["changes"].strength for found in together[:2]))


def test_a_model_with_extra_inputs_warms_up_on_zeros(subtracts):
    Predictor(subtracts).warm_up()
    assert {name: array.shape for name, array in subtracts.seen.items()} == {
        "image": (1, *SIZE, 3),
        "background": (1, *SIZE, 3),
        "gain": (1, *CELLS),
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gain": None}, r"input 'gain' is missing, expected float32 \(8, 20\) for each image"),
        ({"gian": np.zeros(CELLS)}, "takes no input 'gian'; did you mean 'gain'"),
        ({"image": np.zeros((*SIZE, 3), np.uint8)}, "takes no input 'image'"),
        ({"gain": np.zeros(CELLS)}, r"'gain' is float64 \(8, 20\), expected float32 \(8, 20\)"),
        (
            {"background": np.zeros((720, 1280, 3), np.uint8)},
            r"'background' is uint8 \(720, 1280, 3\), expected uint8 \(64, 160, 3\)",
        ),
        ({"gain": 3.0}, "'gain' is a float, expected an array: float32"),
    ],
)
def test_an_extra_that_is_missing_or_wrong_is_named(subtracts, change, message):
    predictor, inputs = Predictor(subtracts), some_inputs(2)
    good = extras_of(inputs, 0)
    wrong = {name: array for name, array in {**good, **change}.items() if array is not None}
    with pytest.raises(InputError, match=message):
        predictor(inputs["image"][0], extras=wrong)
    with pytest.raises(InputError, match=message):
        predictor.perceive_batch(list(inputs["image"]), extras=[good, wrong])
    assert subtracts.seen is None


def test_extras_that_nobody_gave_are_missed(subtracts, tiny):
    predictor, inputs = Predictor(subtracts), some_inputs(2)
    with pytest.raises(InputError, match=r"input 'background' is missing, expected uint8"):
        predictor(inputs["image"][0])
    with pytest.raises(InputError, match="given for 1 of 2 images"):
        predictor.perceive_batch(list(inputs["image"]), extras=[extras_of(inputs, 0)])
    with pytest.raises(InputError, match="the model takes no input 'gain'"):
        tiny(random_image(0), extras={"gain": inputs["gain"][0]})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda outputs: {"strength": outputs["strength"]},
            r"changes.onnx on abacus 1.0: the engine does not give the output 'changed' but "
            r"strength, and the spec promises uint8 \(1, 8, 20\): export the model again",
        ),
        (
            lambda outputs: {**outputs, "strength": outputs["strength"].astype(np.float64)},
            r"gives the output 'strength' as float64 \(1, 8, 20\), .* promises float32",
        ),
        (
            lambda outputs: {**outputs, "strength": outputs["strength"][0]},
            r"'strength' as float32 \(8, 20\), .* promises float32 \(1, 8, 20\)",
        ),
        (lambda _: {}, "does not give the output 'strength' but nothing"),
        (
            lambda outputs: {**outputs, "strength": outputs["strength"].tolist()},
            "gives the output 'strength' as a list, .* promises float32",
        ),
        (
            lambda outputs: {**outputs, "strength": outputs["strength"][:, ::2, ::2]},
            r"'strength' as float32 \(1, 4, 10\), .* promises float32 \(1, 8, 20\)",
        ),
        (
            lambda outputs: {**outputs, "strength": outputs["strength"].astype(">f4")},
            "gives the output 'strength' as >f4",
        ),
        (
            lambda outputs: {**outputs, "strength": outputs["strength"] * np.nan},
            "gives NaN or infinity in the output 'strength'",
        ),
        (
            lambda outputs: {**outputs, "strength": outputs["strength"] + np.inf},
            "gives NaN or infinity in the output 'strength'",
        ),
    ],
)
def test_an_engine_that_breaks_the_specs_promise_is_found_at_warm_up(subtracts, change, message):
    """And on every image: what was not seen must not become "no lane"."""
    predictor, good = Predictor(subtracts), subtracts.change
    subtracts.change = change
    with pytest.raises(OutputError, match=message):
        predictor.warm_up()
    subtracts.change = good
    predictor.warm_up()
    inputs = some_inputs(2)
    extras = [extras_of(inputs, 0), extras_of(inputs, 1)]
    subtracts.change = change
    with pytest.raises(OutputError, match=message):
        predictor(inputs["image"][0], extras=extras[0])
    with pytest.raises(OutputError, match="the spec promises"):
        predictor.perceive_batch(list(inputs["image"]), extras=extras)
