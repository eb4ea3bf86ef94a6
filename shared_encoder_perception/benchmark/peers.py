# SPDX-License-Identifier: Apache-2.0
"""Other people's networks: any ONNX file whose inputs are floats or bytes, fed with noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto

from shared_encoder_perception.artifact.file import ArtifactError, parse, read_file
from shared_encoder_perception.benchmark.graph_cost import input_shape, real_inputs
from shared_encoder_perception.benchmark.plain_graph import written_precision
from shared_encoder_perception.structures import Size

TYPES: Final[Mapping[int, Any]] = {
    TensorProto.FLOAT: np.float32,
    TensorProto.FLOAT16: np.float16,
    TensorProto.DOUBLE: np.float64,
    TensorProto.UINT8: np.uint8,
}
"""Types of inputs that noise is made for."""


@dataclass(frozen=True, eq=False)
class Peer:
    """A network to put beside ours.

    Attributes:
        content: The file.
        model: It, parsed.
        inputs: Name -> (shape, type) of what it is fed.
        precision: Arithmetic that it is written for.
    """

    content: bytes
    model: onnx.ModelProto
    inputs: Mapping[str, tuple[tuple[int, ...], Any]]
    precision: str


def read_peer(path: Path, size: Size | None = None) -> Peer:
    """Read any ONNX model that is one file.

    Args:
        path: The file.
        size: ``(height, width)`` of image inputs that leave them free.

    Raises:
        ArtifactError: No such file, no ONNX model, or inputs that no noise can be made for.
    """
    content = read_file(path)
    model = parse(content, str(path))
    graph = model.graph
    inputs = {}
    for item in real_inputs(graph):
        kind = item.type.tensor_type.elem_type
        if kind not in TYPES:
            name = TensorProto.DataType.Name(kind).lower()
            raise ArtifactError(
                f"{path}: input {item.name!r} is {name}; a peer is fed with noise, which is made "
                "for float, float16, double and uint8 only"
            )
        inputs[item.name] = (input_shape(item, size), TYPES[kind])
    types = {item.data_type for item in graph.initializer}
    operators = {node.op_type for node in graph.node}
    return Peer(content, model, inputs, written_precision(types, operators))
