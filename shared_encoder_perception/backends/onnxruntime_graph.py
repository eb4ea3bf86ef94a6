# SPDX-License-Identifier: Apache-2.0
"""What ONNX Runtime's fast convolutions ask of a graph, given to it without changing an answer.

On a CPU it computes convolutions in blocks of channels. Features that fill no whole blocks, such as
a cell's column and row, take all that they are joined with out of the blocks and back, and a
convolution over 130 channels takes ten times as long as one over 132.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

TAKEN: Final = 4
"""Channels are a multiple of this, or ONNX Runtime leaves its blocks."""
DEPTHWISE, MIXING = "depthwise", "mixing"


class Joined(NamedTuple):
    """Features that are joined, convolved channel by channel or not, and mixed.

    Attributes:
        concats: What joins them, the last one first; the others join a part of it.
        parts: Name and channels of each feature, in order.
        conv: The depthwise convolution, ``None`` without.
        mix: The convolution of 1x1.
    """

    concats: list[NodeProto]
    parts: list[tuple[str, int]]
    conv: NodeProto | None
    mix: NodeProto


def convolve_apart(model: onnx.ModelProto) -> bool:
    """Convolve joined features each by itself and add what comes out, in place.

    A convolution of 1x1 is linear: over joined features it is the sum of those over each. Only what
    is known to stay the same is touched: ``Concat``s of channels that such a convolution alone
    reads, or a depthwise one alone that such a one alone reads, all with constant weights, where
    some feature fills no blocks. Answers are the same but for the order in which sums are rounded.

    Returns:
        Whether there was something to take apart.
    """
    found = list(_joined(model))
    for one in found:
        _take_apart(model.graph, one)
    return bool(found)


def _joined(model: onnx.ModelProto) -> Iterator[Joined]:
    """Yield what is worth taking apart."""
    graph = model.graph
    weights = {item.name: item for item in graph.initializer}
    made_by = {name: node for node in graph.node for name in node.output}
    read_by: dict[str, list[NodeProto]] = {item.name: [] for item in graph.output}
    for reader in graph.node:
        for name in reader.input:
            read_by.setdefault(name, []).append(reader)
    alone = {name for name, nodes in read_by.items() if len(nodes) == 1}
    alone -= {item.name for item in graph.output}
    channels = _channels(graph)
    for mix in graph.node:
        if _kind(mix, weights) != MIXING:
            continue
        conv = made_by.get(mix.input[0])
        if conv is not None and (mix.input[0] not in alone or _kind(conv, weights) != DEPTHWISE):
            conv = None
        concats: list[NodeProto] = []
        names = list(_parts((conv or mix).input[0], made_by, alone, concats))
        counts = [channels.get(name, 0) for name in names]
        whole = all(counts) and sum(counts) == weights[mix.input[1]].dims[1]
        if concats and whole and any(count % TAKEN for count in counts):
            yield Joined(concats, list(zip(names, counts, strict=True)), conv, mix)


def _parts(
    name: str, made_by: Mapping[str, NodeProto], alone: set[str], concats: list[NodeProto]
) -> Iterator[str]:
    """Yield what a feature is joined of, itself if of nothing; ``concats`` get what joins it."""
    node = made_by.get(name)
    joins = node is not None and node.op_type == "Concat" and _attribute(node, "axis") == 1
    if node is None or not joins or name not in alone:
        yield name
        return
    concats.append(node)
    for part in node.input:
        yield from _parts(part, made_by, alone, concats)


def _channels(graph: onnx.GraphProto) -> dict[str, int]:
    """Return the channels of every feature of which they are known."""
    found = {}
    for item in (*graph.input, *graph.value_info, *graph.output):
        shape = item.type.tensor_type.shape.dim
        if len(shape) == 4 and shape[1].HasField("dim_value"):
            found[item.name] = int(shape[1].dim_value)
    return found


def _kind(node: NodeProto, weights: Mapping[str, onnx.TensorProto]) -> str:
    """Say which half of a separable convolution a node is; empty if it is neither."""
    if node.op_type != "Conv" or any(name not in weights for name in node.input[1:] if name):
        return ""
    outputs, inputs, *window = weights[node.input[1]].dims
    groups = _attribute(node, "group", 1)
    if groups == outputs and inputs == 1 and groups > 1:
        return DEPTHWISE
    return MIXING if groups == 1 and set(window) == {1} else ""


def _take_apart(graph: onnx.GraphProto, joined: Joined) -> None:
    """Replace convolutions of joined features by those of each, and the sum of what they say."""
    conv, mix = joined.conv, joined.mix
    values = {item.name: item for item in graph.initializer}
    mixing, last = _constants(mix, values)
    bounds = np.cumsum([0, *(count for _, count in joined.parts)])
    nodes: list[NodeProto] = []
    sums = ""
    for number, (begin, end) in enumerate(pairwise(bounds)):
        (name, count), what = joined.parts[number], f"{mix.output[0]}_of_{number}"
        if conv is not None:
            own, shift = (array[begin:end] for array in _constants(conv, values))
            nodes.append(_conv(graph, conv, count, name, f"{what}_apart", (own, shift)))
            name = nodes[-1].output[0]
        nodes.append(_conv(graph, mix, 1, name, what, (mixing[:, begin:end], last)))
        last = np.zeros_like(last)  # once is enough
        if sums:
            added = mix.output[0] if end == bounds[-1] else f"{what}_added"
            nodes.append(helper.make_node("Add", [sums, what], [added], name=added))
        sums = nodes[-1].output[0]
    at = list(graph.node).index(mix)
    for place, node in enumerate(nodes, start=at):
        graph.node.insert(place, node)
    _remove(graph, [mix, *joined.concats, *([] if conv is None else [conv])])


def _conv(
    graph: onnx.GraphProto,
    like: NodeProto,
    groups: int,
    given: str,
    name: str,
    constants: tuple[NDArray, NDArray],
) -> NodeProto:
    """Return a convolution ``like`` another one, of ``constants``: its weights and its bias."""
    node = NodeProto()
    node.CopyFrom(like)
    node.name, node.output[:] = name, [name]
    node.input[:] = [given, f"{name}_weight", f"{name}_bias"]
    for called, array in zip(node.input[1:], constants, strict=True):
        graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(array), called))
    kept = [one for one in node.attribute if one.name != "group"]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute("group", groups)])
    return node


def _constants(
    conv: NodeProto, values: Mapping[str, TensorProto]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the weights of a convolution and its bias, of zeros where it has none."""
    weight, *bias = (numpy_helper.to_array(values[name]) for name in conv.input[1:] if name)
    return weight, bias[0] if bias else np.zeros(len(weight), weight.dtype)


def _remove(graph: onnx.GraphProto, nodes: list[NodeProto]) -> None:
    """Take out nodes, what they alone made known, and weights that nobody reads any more."""
    gone = {name for node in nodes for name in node.output}
    for node in nodes:
        graph.node.remove(node)
    made = {name for node in graph.node for name in node.output}
    read = {name for node in graph.node for name in node.input}
    for item in [item for item in graph.initializer if item.name not in read]:
        graph.initializer.remove(item)
    for item in [one for one in graph.value_info if one.name in gone - made]:
        graph.value_info.remove(item)


def _attribute(node: NodeProto, name: str, default: int = 0) -> int:
    """Return a whole number that a node has by name."""
    return next((int(one.i) for one in node.attribute if one.name == name), default)
