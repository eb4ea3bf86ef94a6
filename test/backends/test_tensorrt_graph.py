# SPDX-License-Identifier: Apache-2.0
"""The graph that TensorRT is given: bytes at its border only, int8 as TensorRT knows it."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper
from shipped import SHIPPED
from tiny_model import random_image, write_tiny_model

from shared_encoder_perception.artifact.file import read_artifact, write_artifact
from shared_encoder_perception.backends import BackendError
from shared_encoder_perception.backends.tensorrt_graph import (
    cast_bytes_first,
    check_quantisation,
    fold_integer_weights,
)
from shared_encoder_perception.backends.tensorrt_plan import prepare
from shared_encoder_perception.spec import ModelSpec


def run(content, images):
    """Run a graph in ONNX Runtime; ``lanes`` and ``mask``."""
    return ort.InferenceSession(content).run(["lanes", "mask"], {"image": images})


@pytest.mark.parametrize("path", ["tiny", "shipped"])
def test_bytes_are_cast_first_with_the_same_answer(tmp_path, path):
    tiny = write_tiny_model(tmp_path / "tiny.onnx")
    artifact = read_artifact(tiny) if path == "tiny" else SHIPPED
    batch = np.stack([random_image(seed, artifact.spec.input_size) for seed in range(2)])
    prepared = prepare(artifact, "fp32")
    for found, expected in zip(run(prepared, batch), run(artifact.content, batch), strict=True):
        assert found.dtype == expected.dtype
        assert np.array_equal(found, expected)
    graph = onnx.load_model_from_string(prepared).graph
    assert {node.op_type for node in graph.node if "image" in node.input} == {"Cast"}
    made_by = {name: node.op_type for node in graph.node for name in node.output}
    assert made_by["mask"] == "Cast"


def test_a_graph_that_casts_first_stays_as_it_is():
    model = byte_model([helper.make_node("Cast", ["image"], ["y"], to=TensorProto.FLOAT)])
    before = model.SerializeToString(deterministic=True)
    cast_bytes_first(model, "model")
    assert model.SerializeToString(deterministic=True) == before


def byte_model(nodes, kind=TensorProto.FLOAT):
    """A graph from ``image`` to ``y``."""
    graph = helper.make_graph(
        nodes,
        "bytes",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 8, 8, 3])],
        [helper.make_tensor_value_info("y", kind, None)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([helper.make_node("MaxPool", ["image"], ["y"], kernel_shape=[1, 1])], "MaxPool y takes"),
        (
            [
                helper.make_node("Cast", ["image"], ["f"], to=TensorProto.FLOAT),
                helper.make_node("Cast", ["f"], ["b"], to=TensorProto.UINT8),
                helper.make_node("Identity", ["b"], ["y"]),
            ],
            "output 'y' comes from Identity",
        ),
    ],
)
def test_bytes_that_tensorrt_cannot_take_are_refused(nodes, message):
    with pytest.raises(BackendError, match=f"old.onnx: .*{message}.*export the model again"):
        cast_bytes_first(byte_model(nodes, TensorProto.UINT8), "old.onnx")


def quantised(zero, bias_axis_values=(3, -7)):
    """A quantised value, and an int32 bias of two channels."""
    arrays = {
        "scale": np.float32(0.5),
        "zero": np.asarray(zero),
        "bias": np.array(bias_axis_values, np.int32),
        "bias_scale": np.array([0.5, 0.25], np.float32),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"]),
        helper.make_node("DequantizeLinear", ["bias", "bias_scale"], ["b"], axis=0),
        helper.make_node("Add", ["d", "b"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "quantised",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 2])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def symmetric_model(path):
    """An artifact with one quantised convolution, as symmetric quantisation writes it."""
    height, width = 64, 160
    spec = ModelSpec("quantised", "1", input_size=(height, width))
    rng = np.random.default_rng(0)
    arrays = {
        "scale": np.float32(2.0),
        "zero": np.int8(0),
        "weight": rng.integers(-100, 100, (25, 3, 8, 8), np.int8),
        "weight_scale": np.full(25, 1e-3, np.float32),
        "weight_zero": np.zeros(25, np.int8),
        "bias": np.arange(25, dtype=np.int32),
        "bias_scale": np.full(25, 2e-3, np.float32),
        "shape": np.array([-1, 5, 5, height // 8, width // 8]),
        "green": np.array(1),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("QuantizeLinear", ["planes", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"]),
        helper.make_node(
            "DequantizeLinear", ["weight", "weight_scale", "weight_zero"], ["w"], axis=0
        ),
        helper.make_node("DequantizeLinear", ["bias", "bias_scale"], ["b"], axis=0),
        helper.make_node("Conv", ["d", "w", "b"], ["c"], strides=[8, 8], kernel_shape=[8, 8]),
        helper.make_node("QuantizeLinear", ["c", "scale", "zero"], ["cq"]),
        helper.make_node("DequantizeLinear", ["cq", "scale", "zero"], ["cd"]),
        helper.make_node("Reshape", ["cd", "shape"], ["lanes"]),
        helper.make_node("Gather", ["float", "green"], ["g"], axis=3),
        helper.make_node("Cast", ["g"], ["mask"], to=TensorProto.UINT8),
    ]
    lanes = ["N", 5, 5, height // 8, width // 8]
    graph = helper.make_graph(
        nodes,
        "quantised",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", height, width, 3])],
        [
            helper.make_tensor_value_info("lanes", TensorProto.FLOAT, lanes),
            helper.make_tensor_value_info("mask", TensorProto.UINT8, ["N", height, width]),
        ],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )
    opset = [helper.make_opsetid("", 18)]
    write_artifact(helper.make_model(graph, opset_imports=opset, ir_version=9), spec, path)
    return path


def test_a_quantised_artifact_answers_the_same_when_it_is_prepared(tmp_path):
    artifact = read_artifact(symmetric_model(tmp_path / "int8.onnx"))
    batch = np.stack([random_image(seed, (64, 160)) for seed in range(2)])
    lanes, mask = run(artifact.content, batch)
    found_lanes, found_mask = run(prepare(artifact, "int8"), batch)
    assert np.ptp(lanes) > 0.0
    assert np.abs(found_lanes - lanes).max() <= 2.0  # one step of quantisation
    assert np.array_equal(found_mask, mask)


@pytest.mark.parametrize("zero", [np.uint8(0), np.uint8(128), np.int8(5)])
def test_quantisation_that_tensorrt_does_not_know_is_refused(zero):
    model = quantised(zero)
    fold_integer_weights(model)
    with pytest.raises(BackendError, match=r"zero point, and TensorRT takes int8 .* symmetrically"):
        check_quantisation(model, "int8.onnx")


def test_integer_biases_become_what_they_stand_for():
    model = quantised(np.int8(0))
    x = np.array([[1.0, 2.5]], np.float32)
    expected = ort.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
    fold_integer_weights(model)
    check_quantisation(model, "int8.onnx")
    assert sum(node.op_type == "DequantizeLinear" for node in model.graph.node) == 1
    found = ort.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
    assert np.array_equal(found, expected)
    assert np.array_equal(found, [[1.0 + 1.5, 2.5 - 1.75]])
