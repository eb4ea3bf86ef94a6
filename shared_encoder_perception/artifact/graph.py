# SPDX-License-Identifier: Apache-2.0
"""What a model's graph takes, gives and holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from shared_encoder_perception.files.safe_text import printable
from shared_encoder_perception.spec import ModelSpec, SpecError, Tensor


def tensors(bodies: Iterable[Any]) -> Iterator[TensorProto]:
    """Yield every tensor of graphs and functions: weights, constants, those of branches."""
    left = list(bodies)
    while left:
        body = left.pop()
        for sparse in getattr(body, "sparse_initializer", ()):
            yield from (sparse.values, sparse.indices)
        yield from getattr(body, "initializer", ())
        for attribute in (one for node in body.node for one in node.attribute):
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            left += [attribute.g, *attribute.graphs]


def check_graph(graph: onnx.GraphProto, spec: ModelSpec, source: str) -> None:
    """Compare the graph's inputs and outputs with the spec.

    Raises:
        SpecError: They are others.
    """
    inputs = {item.name: _signature(item) for item in graph.input}
    taken = {name: _promise(name, tensor) for name, tensor in spec.input_tensors().items()}
    if inputs != taken:
        raise SpecError(
            f"{source}: inputs are {_words(inputs.values())}, the spec promises "
            f"{_words(taken.values())}"
        )
    outputs = {item.name: _signature(item) for item in graph.output}
    for name, tensor in spec.output_tensors().items():
        promised = _promise(name, tensor)
        if outputs.get(name) != promised:
            found = _words([outputs[name]] if name in outputs else [])
            raise SpecError(
                f"{source}: output {name!r} is {found}, the spec promises {_words([promised])}"
            )


Signature = tuple[str, int, tuple[int | str, ...]]
"""Name, element type and shape without the batch axis."""


def _signature(item: onnx.ValueInfoProto) -> Signature:
    """Say what a graph's input or output is."""
    tensor = item.type.tensor_type
    shape = tuple(axis.dim_param or axis.dim_value for axis in tensor.shape.dim)
    return item.name, tensor.elem_type, shape[1:]


def _promise(name: str, tensor: Tensor) -> Signature:
    """Say what a graph's input or output should be."""
    return name, onnx.helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype)), tensor.shape


def _words(items: Iterable[Signature]) -> str:
    """Name tensors for people."""
    kinds = {number: name.lower() for name, number in TensorProto.DataType.items()}
    words = [
        f"{name} {kinds.get(kind, f'of type {kind}')} ({', '.join(map(str, ('N', *shape)))})"
        for name, kind, shape in items
    ]
    return printable(", ".join(words)) or "missing"
