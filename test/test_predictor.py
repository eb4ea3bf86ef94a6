"""The predictor: the order of the flow, times, no state, batches."""

import numpy as np
import pytest
from tiny_model import random_image, write_tiny_model

from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.images.preprocess import LETTERBOX, Crop, ImageError, ImageTransform
from shared_encoder_perception.predictor import STAGES, Predictor


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
    assert np.array_equal(a.mask.probability, b.mask.probability)
    assert [line.confidence for line in a.lanes] == [line.confidence for line in b.lanes]


def test_mask_is_silent_outside_the_crop(predictor):
    image = np.full((720, 1280, 3), 90, np.uint8)
    perception = predictor(image, Crop(100, 300, 1000, 400))
    mask = perception.mask.probability.copy()
    mask[300:700, 100:1100] = 0
    assert mask.max() == 0


def test_images_of_several_cameras_in_one_inference_are_answered_as_if_each_were_alone(predictor):
    rng = np.random.default_rng(1)
    images = [rng.integers(0, 256, (*size, 3), np.uint8) for size in ((320, 800), (720, 1280))]
    crops = [None, Crop(100, 300, 1000, 400)]
    together = predictor.perceive_batch(images, crops)
    for image, crop, found in zip(images, crops, together, strict=True):
        alone = predictor(image, crop)
        difference = found.mask.probability.astype(int) - alone.mask.probability
        assert np.abs(difference).max() <= 2
        assert [line.status for line in found.lanes] == [line.status for line in alone.lanes]
        for line, expected in zip(found.lanes, alone.lanes, strict=True):
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
    found = tiny(image, crop, LETTERBOX).mask.probability
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
    assert any(line.detected for line in found.lanes)
    for line in found.lanes:
        assert (line.points_px >= -0.5).all()
        assert (line.points_px <= (size[1] - 0.5, size[0] - 0.5)).all()
    # Something was cut: the same answer of the network reaches further where all is image.
    transform = ImageTransform.fit(size, tiny.spec.input_size, crop, LETTERBOX)
    padded = np.full((*tiny.spec.input_size, 3), 114, np.uint8)
    whole = [transform.points_to_image(line.points_px) for line in tiny(padded).lanes]
    assert min(points.min() for points in whole) < -1


def test_letterbox_of_the_models_aspect_ratio_changes_nothing(tiny):
    image = random_image(3, (400, 1000))
    plain, boxed = tiny(image), tiny(image, None, LETTERBOX)
    np.testing.assert_array_equal(plain.mask.probability, boxed.mask.probability)
    for line, other in zip(plain.lanes, boxed.lanes, strict=True):
        np.testing.assert_array_equal(line.points_px, other.points_px)


def test_letterbox_works_for_several_cameras_at_once(tiny):
    images = [random_image(number, size) for number, size in enumerate([(240, 320), (320, 800)])]
    crops = [Crop(0, 0, 320, 240), None]
    together = tiny.perceive_batch(images, crops, LETTERBOX)
    for image, crop, found in zip(images, crops, together, strict=True):
        alone = tiny(image, crop, LETTERBOX)
        np.testing.assert_array_equal(found.mask.probability, alone.mask.probability)
