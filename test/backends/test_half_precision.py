# SPDX-License-Identifier: Apache-2.0
"""Half precision: the fp16 graph answers as the fp32 one, and only what costs time is half."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper
from shipped import SHIPPED, shipped_worlds
from tiny_model import write_tiny_model

from shared_encoder_perception.artifact.file import read_artifact
from shared_encoder_perception.backends import BackendError
from shared_encoder_perception.backends.half_precision import HALVES, bfloat16_bits, to_half
from shared_encoder_perception.backends.tensorrt_plan import prepare


@pytest.fixture(scope="module")
def images():
    return shipped_worlds(2)


def run(content, images):
    """Run a graph in ONNX Runtime; ``lanes`` and ``mask``."""
    return ort.InferenceSession(content).run(["lanes", "mask"], {"image": images})


def test_the_shipped_model_answers_in_fp16_as_in_fp32(images):
    lanes, mask = run(SHIPPED.content, images)
    half_lanes, half_mask = run(prepare(SHIPPED, "fp16"), images)
    assert half_lanes.dtype == np.float32
    assert half_mask.dtype == np.uint8
    difference = np.abs(half_lanes - lanes)
    assert 0.0 < difference[:, :, 0].max() < 0.01
    assert difference[:, :, 1:3].max() < 0.3  # cells, of vectors up to 100 cells long
    assert difference[:, :, 3:].max() < 0.02
    assert np.abs(half_mask.astype(int) - mask).max() <= 3


@pytest.mark.parametrize("precision", list(HALVES))
def test_half_precision_holds_between_the_first_and_the_last_product_only(precision):
    model = onnx.load_model_from_string(prepare(SHIPPED, precision))
    model.opset_import[0].version = 22  # the first in which ONNX knows bf16 convolutions
    onnx.checker.check_model(model, full_check=True)
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    types = {
        item.name: item.type.tensor_type.elem_type for item in (*graph.value_info, *graph.output)
    }
    types |= {item.name: item.data_type for item in graph.initializer}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert len(convolutions) > 50
    for node in convolutions:
        assert {types[name] for name in (*node.input, *node.output)} == {HALVES[precision]}
    # Normalisation before, of which a part may be in the first weights; probabilities after.
    around = [node for node in graph.node if node.op_type in ("Sub", "Div", "Sigmoid")]
    assert {node.op_type for node in around} >= {"Sub", "Sigmoid"}
    assert {types[node.output[0]] for node in around} == {TensorProto.FLOAT}


def test_half_weights_take_half_the_room():
    assert len(prepare(SHIPPED, "fp16")) < 0.56 * len(prepare(SHIPPED, "fp32"))


def test_the_fp32_graph_is_left_as_it_is():
    model = onnx.load_model_from_string(SHIPPED.content)
    before = model.SerializeToString(deterministic=True)
    to_half(model, "fp16")
    assert model.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize(
    ("value", "rounded"),
    [
        (1.0, 1.0),
        (-0.15625, -0.15625),
        (1.0 + 2**-8, 1.0),  # a tie: to the even neighbour, below
        (1.0 + 3 * 2**-8, 1.0 + 2**-6),  # a tie: to the even neighbour, above
        (1.0 + 2**-8 + 2**-20, 1.0 + 2**-7),
        (3e38, 3.0042e38),
    ],
)
def test_bfloat16_is_the_nearest(value, rounded):
    bits = bfloat16_bits(np.array([value], np.float32))
    assert bits.dtype == np.uint16
    again = (bits.astype(np.uint32) << 16).view(np.float32)
    assert again == pytest.approx(rounded, rel=1e-4 if value > 1e30 else 0.0, abs=0.0)


def convolution_model(weight, nodes=(), output="c"):
    """A graph of one convolution, and more nodes after it."""
    conv = helper.make_node("Conv", ["x", "w"], ["c"])
    shape = ["N", 1, 4, 4]
    graph = helper.make_graph(
        [conv, *nodes],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(np.full((1, 1, 1, 1), weight, np.float32), "w"),
            numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def test_scales_of_a_resize_stay_fp32():
    nodes = [
        helper.make_node("Resize", ["c", "", "scales"], ["r"]),
        helper.make_node("Conv", ["r", "w"], ["d"]),
    ]
    half = to_half(convolution_model(2.0, nodes, "d"), "fp16")
    x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    (found,) = ort.InferenceSession(half.SerializeToString()).run(None, {"x": x})
    assert np.array_equal(found, 4.0 * x.repeat(2, 2).repeat(2, 3))


def test_a_half_tensor_that_is_also_an_output_is_given_in_fp32():
    model = convolution_model(2.0, [helper.make_node("Conv", ["c", "w"], ["d"])], "d")
    model.graph.output.append(helper.make_tensor_value_info("c", TensorProto.FLOAT, None))
    half = to_half(model, "fp16")
    x = np.ones((1, 1, 4, 4), np.float32)
    answers = ort.InferenceSession(half.SerializeToString()).run(["c", "d"], {"x": x})
    assert [(item.dtype, item.max()) for item in answers] == [(np.float32, 2.0), (np.float32, 4.0)]


def test_weights_that_fp16_cannot_hold_are_refused_and_bf16_holds_them():
    model = convolution_model(1e6)
    with pytest.raises(BackendError, match=r"w has values beyond 65504.*bf16 or fp32"):
        to_half(model, "fp16", "big.onnx")
    assert to_half(model, "bf16").graph.initializer


def test_a_graph_without_convolutions_is_refused(tmp_path):
    artifact = read_artifact(write_tiny_model(tmp_path / "tiny.onnx"))
    with pytest.raises(BackendError, match="no convolutions"):
        prepare(artifact, "fp16")
