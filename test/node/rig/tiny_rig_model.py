# SPDX-License-Identifier: Apache-2.0
"""A model file that is asked of a rig: each cell is as green as the cameras' pictures are there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.spec import METADATA_KEY, ModelSpec, blocks

TASKS = ("drivable_surface", "surround")
SIZE = (64, 160)


def spec_for(grid: BevGrid) -> ModelSpec:
    """Return what it promises."""
    found = blocks(*TASKS)
    fields = {name: getattr(grid, name) for name in ("x_min_m", "y_min_m", "cells_x", "cells_y")}
    found["surround"] = replace(found["surround"], **fields, cell_m=grid.cell_m)
    return ModelSpec("tiny_rig", "1", SIZE, found)


def write_tiny_rig_model(path: Path, grid: BevGrid) -> Path:
    """Write it: colours are looked up by the view table, weighted, and averaged over heights."""
    spec = spec_for(grid)
    voxels = [len(grid.heights_m), *grid.shape]
    constants = {
        "green": np.array(1),
        "most": np.array(255.0, np.float32),
        "wide": np.array([1, 1, SIZE[0], -1]),
        "views": np.array([2]),
        "voxels": np.array([1, *voxels]),
        "heights": np.array([1]),
        "one": np.array(1.0, np.float32),
        "zero": np.array(0.0, np.float32),
    }
    nodes = [
        helper.make_node("Gather", ["image", "green"], ["mask"], axis=3),
        helper.make_node("Cast", ["mask"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["float", "most"], ["shade"]),
        helper.make_node("Transpose", ["shade"], ["rows"], perm=[1, 0, 2]),
        helper.make_node("Reshape", ["rows", "wide"], ["side_by_side"]),
        helper.make_node("GridSample", ["side_by_side", "view_place"], ["looked"]),
        helper.make_node("Mul", ["looked", "view_weight"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "views"], ["lifted"], keepdims=0),
        helper.make_node("Reshape", ["lifted", "voxels"], ["layers"]),
        helper.make_node("ReduceMean", ["layers", "heights"], ["vehicle"], keepdims=1),
        helper.make_node("Sub", ["one", "vehicle"], ["drivable"]),
        helper.make_node("Mul", ["vehicle", "zero"], ["nothing"]),
        helper.make_node(
            "Concat", ["vehicle", "drivable", "vehicle", "nothing", "nothing"], ["surround"], axis=1
        ),
    ]
    kinds = {"uint8": TensorProto.UINT8, "float32": TensorProto.FLOAT}
    tensors = [
        {name: (kinds[one.dtype], one.shape) for name, one in found.items()}
        for found in (spec.input_tensors(), spec.output_tensors())
    ]
    inputs, outputs = (
        [
            helper.make_tensor_value_info(
                name, kind, [1 if name in spec.of_rigs() else "N", *shape]
            )
            for name, (kind, shape) in found.items()
        ]
        for found in tensors
    )
    arrays = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "tiny_rig", inputs, outputs, arrays)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, {METADATA_KEY: spec.to_json()})
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return path
