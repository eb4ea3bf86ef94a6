# SPDX-License-Identifier: Apache-2.0
"""What goes into an engine and what comes out, held against what the spec promises.

The batch axis of most tensors counts images. Of some it counts rigs, whose cameras' images they
belong to together (``ModelSpec.of_rigs``); an engine takes one rig at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.files.typed_json import suggestion
from shared_encoder_perception.spec import INPUT_IMAGE, Tensor

Promised = Mapping[str, Tensor]
"""``ModelSpec.input_tensors()`` or ``output_tensors()``."""
Arrays = Mapping[str, NDArray]


class InputError(ValueError):
    """Inputs that a model does not take; the message says which one, and what is expected."""


class OutputError(RuntimeError):
    """An engine that does not give what the model's spec promises."""


def batched(
    promised: Promised, count: int, of_rigs: Collection[str] = ()
) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor with its batch axis, for ``count`` images of one rig."""
    return {
        name: (1 if name in of_rigs else count, *tensor.shape) for name, tensor in promised.items()
    }


def blank(promised: Promised, count: int = 1, of_rigs: Collection[str] = ()) -> dict[str, NDArray]:
    """Return inputs of zeros for ``count`` images, of one rig."""
    shapes = batched(promised, count, of_rigs)
    return {name: np.zeros(shapes[name], tensor.dtype) for name, tensor in promised.items()}


def check_inputs(inputs: Arrays, promised: Promised, of_rigs: Collection[str] = ()) -> int:
    """Return how many images the inputs of an engine are for.

    Args:
        inputs: By name, with the batch axis.
        promised: What the model takes.
        of_rigs: Names of those whose batch axis counts rigs: there has to be one.

    Raises:
        InputError: One is missing, unknown, of another type or shape, for more images than
            another, or not for one rig.
    """
    if not isinstance(inputs, Mapping):
        raise InputError(
            f"the inputs are a {type(inputs).__name__}, expected arrays by name: "
            f"{', '.join(promised)}"
        )
    _check_names(inputs, promised)
    for name, tensor in promised.items():
        array = inputs[name]
        wrong = array.dtype != tensor.dtype or array.shape[1:] != tensor.shape
        if wrong or not len(array) or (name in of_rigs and len(array) != 1):
            first = 1 if name in of_rigs else "N"
            raise InputError(
                f"the input {name!r} is {words(array)}, expected {words(tensor, first)}"
            )
    counts = {name: len(inputs[name]) for name in promised if name not in of_rigs}
    if len(set(counts.values())) > 1:
        raise InputError(
            f"the inputs are for different numbers of images ({counts}), expected one entry of "
            "each for each image"
        )
    return counts[INPUT_IMAGE]


def stack_inputs(
    images: Sequence[NDArray[np.uint8]], extras: Sequence[Arrays], promised: Promised
) -> dict[str, NDArray]:
    """Return the inputs of an engine for several images.

    Args:
        images: Network inputs (H, W, 3).
        extras: What else the model takes of each image, by name, without the batch axis.
        promised: What the model takes.

    Raises:
        InputError: An extra input is missing, unknown, or of another type or shape.
    """
    if len(extras) != len(images):
        raise InputError(f"extra inputs are given for {len(extras)} of {len(images)} images")
    others = {name: tensor for name, tensor in promised.items() if name != INPUT_IMAGE}
    for given in extras:
        _check_names(given, others)
        for name, tensor in others.items():
            check_one(name, given[name], tensor)
    return {
        INPUT_IMAGE: _stacked(images),
        **{name: _stacked([given[name] for given in extras]) for name in others},
    }


def check_one(name: str, array: Any, tensor: Tensor) -> None:
    """Refuse an input for one image, without the batch axis, of another type or shape.

    Raises:
        InputError: It is.
    """
    if not isinstance(array, np.ndarray):
        raise InputError(
            f"the input {name!r} is a {type(array).__name__}, expected an array: {words(tensor)}"
        )
    if array.dtype != tensor.dtype or array.shape != tensor.shape:
        raise InputError(f"the input {name!r} is {words(array)}, expected {words(tensor)}")


def check_outputs(
    outputs: Arrays, promised: Promised, count: int, of_rigs: Collection[str] = ()
) -> None:
    """Compare what an engine gave for ``count`` images with what the spec promises.

    Args:
        outputs: By name, with the batch axis.
        promised: What the model gives.
        count: How many images it was given.
        of_rigs: Names of those whose batch axis counts rigs.

    Raises:
        OutputError: One is missing, of another type or shape, or holds NaN or infinity.
    """
    shapes = batched(promised, count, of_rigs)
    for name, tensor in promised.items():
        array: Any = outputs.get(name)
        if array is None:
            found = f"does not give the output {name!r} but {', '.join(outputs) or 'nothing'}"
        elif not isinstance(array, np.ndarray):
            found = f"gives the output {name!r} as a {type(array).__name__}"
        elif array.dtype != tensor.dtype or array.shape != shapes[name]:
            found = f"gives the output {name!r} as {words(array)}"
        elif array.dtype.kind == "f" and not np.isfinite(array).all():
            found = f"gives NaN or infinity in the output {name!r}"
        else:
            continue
        raise OutputError(
            f"the engine {found}, and the spec promises "
            f"{words(tensor, shapes[name][0])}: export the model again, or use another engine"
        )


def words(found: NDArray | Tensor, *batch: object) -> str:
    """Name a type and shape for people, after the axis ``batch``."""
    return f"{found.dtype} ({', '.join(map(str, (*batch, *found.shape)))})"


def key_words(promised: Promised, count: int, of_rigs: Collection[str] = ()) -> str:
    """Write down tensors for up to ``count`` images, for the key of an engine's file."""
    shapes = batched(promised, count, of_rigs)
    return str({name: [promised[name].dtype, list(shapes[name])] for name in sorted(promised)})


def _check_names(given: Arrays, promised: Promised) -> None:
    """Refuse inputs of other names."""
    for name in given:
        if name not in promised:
            hint = suggestion(name, promised) if promised else ""
            raise InputError(f"the model takes no input {name!r}{hint}")
    for name, tensor in promised.items():
        if name not in given:
            raise InputError(
                f"the model's input {name!r} is missing, expected {words(tensor)} for each image"
            )


def _stacked(arrays: Sequence[NDArray]) -> NDArray:
    """Put arrays of one shape together; a single one is not copied."""
    return arrays[0][np.newaxis] if len(arrays) == 1 else np.stack(arrays)
