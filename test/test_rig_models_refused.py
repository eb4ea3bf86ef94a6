# SPDX-License-Identifier: Apache-2.0
"""Commands and nodes of single images say of a model of rigs what to do instead."""

import argparse
import shutil

import cv2
import pytest
from rig_network import pictures

from shared_encoder_perception.artifact import quantize
from shared_encoder_perception.backends import BackendOptions, load_backend
from shared_encoder_perception.evaluation import compare
from shared_encoder_perception.node.loading import load_predictor
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.spec import SpecError


@pytest.fixture
def model(rig_model):
    """Return a model that answers lanes of each camera, and the ground around all of them."""
    return rig_model("lanes")


def refused(instead):
    """Expect the refusal that says what to do instead."""
    return pytest.raises(SpecError, match=f"rig 0 answers surround, .* rig together: .*{instead}")


def test_a_predictor_of_images_refuses_it(model):
    with refused("predict --rig"):
        Predictor(load_backend(model, "onnxruntime", BackendOptions(threads=1)))


def test_the_node_of_one_camera_names_the_other_node(model):
    asked = {"model.path": str(model), "backend.name": "onnxruntime", "backend.threads": 1}
    rest = {"backend.device": "auto", "backend.precision": "auto", "backend.cache": ""}
    more = {"backend.allow_fallback": False, "backend.compile": False, "model.sha256": ""}
    with refused("surround.launch.py"):
        load_predictor({**asked, **rest, **more}.__getitem__, load_backend)


def test_compare_refuses_it(model, tmp_path):
    parser = argparse.ArgumentParser()
    compare.add_arguments(parser)
    words = [str(model), "--input", str(tmp_path), "--engine", "onnxruntime:fp32", "--threads", "1"]
    with refused("evaluate --rigs"):
        compare.run(parser.parse_args(words))


def test_quantize_refuses_it_and_writes_nothing(model, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    cv2.imwrite(str(images / "0.png"), pictures(1)[0])
    for index in range(1, 8):
        shutil.copy(images / "0.png", images / f"{index}.png")
    parser = argparse.ArgumentParser()
    quantize.add_arguments(parser)
    out = tmp_path / "int8.onnx"
    words = [str(model), "--images", str(images), "--out", str(out), "--count", "8"]
    with refused("fp32 or fp16"):
        quantize.run(parser.parse_args(words))
    assert not out.exists()
