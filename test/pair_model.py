# SPDX-License-Identifier: Apache-2.0
"""A model file that takes a millisecond and compares an image with its background.

Foreground is what differs in green, at every other pixel; the drivable surface, if asked for, is
green itself, as in ``tiny_model``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from shared_encoder_perception.spec import METADATA_KEY, ModelSpec, blocks

SIZE = (64, 160)


def write_pair_model(path: Path, *others: str, stride: int = 2) -> Path:
    """Write the model; ``others`` may be ``"drivable_surface"``."""
    tasks = blocks("foreground", *others)
    if "drivable_surface" in others:
        tasks["drivable_surface"] = type(tasks["drivable_surface"])(mask_stride=1)
    tasks["foreground"] = type(tasks["foreground"])(mask_stride=stride)
    spec = ModelSpec("pair", "1", SIZE, tasks)
    rows, columns = SIZE
    shape, cells = ["N", rows, columns, 3], ["N", rows // stride, columns // stride]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.UINT8, shape)
        for name in ("image", "background")
    ]
    outputs = [helper.make_tensor_value_info("foreground", TensorProto.UINT8, cells)]
    nodes = []
    for name in ("image", "background"):
        nodes += [
            helper.make_node("Gather", [name, "green"], [f"{name}_green"], axis=3),
            helper.make_node("Cast", [f"{name}_green"], [f"{name}_real"], to=TensorProto.FLOAT),
        ]
    nodes += [
        helper.make_node("Sub", ["image_real", "background_real"], ["difference"]),
        helper.make_node("Abs", ["difference"], ["size"]),
        helper.make_node("Slice", ["size", "first", "last", "axes", "steps"], ["coarse"]),
        helper.make_node("Cast", ["coarse"], ["foreground"], to=TensorProto.UINT8),
    ]
    if others:
        outputs.append(helper.make_tensor_value_info("mask", TensorProto.UINT8, ["N", *SIZE]))
        nodes.append(helper.make_node("Identity", ["image_green"], ["mask"]))
    constants = {
        "green": np.array(1),
        "first": np.array([0, 0]),
        "last": np.array([rows, columns]),
        "axes": np.array([1, 2]),
        "steps": np.array([stride, stride]),
    }
    values = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "pair", inputs, outputs, values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, {METADATA_KEY: spec.to_json()})
    onnx.save(model, path)
    return path


def noise(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Return a picture (H, W, 3) unlike any other."""
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
