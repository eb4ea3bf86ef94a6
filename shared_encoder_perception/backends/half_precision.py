# SPDX-License-Identifier: Apache-2.0
"""An fp32 graph rewritten to half precision, for engines that compute in what the graph says.

Half are the nodes on a path from one convolution or matrix product to another: nearly all of the
work. What leads to the first of them (normalisation of the image) and away from the last (sigmoid,
scaling of the start vectors, the mask's probability) stays fp32: it costs little, and it is where
half precision would cost accuracy. Inputs and outputs of the graph keep their types.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from shared_encoder_perception.artifact.file import BF16, FP16
from shared_encoder_perception.backends import BackendError

HALVES: Final = {FP16: TensorProto.FLOAT16, BF16: TensorProto.BFLOAT16}
"""Precision -> ONNX's element type."""
PRODUCTS: Final = ("Conv", "ConvTranspose", "Gemm", "MatMul", "Einsum")
"""Where the work is."""
ALWAYS_FLOAT: Final = {"Resize": (1, 2), "Upsample": (1,)}
"""Operator -> inputs that are fp32 whatever it computes in: regions and scales."""
ANY_TYPE: Final = ("Shape", "Size")
"""Operators that look at a tensor's shape only."""
MOST_FP16: Final = 65504.0


def to_half(model: onnx.ModelProto, precision: str, source: str = "the model") -> onnx.ModelProto:
    """Return a graph that computes in half precision what costs time; ``model`` stays as it is.

    Args:
        model: In fp32, not quantised.
        precision: ``"fp16"`` or ``"bf16"``. ONNX knows bf16 convolutions from opset 22 on; the
            opset is kept all the same, since TensorRT takes them in any and its older versions do
            not know opset 22.
        source: What to call it in messages.

    Raises:
        BackendError: Weights that fp16 cannot hold, nested graphs, or nothing to convert.
    """
    converted = onnx.ModelProto()
    converted.CopyFrom(model)
    graph = converted.graph
    if any(attribute.g.node for node in graph.node for attribute in node.attribute):
        raise BackendError(
            f"{source} has nested graphs (If, Loop), which cannot run in {precision}"
        )
    floats = _floats(model)
    half_nodes = _between_products(graph, floats)
    if not half_nodes:
        raise BackendError(f"{source} has no convolutions: there is nothing to run in {precision}")
    rewriter = _Rewriter(graph, floats, half_nodes, precision, source)
    nodes = rewriter.nodes()
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(rewriter.weights)
    _drop_unused_weights(graph)
    del graph.value_info[:]  # types have changed
    return converted


class _Rewriter:
    """Writes the nodes of a graph again, those in half precision under new tensor names."""

    def __init__(
        self,
        graph: onnx.GraphProto,
        floats: set[str],
        half_nodes: set[int],
        precision: str,
        source: str,
    ) -> None:
        self.weights: list[TensorProto] = []
        self._graph, self._floats, self._half_nodes = graph, floats, half_nodes
        self._type, self._source, self._suffix = HALVES[precision], source, f"_{precision}"
        self._initializers = {item.name: item for item in graph.initializer}
        self._made: set[str] = set()
        half_made = {name for index in half_nodes for name in graph.node[index].output}
        self._half_made = half_made & floats
        self._needed = {item.name for item in graph.output} | {
            name
            for index, node in enumerate(graph.node)
            for place, name in enumerate(node.input)
            if node.op_type not in ANY_TYPE and not self._takes_half(index, place)
        }

    def nodes(self) -> list[onnx.NodeProto]:
        """Return all nodes, with casts where a path enters or leaves half precision."""
        written: list[onnx.NodeProto] = []
        for index, node in enumerate(self._graph.node):
            for place, name in enumerate(node.input):
                if node.op_type in ANY_TYPE and name in self._half_made:
                    node.input[place] = name + self._suffix
                elif name in self._floats and self._takes_half(index, place):
                    written += self._enter(name)
                    node.input[place] = name + self._suffix
            written.append(node)
            if index not in self._half_nodes:
                continue
            if node.op_type == "Cast":
                node.attribute[0].i = self._type
            for place, name in enumerate(node.output):
                if name not in self._floats:
                    continue
                node.output[place] = name + self._suffix
                if name in self._needed:
                    written.append(_cast(name + self._suffix, name, TensorProto.FLOAT))
        return written

    def _takes_half(self, index: int, place: int) -> bool:
        """Whether a node computes in half precision with this input."""
        always_float = ALWAYS_FLOAT.get(self._graph.node[index].op_type, ())
        return index in self._half_nodes and place not in always_float

    def _enter(self, name: str) -> list[onnx.NodeProto]:
        """Provide an fp32 tensor in half precision, once."""
        if name in self._half_made or name in self._made:
            return []
        self._made.add(name)
        if name in self._initializers:
            self.weights.append(self._weight(name))
            return []
        return [_cast(name, name + self._suffix, self._type)]

    def _weight(self, name: str) -> TensorProto:
        """Round a weight to half precision."""
        array = numpy_helper.to_array(self._initializers[name]).astype(np.float32)
        if self._type == TensorProto.FLOAT16:
            if array.size and np.abs(array).max() > MOST_FP16:
                raise BackendError(
                    f"{self._source}: {name} has values beyond {MOST_FP16:.0f}, which fp16 cannot "
                    "hold: use precision bf16 or fp32"
                )
            rounded = array.astype(np.float16)
        else:
            rounded = bfloat16_bits(array)
        content = rounded.tobytes()
        return helper.make_tensor(name + self._suffix, self._type, array.shape, content, raw=True)


def bfloat16_bits(array: np.ndarray) -> np.ndarray:
    """Round finite float32 to the nearest bfloat16, ties to even; as uint16 of the same shape."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def _floats(model: onnx.ModelProto) -> set[str]:
    """Name all fp32 tensors of a graph."""
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    named = [*graph.input, *graph.output, *graph.value_info]
    floats = {i.name for i in named if i.type.tensor_type.elem_type == TensorProto.FLOAT}
    return floats | {i.name for i in graph.initializer if i.data_type == TensorProto.FLOAT}


def _between_products(graph: onnx.GraphProto, floats: set[str]) -> set[int]:
    """Find the nodes with a product before them and a product after them, or that are one.

    ONNX sorts nodes by dependency, so that each direction takes one pass.
    """
    after = _reached(graph, range(len(graph.node)), floats, forwards=True)
    before = _reached(graph, reversed(range(len(graph.node))), floats, forwards=False)
    return after & before


def _reached(
    graph: onnx.GraphProto, order: Iterable[int], floats: set[str], forwards: bool
) -> set[int]:
    """Find the nodes that fp32 tensors reach from a product."""
    tensors: set[str] = set()
    found: set[int] = set()
    for index in order:
        node = graph.node[index]
        near, far = (node.input, node.output) if forwards else (node.output, node.input)
        reached = node.op_type in PRODUCTS or not tensors.isdisjoint(near)
        if reached and not floats.isdisjoint(node.output):
            found.add(index)
            tensors |= floats.intersection(far)
    return found


def _cast(name: str, to_name: str, kind: int) -> onnx.NodeProto:
    """Make a node that changes a tensor's type."""
    return helper.make_node("Cast", [name], [to_name], name=f"cast_{to_name}", to=kind)


def _drop_unused_weights(graph: onnx.GraphProto) -> None:
    """Remove weights that no node uses any more."""
    used = {name for node in graph.node for name in node.input}
    kept = [item for item in graph.initializer if item.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
