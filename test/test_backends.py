"""Backends: what they refuse, in words that help. The shipped model is the good case."""

import numpy as np
import pytest

from shared_encoder_perception.backends import (
    DEFAULT_MODEL,
    BackendError,
    BackendOptions,
    load_backend,
)
from shared_encoder_perception.predictor import STAGES, Predictor
from shared_encoder_perception.preprocess import Crop
from shared_encoder_perception.spec import SpecError


def test_the_shipped_model_keeps_its_promise():
    backend = load_backend()
    assert DEFAULT_MODEL.stat().st_size <= 12e6
    out = backend.infer(np.zeros((2, 320, 800, 3), np.uint8))
    assert {name: array.shape for name, array in out.items()} == backend.spec.output_shapes(2)
    assert out["lanes"].dtype == np.float32
    assert out["mask"].dtype == np.uint8
    assert backend.info.device == "cpu"
    assert len(backend.info.sha256) == 64


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read the model .*; give the path of an .onnx file"),
        (b"", "is empty"),
        (b"no model at all", "not a model that ONNX Runtime can load"),
    ],
)
def test_bad_file_is_refused(tmp_path, content, message):
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BackendError, match=message):
        load_backend(path)


def test_folder_is_refused(tmp_path):
    with pytest.raises(BackendError, match="cannot read the model"):
        load_backend(tmp_path)


def test_truncated_model_is_refused(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(DEFAULT_MODEL.read_bytes()[:-100_000])
    with pytest.raises((BackendError, SpecError)):
        load_backend(path)


def test_unknown_backend_names_the_known_ones():
    with pytest.raises(BackendError, match="choose one of onnxruntime"):
        load_backend(name="abacus")


def test_device_that_does_not_run_is_refused_not_replaced():
    with pytest.raises(BackendError, match="'cpu' only, not 'cuda'"):
        load_backend(options=BackendOptions(device="cuda"))


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
