# SPDX-License-Identifier: Apache-2.0
"""A graph that gives something else than it declares, in real engines: never perceived with."""

from importlib.util import find_spec

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tiny_model import random_image, write_tiny_model

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.artifact.tensors import OutputError
from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.predictor import Predictor

ENGINES = [name for name in ("onnxruntime", "openvino") if find_spec(name)]


def write_model(path, change):
    """Write a model that declares all as it should, and whose lanes no engine can foresee."""
    model = onnx.load(write_tiny_model(path))
    graph = model.graph
    (last,) = (node for node in graph.node if node.output[0] == "lanes")
    last.output[0] = "full"
    arrays = {"zero": np.array(0.0, np.float32), "two": np.array([2, 2])}
    arrays |= {"from": np.array([0, 0]), "to": np.array([1000, 1000]), "over": np.array([3, 4])}
    graph.initializer.extend(numpy_helper.from_array(a, name) for name, a in arrays.items())
    if change == "coarse":
        graph.node.extend(
            [
                helper.make_node("ReduceMax", ["float_image"], ["most"], keepdims=0),
                helper.make_node("Mul", ["most", "zero"], ["nothing"]),
                helper.make_node("Cast", ["nothing"], ["nil"], to=TensorProto.INT64),
                helper.make_node("Add", ["two", "nil"], ["steps"]),
                helper.make_node("Slice", ["full", "from", "to", "over", "steps"], ["lanes"]),
            ]
        )
    else:  # NaN as soon as a picture is not black: a warm-up does not show it
        graph.node.extend(
            [
                helper.make_node("ReduceMax", ["float_image"], ["most"], keepdims=0),
                helper.make_node("Neg", ["most"], ["below"]),
                helper.make_node("Sqrt", ["below"], ["root"]),
                helper.make_node("Add", ["full", "root"], ["lanes"]),
            ]
        )
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("engine", ENGINES)
def test_a_grid_of_another_size_is_found_before_the_first_image(tmp_path, engine, capsys):
    model = write_model(tmp_path / "coarse.onnx", "coarse")
    predictor = Predictor(load_backend(model, engine))
    with pytest.raises(
        OutputError, match=r"coarse.onnx on .*'lanes' as float32 \(1, 5, 5, 20, 50\)"
    ):
        predictor.warm_up()
    (tmp_path / "in").mkdir()
    cv2.imwrite(str(tmp_path / "in" / "a.png"), random_image(0))
    command = [
        "predict",
        "--input",
        str(tmp_path / "in"),
        "--model",
        str(model),
        "--backend",
        engine,
    ]
    assert main([*command, "--out", str(tmp_path / "out")]) != 0
    assert "the spec promises float32 (1, 5, 5, 40, 100)" in capsys.readouterr().err


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_no_number_is_found_on_the_image_where_it_is(tmp_path, engine):
    predictor = Predictor(load_backend(write_model(tmp_path / "nan.onnx", "nan"), engine))
    predictor.warm_up()
    with pytest.raises(OutputError, match="gives NaN or infinity in the output 'lanes'"):
        predictor(random_image(1))
    predictor(np.zeros((320, 800, 3), np.uint8))
