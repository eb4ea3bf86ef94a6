# SPDX-License-Identifier: Apache-2.0
"""Calibration of whole models: a frame is decoded once, and each task learns from its labels."""

import json

import numpy as np
import pytest
from samples import sample_of
from specs import spec_of
from tiny_model import write_tiny_model

from shared_encoder_perception import tasks
from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.spec import ModelSpec, blocks
from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.training.calibrate import (
    calibrated,
    collect_events,
    learn_priors,
    uncalibrated,
)
from shared_encoder_perception.world.synthetic import render_sample

SIZE = (320, 800)
CROP = Crop(0, 80, 800, 320)


@pytest.fixture(scope="module")
def frames():
    """Two frames of a road: one labels everything, wrongly, the other a line outside the crop."""
    image = np.zeros((400, 800, 3), np.uint8)
    image[:, 400:, 1] = 255
    mask = np.where(image[:, :, 1] > 0, 255, 0).astype(np.uint8)
    mask[:80] = 255  # outside the crop
    y = np.arange(380.0, 200.0, -10.0)
    wrong = np.stack((np.full_like(y, 10.0), y), axis=1).astype(np.float32)
    return [
        ("road", sample_of(image, {LaneId.EGO: wrong, LaneId.LEFT_EGO: None}, mask), CROP),
        ("road", sample_of(image, {LaneId.EGO: wrong[:2] - np.float32([0, 370])}, None), CROP),
    ]


def test_events_are_collected_in_the_crop_with_nothing_held_back(tmp_path, frames):
    path = write_tiny_model(tmp_path / "m.onnx", spec_of("m", "0", lane_thresholds=(1.0,) * 5))
    predictor = Predictor(load_backend(path))
    first = predictor(frames[0][1].image, CROP).answers["lanes"]
    assert not any(line.detected for line in first.lines)
    events = collect_events(predictor.backend, frames)
    found = events["lanes"].said()[0.3]
    assert found.real.tolist() == [True, True]
    assert found.labelled.tolist() == [[True, True, False, False, False], [False] * 5]
    assert found.present[0].tolist() == [True, False, False, False, False]
    assert not found.right.any()
    assert found.score[0, 0] == pytest.approx(first.lines[LaneId.EGO].confidence)
    masks = events["drivable_surface"].masks
    assert masks["road"].sum() == 320 * 800
    assert masks["road"][0, 255] < 1000


def test_a_calibrated_model_carries_what_was_learned_and_is_not_calibrated_twice(tmp_path, frames):
    backend = load_backend(write_tiny_model(tmp_path / "m.onnx"))
    events = collect_events(backend, frames)
    spec = calibrated(backend.spec, events)
    lanes = spec.tasks["lanes"]
    assert max(lanes.lane_calibration[0].probability) < 0.5
    assert ModelSpec.from_json(spec.to_json()) == spec
    json.loads(spec.to_json())
    text = "\n".join(line for name, one in events.items() for line in one.lines(spec.tasks[name]))
    assert "    1 lines on real frames" in text
    assert "from road" in text
    again = load_backend(write_tiny_model(tmp_path / "again.onnx", spec))
    with pytest.raises(ValueError, match="calibrated already"):
        collect_events(again, [])
    raw = uncalibrated(spec)
    assert uncalibrated(raw) == raw != spec
    assert raw.tasks["lanes"].lane_thresholds == lanes.lane_thresholds


@pytest.mark.parametrize("name", tasks.ROOMS)
def test_a_frame_without_a_label_teaches_nothing(name):
    """Whatever the network says."""
    spec = ModelSpec("m", "0", tasks=blocks(name))

    class Backend:
        def __init__(self):
            self.spec = spec

        def infer(self, inputs):
            return {
                key: np.ones((1, *tensor.shape), tensor.dtype)
                for key, tensor in spec.output_tensors().items()
            }

    bare = sample_of(np.zeros((*SIZE, 3), np.uint8), {})
    with_it, without = (
        calibrated(spec, collect_events(Backend(), found))
        for found in ([("road", bare, None)] * 3, [])
    )
    assert with_it == without


def test_priors_come_from_the_labels_of_worlds():
    spec = ModelSpec("m", "0", SIZE)
    worlds = [render_sample(seed, SIZE, 1.0) for seed in range(3)] * 20
    learned = learn_priors(spec, worlds)
    assert learned != spec
    assert len(learned.tasks["lanes"].start_priors) == 5
    with pytest.raises(ValueError, match="use more samples"):
        learn_priors(spec, worlds[:2])
