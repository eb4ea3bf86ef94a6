# SPDX-License-Identifier: Apache-2.0
"""What tasks taken over from an artifact keep of it: all that was fitted to its answers."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.backends import Backend
from shared_encoder_perception.spec import ModelSpec, Tensor
from shared_encoder_perception.training.agreement import Tensors, compare_answers


def kept_blocks(
    source: Backend,
    title: str,
    backend: Backend,
    images: Iterable[NDArray[np.uint8]],
    trained: Collection[str] = (),
) -> dict[str, Any]:
    """Return the spec blocks of ``source`` for the tasks that ``backend`` answers just like it.

    A task that moves into a finished network, or alone is trained further, leaves the others'
    weights as they are; so may what was fitted to them: priors, thresholds, calibration.

    Args:
        source: The artifact that had the tasks before.
        title: How errors name it.
        backend: The new artifact.
        images: Network inputs (H, W, 3) to compare both on.
        trained: Tasks that ``source`` may have, too, and that have been trained since.

    Raises:
        ValueError: They share no task, see other pictures, or answer otherwise.
    """
    old, new = source.spec, backend.spec
    stayed = set(new.tasks) - set(trained)
    shared = {name: block for name, block in old.tasks.items() if name in stayed}
    if not shared or len(shared) == len(new.tasks):
        which = "all tasks" if shared else "no task"
        but = f", but for those trained since ({', '.join(trained)})" if trained else ""
        raise ValueError(
            f"{title} has {which} of the new model ({', '.join(new.tasks)}{but}): calibration is "
            "kept for some of them, while the others are new, or the run's train_only names them"
        )
    if (old.shrink, _pictures(old)) != (new.shrink, _pictures(new)):
        raise ValueError(
            f"{title} takes other pictures than the new model, {_inputs(old)} and {_inputs(new)}: "
            "its calibration is not that of the new model; export with its --size"
        )
    spec = replace(new, tasks=shared)
    for name, tensor in spec.output_tensors().items():
        if new.output_tensors()[name] != tensor:
            raise ValueError(
                f"{title} answers {name} as {tensor}, the new model as "
                f"{new.output_tensors()[name]}: its calibration is not that of the new model"
            )

    def answer(inputs: Tensors) -> Tensors:
        return source.infer({name: inputs[name] for name in old.input_tensors()})

    deviation = compare_answers(answer, backend, images, spec)
    if not deviation.small:
        raise ValueError(
            f"{title} answers otherwise than the new model ({deviation}): its calibration is not "
            "that of the new model; leave --keep-calibration out, or train with train_only, and "
            "export with --half where that model was"
        )
    return shared


def _pictures(spec: ModelSpec) -> dict[str, Tensor]:
    """Return what a model takes, but for a rig's calibration: no picture's answer needs it."""
    rigs = spec.of_rigs()
    return {name: tensor for name, tensor in spec.input_tensors().items() if name not in rigs}


def _inputs(spec: ModelSpec) -> str:
    tensors = (f"{name} {tensor.shape}" for name, tensor in _pictures(spec).items())
    return f"{', '.join(tensors)} shrunk by {spec.shrink}"
