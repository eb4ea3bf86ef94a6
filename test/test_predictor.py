"""The predictor: the order of the flow, times, no state, batches."""

import numpy as np
import pytest

from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.predictor import STAGES, Predictor
from shared_encoder_perception.preprocess import Crop


@pytest.fixture(scope="module")
def predictor():
    return Predictor(load_backend())


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
