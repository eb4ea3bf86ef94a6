# SPDX-License-Identifier: Apache-2.0
"""What has to be different in a graph before TensorRT takes it, and what it cannot take at all.

TensorRT (10 and 11) knows bytes at its border only: a uint8 input may lead into casts and nothing
else, a uint8 output must come from one. Quantised values are int8 with zero point 0.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from shared_encoder_perception.backends import UnfitError

REARRANGING: Final = (
    "Expand",
    "Flatten",
    "Gather",
    "Identity",
    "Reshape",
    "Slice",
    "Split",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
)
"""Operators that move the values of their first input about and do not look at them."""
FLOAT_SUFFIX: Final = "_as_float"


def cast_bytes_first(model: onnx.ModelProto, source: str) -> None:
    """Move the cast of each input of bytes to the front, where it is not there already.

    Float holds every byte exactly: what was rearranged as bytes before (artifacts before 0.4.0
    reorder axes and channels first) is rearranged as floats then, with the same result.

    Args:
        model: Changed in place.
        source: What to call it in messages.

    Raises:
        BackendError: The graph computes with bytes, or a uint8 output is not cast to that.
    """
    graph = model.graph
    for item in graph.input:
        if item.type.tensor_type.elem_type != TensorProto.UINT8:
            continue
        readers = [node for node in graph.node if item.name in node.input]
        if any(node.op_type != "Cast" for node in readers):
            _make_float(graph, item.name, _byte_tensors(graph, item.name, source))
    made_by = {name: node for node in graph.node for name in node.output}
    for item in graph.output:
        if item.type.tensor_type.elem_type != TensorProto.UINT8:
            continue
        node = made_by.get(item.name)
        if node is None or node.op_type != "Cast":
            raise UnfitError(
                f"{source}: the uint8 output {item.name!r} comes from "
                f"{node.op_type if node else 'the input'}, and TensorRT makes bytes by a cast "
                "only: export the model again with this version"
            )


def keep_outputs(model: onnx.ModelProto, names: tuple[str, ...]) -> None:
    """Remove the outputs that nobody reads; each one needs memory on the device otherwise."""
    kept = [item for item in model.graph.output if item.name in names]
    del model.graph.output[:]
    model.graph.output.extend(kept)


def check_quantisation(model: onnx.ModelProto, source: str) -> None:
    """Refuse a quantised graph that TensorRT would refuse, with what to do.

    Raises:
        BackendError: Quantised otherwise than to int8 with zero point 0.
    """
    values = {item.name: item for item in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            continue
        zero = values.get(node.input[2]) if len(node.input) > 2 else None
        if (
            zero is None
            or zero.data_type != TensorProto.INT8
            or np.any(numpy_helper.to_array(zero))
        ):
            kind = "uint8" if zero is None else TensorProto.DataType.Name(zero.data_type).lower()
            raise UnfitError(
                f"{source}: {node.op_type} {node.name or node.output[0]} has a {kind} zero point, "
                "and TensorRT takes int8 with zero point 0 only: quantise the model "
                "symmetrically, or use the backend openvino or onnxruntime"
            )


def fold_integer_weights(model: onnx.ModelProto) -> None:
    """Write int32 weights (quantised biases) as the fp32 values that they stand for.

    TensorRT adds fp32 biases to quantised convolutions and takes no others.

    Args:
        model: Changed in place.
    """
    graph = model.graph
    values = {item.name: item for item in graph.initializer}
    kept = []
    for node in graph.node:
        integers = values.get(node.input[0]) if node.op_type == "DequantizeLinear" else None
        if integers is None or integers.data_type != TensorProto.INT32:
            kept.append(node)
            continue
        array = numpy_helper.to_array(integers)
        scale = numpy_helper.to_array(values[node.input[1]])
        if scale.size > 1:
            axis = next((item.i for item in node.attribute if item.name == "axis"), 1)
            scale = scale.reshape([-1 if axis % array.ndim == i else 1 for i in range(array.ndim)])
        folded = (array * scale.astype(np.float64)).astype(np.float32)
        graph.initializer.append(numpy_helper.from_array(folded, node.output[0]))
    del graph.node[:]
    graph.node.extend(kept)


def _byte_tensors(graph: onnx.GraphProto, entry: str, source: str) -> set[str]:
    """Name the tensors that hold nothing but bytes of an input.

    Raises:
        BackendError: Something is computed from them.
    """
    found = {entry}
    for node in graph.node:
        if found.isdisjoint(node.input) or node.op_type in ("Cast", "Shape", "Size"):
            continue
        if node.op_type not in REARRANGING or not found.isdisjoint(node.input[1:]):
            raise UnfitError(
                f"{source}: {node.op_type} {node.name or node.output[0]} takes bytes, which "
                "TensorRT cannot do: export the model again with this version"
            )
        found.update(node.output)
    return found


def _make_float(graph: onnx.GraphProto, entry: str, bytes_: set[str]) -> None:
    """Cast an input first; what held bytes of it holds floats under another name."""
    cast = helper.make_node(
        "Cast", [entry], [entry + FLOAT_SUFFIX], name=f"cast_{entry}", to=TensorProto.FLOAT
    )
    nodes = [cast]
    outputs = {item.name for item in graph.output}
    for node in graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name in bytes_:
                    names[place] = name + FLOAT_SUFFIX
        nodes.append(node)
        for name in outputs & bytes_:
            if name + FLOAT_SUFFIX in node.output:
                back = helper.make_node(
                    "Cast", [name + FLOAT_SUFFIX], [name], name=f"cast_{name}", to=TensorProto.UINT8
                )
                nodes.append(back)
    kept = [item for item in graph.value_info if item.name not in bytes_]
    del graph.node[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.value_info.extend(kept)
