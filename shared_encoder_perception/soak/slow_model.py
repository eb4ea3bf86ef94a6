# SPDX-License-Identifier: Apache-2.0
"""Make a model really slow: the same answers, after as many more convolutions as it takes.

Nothing is pretended: the engine computes them on every image, and cannot leave them out, because
their result, too small to be seen, goes into an output.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from pathlib import Path
from time import perf_counter
from typing import Final

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from shared_encoder_perception.artifact.file import Artifact, kept_metadata, parse, write_artifact
from shared_encoder_perception.artifact.tensors import blank
from shared_encoder_perception.backends import Backend
from shared_encoder_perception.spec import INPUT_IMAGE

CHANNELS: Final = (32, 128, 512)
"""Widths of the convolutions; a wider one where more than ``MOST_LAYERS`` would be needed."""
MOST_LAYERS: Final = 200
FIRST_LAYERS: Final = 4
TRIES: Final = 4
TOLERANCE: Final = 0.1
"""The model may be slower or faster than it should be by this share."""
INFERENCES: Final = 7
"""Of which the median is taken, after one that warms up."""
TINY: Final = 1e-30
"""Factor of what goes into the output; not 0, which an engine might notice."""
FLOAT: Final = "float32"


def write_slow_model(
    artifact: Artifact, milliseconds: float, load: Callable[[Path], Backend], path: Path
) -> float:
    """Write a model that takes about so long on this machine, as it is loaded now.

    Args:
        artifact: The model whose answers it gives.
        milliseconds: Inference time to reach; more than the model's own.
        load: Loads a model as the node will.
        path: File to write.

    Returns:
        The inference time that was measured.

    Raises:
        ValueError: The model is slower already, or no number of layers is slow enough.
    """

    def measured(layers: int, channels: int) -> float:
        """Write a model and take its time."""
        add_layers(artifact, layers, channels, path)
        return inference_ms(load(path))

    own = measured(0, CHANNELS[0])
    if own >= milliseconds:
        raise ValueError(
            f"the model takes {own:.0f} ms already, expected less than the {milliseconds:g} ms "
            "asked for: ask for more, or for 0 to run it as it is"
        )
    for channels in CHANNELS:
        layers, found = FIRST_LAYERS, measured(FIRST_LAYERS, channels)
        for _ in range(TRIES):
            if abs(found - milliseconds) <= TOLERANCE * milliseconds:
                return found
            layers = max(1, ceil(layers * (milliseconds - own) / max(found - own, 0.01)))
            if layers > MOST_LAYERS:
                break
            found = measured(layers, channels)
        else:  # as near as this machine's noise allows
            return found
    raise ValueError(
        f"{MOST_LAYERS} convolutions of {CHANNELS[-1]} channels are faster than {milliseconds:g} ms"
    )


def inference_ms(backend: Backend) -> float:
    """Return the median time of an inference, in milliseconds, and close the backend."""
    inputs = blank(backend.spec.input_tensors())
    times = []
    for _ in range(1 + INFERENCES):
        start_s = perf_counter()
        backend.infer(inputs)
        times.append((perf_counter() - start_s) * 1e3)
    backend.close()
    return float(np.median(times[1:]))


def add_layers(artifact: Artifact, layers: int, channels: int, path: Path) -> None:
    """Write a model with so many convolutions of 3x3 more, at a quarter of the input's size."""
    model = parse(artifact.content, artifact.source)
    graph = model.graph
    tensors = artifact.spec.output_tensors()
    output = next(
        (name for name, one in tensors.items() if one.dtype == FLOAT), next(iter(tensors))
    )
    plain = f"{output}_plain"
    for node in graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name == output:
                    names[index] = plain
    shape = numpy_helper.from_array(np.array([-1, *[1] * len(tensors[output].shape)]), "slow_shape")
    graph.initializer.append(shape)
    weights = _weights(channels)
    graph.initializer.extend(
        numpy_helper.from_array(array, f"slow_{name}") for name, array in weights.items()
    )
    make = helper.make_node
    graph.node.extend(
        [
            make("Cast", [INPUT_IMAGE], ["slow_float"], to=TensorProto.FLOAT),
            make("Transpose", ["slow_float"], ["slow_chw"], perm=(0, 3, 1, 2)),
            make("Conv", ["slow_chw", "slow_first", "slow_bias"], ["slow_0"], strides=(4, 4)),
        ]
    )
    for index in range(layers):
        convolved, out = f"slow_convolved_{index}", f"slow_{index + 1}"
        inputs = [f"slow_{index}", "slow_middle", "slow_bias"]
        graph.node.extend(
            [
                make("Conv", inputs, [convolved], pads=(1, 1, 1, 1)),
                make("Clip", [convolved, "slow_low", "slow_high"], [out]),
            ]
        )
    graph.node.extend(
        [
            make("GlobalAveragePool", [f"slow_{layers}"], ["slow_mean"]),
            make("Conv", ["slow_mean", "slow_last"], ["slow_tiny"]),
            make("Reshape", ["slow_tiny", "slow_shape"], ["slow_last_value"]),
        ]
    )
    if tensors[output].dtype == FLOAT:
        graph.node.append(make("Add", [plain, "slow_last_value"], [output]))
    else:  # whole numbers, to which not every engine can add: the value is never so large
        zero = np.zeros([1] * (1 + len(tensors[output].shape)), tensors[output].dtype)
        graph.initializer.append(numpy_helper.from_array(zero, "slow_zero"))
        graph.node.extend(
            [
                make("Greater", ["slow_last_value", "slow_high"], ["slow_is_large"]),
                make("Where", ["slow_is_large", "slow_zero", plain], [output]),
            ]
        )
    write_artifact(model, artifact.spec, path, kept_metadata(model))


def _weights(channels: int) -> dict[str, NDArray]:
    """Return the constants; every layer has the same ones.

    Bias and clipping keep the values between 0 and 6 however many layers there are: neither
    infinite nor so small that the arithmetic changes its speed.
    """
    random = np.random.default_rng(0)
    spread = float(np.sqrt(2.0 / (9 * channels)))
    first = random.normal(0.0, 0.1, (channels, 3, 4, 4)) / 255.0
    middle = random.normal(0.0, spread, (channels, channels, 3, 3))
    return {
        "first": first.astype(np.float32),
        "middle": middle.astype(np.float32),
        "last": np.full((1, channels, 1, 1), TINY, np.float32),
        "bias": np.full(channels, 0.1, np.float32),
        "low": np.array(0.0, np.float32),
        "high": np.array(6.0, np.float32),
    }
