# SPDX-License-Identifier: Apache-2.0
"""Small ONNX graphs whose work can be counted by hand."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


def weights(name, *shape, kind=np.float32):
    return numpy_helper.from_array(np.ones(shape, kind), name)


def model_of(nodes, inputs, constants, opset=17):
    """Return a model whose one output is called ``y``, of unknown shape."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs],
        [helper.make_tensor_value_info("y", FLOAT, None)],
        constants,
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def convolution(batch="N", height=8, width=10):
    """Return 3 -> 6 channels, 3x3, stride 2, with bias."""
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], pads=[1, 1, 1, 1], strides=[2, 2])
    image = ("x", FLOAT, [batch, 3, height, width])
    return model_of([node], [image], [weights("w", 6, 3, 3, 3), weights("b", 6)])


def two_inputs():
    """Return a graph whose second input meets the bytes of the first one in the middle."""
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["mean"], axes=[3], keepdims=0),
        helper.make_node("Mul", ["mean", "gain"], ["strength"]),
        helper.make_node("Cast", ["strength"], ["changed"], to=TensorProto.UINT8),
    ]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "two inputs",
        [info("image", TensorProto.UINT8, ["N", 8, 8, 3]), info("gain", FLOAT, ["N", 8, 8])],
        [info("strength", FLOAT, ["N", 8, 8]), info("changed", TensorProto.UINT8, ["N", 8, 8])],
    )
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=9)
