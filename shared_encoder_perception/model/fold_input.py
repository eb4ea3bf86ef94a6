# SPDX-License-Identifier: Apache-2.0
"""The picture's normalisation, folded into the first convolution of an exported network.

``encoder(image)`` turns BGR around, subtracts a mean and divides by a deviation: three passes over
the picture. The convolution behind them can take the channels in the camera's order, and its
weights the division. The mean stays where it is: pixels that a convolution pads with are 0, which
is the mean, and no bias could say that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

MEAN: Final = "folded_input.mean"
"""Initializer of an artifact whose first weights hold the deviation: the mean, BGR."""
CHANNELS: Final = 1
"""Axis."""


def fold_input(model: onnx.ModelProto) -> bool:
    """Fold turning around and dividing into the weights behind them (in place).

    Args:
        model: An exported network.

    Returns:
        Whether that was done: the graph may begin otherwise.
    """
    graph = model.graph
    values = {item.name: item for item in graph.initializer}
    chain = _chain(graph, ("Slice", "Sub", "Div", "Conv"))
    if chain is None:
        return False
    flip, subtract, divide, convolve = chain
    mean, std, weight = (_constant(node, 1, values) for node in (subtract, divide, convolve))
    turned = [_constant(flip, place, values) for place in range(1, len(flip.input))]
    if mean is None or std is None or weight is None or not _turns_channels(turned):
        return False
    if weight.shape[1] != std.size:  # a grouped convolution
        return False
    scaled = (weight / std.reshape(1, -1, 1, 1))[:, ::-1]
    name = convolve.input[1]
    values[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(scaled), name))
    backwards = np.ascontiguousarray(mean[:, ::-1])
    graph.initializer.append(numpy_helper.from_array(backwards, MEAN))
    subtract.input[:] = [flip.input[0], MEAN]
    convolve.input[0] = subtract.output[0]
    for node in (flip, divide):
        graph.node.remove(node)
    return True


def first_weights(graph: onnx.GraphProto) -> str | None:
    """Return the name of the weights that the normalisation was folded into, ``None`` without."""
    subtracted = {node.output[0] for node in graph.node if MEAN in node.input}
    for node in graph.node:
        if node.op_type == "Conv" and node.input[0] in subtracted:
            return str(node.input[1])
    return None


def unfolded(weight: NDArray[np.float32], std: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the weights as they were before ``fold_input``.

    Args:
        weight: (O, 3, h, w) for BGR.
        std: (3,) deviation that pictures are divided by, RGB.
    """
    return np.ascontiguousarray(weight[:, ::-1] * std.reshape(1, -1, 1, 1))


def _chain(graph: onnx.GraphProto, kinds: Sequence[str]) -> list[onnx.NodeProto] | None:
    """Return the first nodes of such kinds of which each alone takes what the one before gives."""
    takers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            takers.setdefault(name, []).append(node)
    for node in graph.node:
        found = [node]
        while found[-1].op_type == kinds[len(found) - 1]:
            if len(found) == len(kinds):
                return found
            behind = takers.get(found[-1].output[0], [])
            if len(behind) != 1 or behind[0].input[0] != found[-1].output[0]:
                break
            found.append(behind[0])
    return None


def _constant(
    node: onnx.NodeProto, place: int, values: dict[str, onnx.TensorProto]
) -> NDArray | None:
    """Return an input of a node that is stored in the file."""
    item = values.get(node.input[place])
    return None if item is None else numpy_helper.to_array(item)


def _turns_channels(slice_inputs: Sequence[NDArray | None]) -> bool:
    """Whether a Slice with these starts, ends, axes and steps reverses the channels alone."""
    if len(slice_inputs) != 4 or any(array is None for array in slice_inputs):
        return False
    numbers = [array.reshape(-1).tolist() for array in slice_inputs if array is not None]
    if any(len(found) != 1 for found in numbers):
        return False
    start, end, axis, step = (found[0] for found in numbers)
    return axis == CHANNELS and step == -1 and start in (-1, 2) and end < -3
