# SPDX-License-Identifier: Apache-2.0
"""Channels of zeros for ONNX Runtime: the same answers where they help, else the same file."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from shared_encoder_perception.artifact.file import read_model
from shared_encoder_perception.backends import DEFAULT_MODEL
from shared_encoder_perception.backends.onnxruntime_graph import BLOCK, align_channels

RANDOM = np.random.default_rng(0)
FIRST, SECOND, OUT = 5, 4, 3
"""Channels that are joined, and what is made of them."""


def weights(name, *shape):
    return numpy_helper.from_array(RANDOM.normal(size=shape).astype(np.float32), name)


def model(*, also_read="", axis=1, mixing=1, bias=True, second=SECOND):
    """Two inputs are joined, convolved channel by channel, and mixed."""
    channels = FIRST + second
    biases = ["depthwise_bias"] if bias else []
    nodes = [
        helper.make_node("Concat", ["a", "b"], ["joined"], axis=axis),
        helper.make_node(
            "Conv", ["joined", "depthwise", *biases], ["apart"], group=channels, pads=[1, 1, 1, 1]
        ),
        helper.make_node("Conv", ["apart", "mixing"], ["out"], pads=[mixing // 2] * 4),
    ]
    outputs = ["out", *([also_read] if also_read else [])]
    graph = helper.make_graph(
        nodes,
        "joined features",
        [
            helper.make_tensor_value_info("a", TensorProto.FLOAT, ["N", FIRST, 6, 7]),
            helper.make_tensor_value_info("b", TensorProto.FLOAT, ["N", second, 6, 7]),
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [
            weights("depthwise", channels, 1, 3, 3),
            weights("depthwise_bias", channels),
            weights("mixing", OUT, channels, mixing, mixing),
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return onnx.shape_inference.infer_shapes(made)


def run(found, inputs):
    session = ort.InferenceSession(found.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


@pytest.mark.parametrize("bias", [True, False])
def test_joined_features_get_channels_of_zeros_and_the_same_answer(bias):
    before, after = model(bias=bias), model(bias=bias)
    after.CopyFrom(before)
    assert align_channels(after)
    onnx.checker.check_model(after, full_check=True)
    widths = {item.name: list(item.dims) for item in after.graph.initializer}
    assert widths["depthwise"][0] == widths["mixing"][1] == BLOCK
    for count in (1, 3):
        shapes = {"a": (count, FIRST, 6, 7), "b": (count, SECOND, 6, 7)}
        inputs = {
            name: RANDOM.normal(size=shape).astype(np.float32) for name, shape in shapes.items()
        }
        np.testing.assert_allclose(run(after, inputs), run(before, inputs), rtol=1e-4, atol=1e-5)
    assert not align_channels(after)  # nothing is left to widen


@pytest.mark.parametrize(
    "options",
    [
        {"second": 3},  # eight channels: they fit as they are
        {"also_read": "joined"},
        {"also_read": "apart"},
        {"mixing": 3},
    ],
    ids=str,
)
def test_what_fits_or_is_read_by_others_stays_as_it_is(options):
    found = model(**options)
    before = found.SerializeToString()
    assert not align_channels(found)
    assert found.SerializeToString() == before


def test_weights_that_are_no_constants_stay_as_they_are():
    found = model()
    del found.graph.initializer[0]
    found.graph.input.append(
        helper.make_tensor_value_info("depthwise", TensorProto.FLOAT, [FIRST + SECOND, 1, 3, 3])
    )
    assert not align_channels(found)


def test_the_default_model_is_one_that_it_helps():
    found = read_model(DEFAULT_MODEL)
    assert align_channels(found)
    onnx.checker.check_model(found, full_check=True)
