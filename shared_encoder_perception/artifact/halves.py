# SPDX-License-Identifier: Apache-2.0
"""Weights that are kept as half floats in a model file: half its size, the arithmetic as before.

Each is followed by a Cast, so that any engine can run the file as it is. What is read here is put
back as single floats first: graph optimisers look for weights that are constants, and precision is
what an engine is asked for, not what a file is made of.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

STORED_KEY: Final = "shared_encoder_perception.stored"
"""Key of ``HALVES`` in an ONNX file's ``metadata_props``."""
HALVES: Final = "float16"
SUFFIX: Final = "#float16"
SMALLEST: Final = 256
"""Numbers of a tensor that is worth a Cast."""


def pack(model: onnx.ModelProto) -> None:
    """Round the large float32 weights of a model to float16 and keep them so (in place).

    What float16 cannot hold (beyond 65504, or not finite) stays as it is. The caller says in the
    metadata that it was done (``STORED_KEY``).

    Raises:
        ValueError: It was done before.
    """
    if any(tensor.name.endswith(SUFFIX) for tensor in model.graph.initializer):
        raise ValueError("the model's weights are kept as float16 already")
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        array = numpy_helper.to_array(tensor)
        if array.size < SMALLEST or not np.abs(array).max() <= np.finfo(np.float16).max:
            continue
        casts.append(
            helper.make_node("Cast", [tensor.name + SUFFIX], [tensor.name], to=TensorProto.FLOAT)
        )
        half = numpy_helper.from_array(array.astype(np.float16), tensor.name + SUFFIX)
        tensor.CopyFrom(half)
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *nodes])


def unpack(model: onnx.ModelProto) -> bool:
    """Put the weights that ``pack`` rounded back as float32 (in place).

    Returns:
        Whether there were any: a model without ``STORED_KEY`` is left alone.
    """
    kept = [entry for entry in model.metadata_props if entry.key != STORED_KEY]
    if len(kept) == len(model.metadata_props):
        return False
    graph = model.graph
    casts = {node.input[0]: node.output[0] for node in graph.node if node.op_type == "Cast"}
    stored = {}
    for tensor in graph.initializer:
        name = tensor.name.removesuffix(SUFFIX)
        if tensor.name != name and casts.get(tensor.name) == name:
            stored[tensor.name] = name
            array = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(array, name))
    nodes = [node for node in graph.node if not stored.keys() & set(node.input)]
    del graph.node[:], model.metadata_props[:]
    graph.node.extend(nodes)
    model.metadata_props.extend(kept)
    return bool(stored)
