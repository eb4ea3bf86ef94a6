# SPDX-License-Identifier: Apache-2.0
"""Soaks: the model that is slowed down."""

import numpy as np
import pytest
from tiny_model import random_image, write_tiny_model

from shared_encoder_perception.artifact.file import read_artifact
from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.soak import slow_model
from shared_encoder_perception.spec import INPUT_IMAGE


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx")


def test_a_slow_model_gives_the_same_answers(tiny, tmp_path):
    path = tmp_path / "slow.onnx"
    slow_model.add_layers(read_artifact(tiny), 5, 8, path)
    image = {INPUT_IMAGE: random_image(1)[np.newaxis]}
    plain, slow = load_backend(tiny).infer(image), load_backend(path).infer(image)
    np.testing.assert_array_equal(slow["mask"], plain["mask"])
    np.testing.assert_allclose(slow["lanes"], plain["lanes"], rtol=0, atol=1e-20)


def test_a_slow_model_really_computes(tiny, tmp_path, monkeypatch):
    """With another factor its layers show: in every lane alike, and otherwise for other images."""
    monkeypatch.setattr(slow_model, "TINY", 1.0)
    path = tmp_path / "slow.onnx"
    slow_model.add_layers(read_artifact(tiny), 5, 8, path)
    plain, slow = load_backend(tiny), load_backend(path)
    added = []
    for seed in (1, 5):
        image = {INPUT_IMAGE: random_image(seed)[np.newaxis]}
        difference = slow.infer(image)["lanes"] - plain.infer(image)["lanes"]
        assert np.ptp(difference) < 1e-4
        added.append(float(difference.mean()))
    assert min(added) > 0.01
    assert abs(added[0] - added[1]) > 1e-3
