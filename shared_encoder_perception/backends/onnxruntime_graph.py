# SPDX-License-Identifier: Apache-2.0
"""What ONNX Runtime's fast convolutions ask of a graph, given to it by zeros.

On a CPU it computes convolutions in blocks of channels, where their number is a multiple of four;
one over 130 channels takes ten times as long as one over 132, for the same values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper

TAKEN: Final = 4
"""Channels are a multiple of this, or ONNX Runtime leaves its blocks."""
BLOCK: Final = 16
"""Channels of a block where the CPU has AVX-512, two of them with AVX2."""
DEPTHWISE, MIXING = "depthwise", "mixing"


def align_channels(model: onnx.ModelProto) -> bool:
    """Widen separable convolutions over joined features by channels of zeros, in place.

    Only what is known to stay the same is touched: a ``Concat`` of channels that a depthwise
    convolution alone reads, whose result a convolution of 1x1 alone mixes, all with constant
    weights. Answers are the same but for the order in which sums are rounded.

    Returns:
        Whether there was something to widen.
    """
    graph = model.graph
    weights = {item.name: item for item in graph.initializer}
    made_by = {name: node for node in graph.node for name in node.output}
    read_by: dict[str, list[NodeProto]] = {item.name: [] for item in graph.output}
    for reader in graph.node:
        for name in reader.input:
            read_by.setdefault(name, []).append(reader)
    alone = {name for name, nodes in read_by.items() if len(nodes) == 1}
    alone -= {item.name for item in graph.output}
    changed = False
    for conv in list(graph.node):
        if _kind(conv, weights) != DEPTHWISE or not {conv.output[0], *conv.input[1:]} <= alone:
            continue
        joined, mix = made_by.get(conv.input[0]), read_by[conv.output[0]][0]
        channels = weights[conv.input[1]].dims[0]
        if (
            channels % TAKEN
            and joined is not None
            and joined.op_type == "Concat"
            and _attribute(joined, "axis") == 1
            and joined.output[0] in alone
            and _kind(mix, weights) == MIXING
            and mix.input[0] == conv.output[0]
            and mix.input[1] in alone
        ):
            _widen(graph, joined, conv, mix, -channels % BLOCK)
            changed = True
    return changed


def _kind(node: NodeProto, weights: Mapping[str, onnx.TensorProto]) -> str:
    """Say which half of a separable convolution a node is; empty if it is neither."""
    if node.op_type != "Conv" or any(name not in weights for name in node.input[1:] if name):
        return ""
    outputs, inputs, *window = weights[node.input[1]].dims
    groups = _attribute(node, "group", 1)
    if groups == outputs and inputs == 1 and groups > 1:
        return DEPTHWISE
    return MIXING if groups == 1 and set(window) == {1} else ""


def _widen(
    graph: onnx.GraphProto, joined: NodeProto, conv: NodeProto, mix: NodeProto, more: int
) -> None:
    """Give a concatenation, what is computed of it, and what mixes that, more channels of zeros."""
    last, pads = joined.input[-1], f"{conv.output[0]}_zeros"
    padded = f"{pads}_beside"
    sides = np.array([0, 0, 0, 0, 0, more, 0, 0], np.int64)  # of N, C, H, W: before, then behind
    graph.initializer.append(numpy_helper.from_array(sides, pads))
    pad = helper.make_node("Pad", [last, pads], [padded], name=padded)
    joined.input[len(joined.input) - 1] = padded
    graph.node.insert(list(graph.node).index(joined), pad)
    for name in conv.input[1:]:
        if name:
            _lengthen(graph, name, 0, more)
    _lengthen(graph, mix.input[1], 1, more)
    groups = next(one for one in conv.attribute if one.name == "group")
    groups.i += more
    stale = {joined.output[0], *conv.output, *conv.input, *mix.input}
    kept = [item for item in graph.value_info if item.name not in stale]
    del graph.value_info[:]
    graph.value_info.extend(kept)


def _lengthen(graph: onnx.GraphProto, name: str, axis: int, more: int) -> None:
    """Append zeros to weights along an axis."""
    item = next(one for one in graph.initializer if one.name == name)
    array: NDArray = numpy_helper.to_array(item)
    sides = [(0, more if one == axis else 0) for one in range(array.ndim)]
    item.CopyFrom(numpy_helper.from_array(np.pad(array, sides), name))


def _attribute(node: NodeProto, name: str, default: int = 0) -> int:
    """Return a whole number that a node has by name."""
    return next((int(one.i) for one in node.attribute if one.name == name), default)
