# SPDX-License-Identifier: Apache-2.0
"""Joined features for ONNX Runtime: taken apart where that helps, else the same file."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from shared_encoder_perception.artifact.file import read_model
from shared_encoder_perception.backends import DEFAULT_MODEL
from shared_encoder_perception.backends.onnxruntime_graph import convolve_apart

RANDOM = np.random.default_rng(0)
CHANNELS = {"a": 8, "b": 4, "c": 5}
"""Of the features that are joined."""
JOINED = sum(CHANNELS.values())
OUT = 3


def weights(name, *shape):
    return numpy_helper.from_array(RANDOM.normal(size=shape).astype(np.float32), name)


def model(*, also_read="", mixing=1, bias=True, depthwise=True, narrow=5, axis=1):
    """Three inputs are joined, two of them first; convolved channel by channel; and mixed."""
    channels = JOINED - CHANNELS["c"] + narrow
    sizes = {**CHANNELS, "c": narrow}
    biases = ["depthwise_bias"] if bias else []
    nodes = [
        helper.make_node("Concat", ["a", "b"], ["first"], axis=axis),
        helper.make_node("Concat", ["first", "c"], ["joined"], axis=axis),
        helper.make_node(
            "Conv", ["joined", "depthwise", *biases], ["apart"], group=channels, pads=[1, 1, 1, 1]
        ),
        helper.make_node("Conv", ["apart", "mixing"], ["out"], pads=[mixing // 2] * 4),
    ]
    if not depthwise:
        del nodes[2]
        nodes[2].input[0] = "joined"
        nodes[2].input.extend(["mixing_bias"] if bias else [])
    outputs = ["out", *([also_read] if also_read else [])]
    graph = helper.make_graph(
        nodes,
        "joined features",
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", count, 6, 7])
            for name, count in sizes.items()
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [
            weights("depthwise", channels, 1, 3, 3),
            weights("depthwise_bias", channels),
            weights("mixing", OUT, channels, mixing, mixing),
            weights("mixing_bias", OUT),
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return onnx.shape_inference.infer_shapes(made)


def run(found, inputs):
    options = ort.SessionOptions()
    options.log_severity_level = 3  # weights that are for other options are left over
    session = ort.InferenceSession(
        found.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, inputs)


def inputs(count):
    return {
        name: RANDOM.normal(size=(count, channels, 6, 7)).astype(np.float32)
        for name, channels in CHANNELS.items()
    }


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("depthwise", [True, False])
def test_features_taken_apart_give_the_same_answer(bias, depthwise):
    before = model(bias=bias, depthwise=depthwise)
    after = onnx.ModelProto()
    after.CopyFrom(before)
    assert convolve_apart(after)
    onnx.checker.check_model(after, full_check=True)
    assert not [node for node in after.graph.node if node.op_type == "Concat"]
    for count in (1, 3):
        given = inputs(count)
        np.testing.assert_allclose(run(after, given), run(before, given), rtol=1e-4, atol=1e-5)
    assert not convolve_apart(after)  # nothing is left to take apart


def test_joined_features_that_are_also_an_answer_are_kept_and_taken_apart_behind():
    before = model(also_read="first")
    after = onnx.ModelProto()
    after.CopyFrom(before)
    assert convolve_apart(after)
    onnx.checker.check_model(after, full_check=True)
    given = inputs(2)
    for one, other in zip(run(after, given), run(before, given), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_a_feature_that_is_joined_twice_counts_twice():
    before = model()
    before.graph.node[0].input[:] = ["a", "c"]
    before.graph.node[1].input[:] = ["first", "b"]
    before.graph.node[1].input.append("c")
    before.graph.node[1].input.remove("b")
    channels = CHANNELS["a"] + 2 * CHANNELS["c"]
    for item, shape in (("depthwise", (channels, 1, 3, 3)), ("mixing", (OUT, channels, 1, 1))):
        old = next(one for one in before.graph.initializer if one.name == item)
        old.CopyFrom(weights(item, *shape))
    bias = next(one for one in before.graph.initializer if one.name == "depthwise_bias")
    bias.CopyFrom(weights("depthwise_bias", channels))
    next(one for one in before.graph.node[2].attribute if one.name == "group").i = channels
    del before.graph.value_info[:]
    after = onnx.ModelProto()
    after.CopyFrom(before)
    assert convolve_apart(after)
    given = inputs(2)
    np.testing.assert_allclose(run(after, given), run(before, given), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"narrow": 8},  # all fit as they are
        {"also_read": "joined"},
        {"also_read": "apart"},
        {"mixing": 3},
    ],
    ids=str,
)
def test_what_fits_or_is_read_by_others_stays_as_it_is(options):
    found = model(**options)
    before = found.SerializeToString()
    assert not convolve_apart(found)
    assert found.SerializeToString() == before


@pytest.mark.parametrize("name", ["depthwise", "mixing"])
def test_weights_that_are_no_constants_stay_as_they_are(name):
    found = model()
    item = next(one for one in found.graph.initializer if one.name == name)
    shape = list(item.dims)
    found.graph.initializer.remove(item)
    found.graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    before = found.SerializeToString()
    assert not convolve_apart(found)
    assert found.SerializeToString() == before


def test_features_whose_channels_nobody_tells_stay_joined():
    found = model()
    del found.graph.value_info[:]
    found.graph.input[2].type.tensor_type.shape.dim[1].dim_param = "C"
    assert not convolve_apart(found)


def test_the_default_model_is_one_that_it_helps():
    found = read_model(DEFAULT_MODEL)
    before = sum(node.op_type == "Concat" for node in found.graph.node)
    assert convolve_apart(found)
    onnx.checker.check_model(found, full_check=True)
    assert sum(node.op_type == "Concat" for node in found.graph.node) < before
