# SPDX-License-Identifier: Apache-2.0
"""Parameters and multiply-accumulates of an ONNX graph, counted from its shapes.

Counted are convolutions and matrix products, quantised ones too, for one image, or for as many as
a rig has cameras. All else (activations, resizing, pooling) is a few per cent of a network and is
left out, as is usual.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Final

import onnx
from onnx import NodeProto, TensorProto, helper

from shared_encoder_perception.structures import Size

Shape = tuple[int, ...]

FLOATS: Final = (
    TensorProto.FLOAT,
    TensorProto.FLOAT16,
    TensorProto.BFLOAT16,
    TensorProto.DOUBLE,
)
UNCOUNTED: Final = ("Einsum", "LSTM", "GRU", "RNN", "Attention", "If", "Loop", "Scan")
"""Operators that multiply matrices in ways that are not counted here; a graph with them is told."""
QUANTISED_WEIGHTS: Final = {
    "DequantizeLinear": (0,),
    "QLinearConv": (3, 8),
    "QLinearMatMul": (3,),
    "ConvInteger": (1,),
    "MatMulInteger": (1,),
}
"""Operator -> which of its inputs hold weights as integers."""
SCALES: Final = {
    "QuantizeLinear": (1, 2),
    "DequantizeLinear": (1, 2),
    "QLinearConv": (1, 2, 4, 5, 6, 7),
    "QLinearMatMul": (1, 2, 4, 5, 6, 7),
}
"""Operator -> which of its inputs are scales and zero points, which are no parameters."""
CHANNELS: Final = (1, 3, 4)
"""How many channels an image has."""


class GraphCostError(ValueError):
    """A graph whose work cannot be counted; the message says why."""


@dataclass(frozen=True)
class GraphCost:
    """What a network holds and does.

    Attributes:
        parameters: Weights and other constants that are used in arithmetic.
        macs: Multiply-accumulates of one inference.
        uncounted: Operators in it that work and are not counted, see ``UNCOUNTED``.
    """

    parameters: int
    macs: int
    uncounted: tuple[str, ...] = ()


def count(model: onnx.ModelProto, free_size: Size | None = None, batch: int = 1) -> GraphCost:
    """Count a model; it is not changed.

    Args:
        model: Any ONNX model.
        free_size: ``(height, width)`` for an image input that leaves them free.
        batch: Images of one inference, where the graph leaves that free.

    Raises:
        GraphCostError: The shape of something that is to be counted is not known.
    """
    nodes = list(model.graph.node)
    used = {node.op_type for node in nodes}
    return GraphCost(
        parameters=_parameters(model.graph),
        macs=_macs(nodes, _shapes(model, free_size, batch)),
        uncounted=tuple(name for name in UNCOUNTED if name in used),
    )


def input_shape(item: onnx.ValueInfoProto, free_size: Size | None = None, batch: int = 1) -> Shape:
    """Return the shape to feed an input: free axes are 1, those of an image ``free_size``.

    The first axis, where it is free, is ``batch``. An image is recognised by four axes, one of
    which has a known number of channels.
    """
    axes = item.type.tensor_type.shape.dim
    shape = [axis.dim_value if axis.dim_value > 0 else 1 for axis in axes]
    free = [axis.dim_value <= 0 for axis in axes]
    if free and free[0]:
        shape[0] = batch
    if free_size and len(shape) == 4:
        for channel, height in ((1, 2), (3, 1)):
            both_free = free[height] and free[height + 1]
            if both_free and not free[channel] and shape[channel] in CHANNELS:
                shape[height : height + 2] = free_size
    return tuple(shape)


def real_inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """Return what has to be fed: old files list their weights as inputs too."""
    weights = {item.name for item in graph.initializer}
    return [item for item in graph.input if item.name not in weights]


def _constants(graph: onnx.GraphProto) -> dict[str, TensorProto]:
    """Return constant tensors by name, whichever way the file holds them."""
    found = {item.name: item for item in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            tensors = [item.t for item in node.attribute if item.name == "value"]
            found.update(zip(node.output, tensors, strict=False))
    return found


def _parameters(graph: onnx.GraphProto) -> int:
    """Count the elements of constants: floats, and integers where they are quantised weights."""
    integers, scales = set(), set()
    for node in graph.node:
        names = dict(enumerate(node.input))
        integers |= {names.get(place) for place in QUANTISED_WEIGHTS.get(node.op_type, ())}
        scales |= {names.get(place) for place in SCALES.get(node.op_type, ())}
    return sum(
        prod(tensor.dims)
        for name, tensor in _constants(graph).items()
        if name not in scales and (tensor.data_type in FLOATS or name in integers)
    )


def _shapes(model: onnx.ModelProto, free_size: Size | None, batch: int) -> dict[str, Shape]:
    """Return the shape of every tensor for which one can be inferred."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    graph = fixed.graph
    del graph.value_info[:]  # they may name axes that are numbers from here on
    for item in real_inputs(graph):
        for axis, length in zip(
            item.type.tensor_type.shape.dim, input_shape(item, free_size, batch), strict=True
        ):
            axis.dim_value = length
    for item in graph.output:
        item.type.tensor_type.ClearField("shape")
    try:
        inferred = onnx.shape_inference.infer_shapes(fixed, data_prop=True).graph
    except Exception as error:  # onnx raises types of its own, by version
        raise GraphCostError(f"its shapes cannot be inferred: {error}") from None
    shapes = {name: tuple(tensor.dims) for name, tensor in _constants(inferred).items()}
    for item in (*inferred.input, *inferred.value_info, *inferred.output):
        tensor = item.type.tensor_type
        if tensor.HasField("shape") and all(
            axis.HasField("dim_value") for axis in tensor.shape.dim
        ):
            shapes.setdefault(item.name, tuple(axis.dim_value for axis in tensor.shape.dim))
    return shapes


def _convolution(weights: int) -> Callable[[NodeProto, Mapping[str, Shape]], int]:
    """Count a convolution whose weights (out, in / groups, ...) are that input."""
    return lambda node, shapes: prod(shapes[node.output[0]]) * prod(shapes[node.input[weights]][1:])


def _transposed(node: NodeProto, shapes: Mapping[str, Shape]) -> int:
    """Each input element meets its weights (in, out / groups, ...) once."""
    return prod(shapes[node.input[0]]) * prod(shapes[node.input[1]][1:])


def _product(node: NodeProto, shapes: Mapping[str, Shape]) -> int:
    """Each output element is a scalar product over the first factor's last axis."""
    return prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]


def _gemm(node: NodeProto, shapes: Mapping[str, Shape]) -> int:
    """As a product, whose first factor may be transposed."""
    turned = any(helper.get_attribute_value(a) for a in node.attribute if a.name == "transA")
    return prod(shapes[node.output[0]]) * shapes[node.input[0]][0 if turned else 1]


COUNTERS: Final[Mapping[str, Callable[[NodeProto, Mapping[str, Shape]], int]]] = {
    "Conv": _convolution(1),
    "ConvInteger": _convolution(1),
    "QLinearConv": _convolution(3),
    "ConvTranspose": _transposed,
    "Gemm": _gemm,
    "MatMul": _product,
    "MatMulInteger": _product,
    "QLinearMatMul": _product,
}
"""Operator -> its multiply-accumulates, from its node and all shapes."""


def _macs(nodes: list[NodeProto], shapes: Mapping[str, Shape]) -> int:
    """Sum over the operators that are counted.

    Raises:
        GraphCostError: The shape of one is not known.
    """
    total = 0
    for node in nodes:
        counter = COUNTERS.get(node.op_type)
        if counter is None:
            continue
        try:
            total += counter(node, shapes)
        except KeyError as error:
            raise GraphCostError(
                f"{node.op_type} {node.name!r} is to be counted and the shape of {error} is not "
                "known: export the model with fixed sizes, or give --peer-size"
            ) from None
    return total
