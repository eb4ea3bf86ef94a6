# SPDX-License-Identifier: Apache-2.0
"""A model of six convolutions whose names say where they are: fit to be quantised in no time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from shared_encoder_perception.artifact.file import NETWORK_KEY, write_artifact
from shared_encoder_perception.spec import ModelSpec

SIZE = (64, 160)
SPEC = ModelSpec("small", "3.2.1", input_size=SIZE, training_data="none")
STRIDES = {
    "encoder.0": 2,
    "encoder.1": 1,
    "encoder.2": 2,
    "encoder.3": 1,
    "encoder.4": 2,
    "decoder.lanes": 1,
}
"""Convolution -> its stride. All but the last are followed by a ReLU."""


def write_convolutions(path: Path) -> Path:
    """Write the model; its weights are named as the convolutions, with ``.weight``."""
    rng = np.random.default_rng(0)
    maps = [5, 5, SIZE[0] // 8, SIZE[1] // 8]
    arrays = {
        "scale": np.float32(1 / 255),
        "shape": np.array([-1, *maps]),
        "green": np.array(1),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "scale"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["x0"], perm=[0, 3, 1, 2]),
        helper.make_node("Gather", ["image", "green"], ["mask"], axis=3),
        helper.make_node("Reshape", ["decoder.lanes.out", "shape"], ["lanes"]),
    ]
    layers, before, channels = [], "x0", 3
    for name, stride in STRIDES.items():
        width = 25 if name == "decoder.lanes" else 8
        weight = rng.normal(0, (2 / (9 * channels)) ** 0.5, (width, channels, 3, 3))
        arrays[f"{name}.weight"] = weight.astype(np.float32)
        arrays[f"{name}.bias"] = rng.normal(0, 0.1, width).astype(np.float32)
        inputs, out = [before, f"{name}.weight", f"{name}.bias"], f"{name}.out"
        options = {"strides": [stride] * 2, "pads": [1] * 4, "kernel_shape": [3, 3]}
        layers.append(helper.make_node("Conv", inputs, [out], name=name, **options))
        layers.append(helper.make_node("Relu", [out], [f"{name}.relu"]))
        before, channels = f"{name}.relu", width
    nodes[4:4] = layers[:-1]
    graph = helper.make_graph(
        nodes,
        "convolutions",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", *SIZE, 3])],
        [
            helper.make_tensor_value_info("lanes", TensorProto.FLOAT, ["N", *maps]),
            helper.make_tensor_value_info("mask", TensorProto.UINT8, ["N", *SIZE]),
        ],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    write_artifact(model, SPEC, path, {NETWORK_KEY: json.dumps({"encoder": "none"})})
    return path
