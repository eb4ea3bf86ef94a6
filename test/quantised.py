# SPDX-License-Identifier: Apache-2.0
"""The smallest model in int8."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from shared_encoder_perception.artifact.file import write_artifact
from shared_encoder_perception.spec import ModelSpec

SIZE = (64, 160)


def quantised_model(path):
    """A convolution in int8, as quantisation writes it, and the outputs that the spec wants."""
    height, width = SIZE
    spec = ModelSpec("quantised", "1", input_size=SIZE)
    rng = np.random.default_rng(0)
    arrays = {
        "scale": np.float32(0.02),
        "zero": np.uint8(128),
        "weight": rng.integers(-100, 100, (25, 3, 8, 8), np.int8),
        "weight_scale": np.full(25, 1e-3, np.float32),
        "weight_zero": np.zeros(25, np.int8),
        "shape": np.array([-1, 5, 5, height // 8, width // 8]),
        "axes": np.array([1]),
        "green": np.array(1),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("QuantizeLinear", ["planes", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"]),
        helper.make_node(
            "DequantizeLinear", ["weight", "weight_scale", "weight_zero"], ["w"], axis=0
        ),
        helper.make_node("Conv", ["d", "w"], ["c"], strides=[8, 8], kernel_shape=[8, 8]),
        helper.make_node("QuantizeLinear", ["c", "scale", "zero"], ["cq"]),
        helper.make_node("DequantizeLinear", ["cq", "scale", "zero"], ["cd"]),
        helper.make_node("Reshape", ["cd", "shape"], ["lanes"]),
        helper.make_node("Gather", ["image", "green"], ["mask"], axis=3),
    ]
    graph = helper.make_graph(
        nodes,
        "quantised",
        [helper.make_tensor_value_info("image", onnx.TensorProto.UINT8, ["N", height, width, 3])],
        [
            helper.make_tensor_value_info(
                "lanes", onnx.TensorProto.FLOAT, ["N", 5, 5, height // 8, width // 8]
            ),
            helper.make_tensor_value_info("mask", onnx.TensorProto.UINT8, ["N", height, width]),
        ],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    write_artifact(model, spec, path)
    return path
