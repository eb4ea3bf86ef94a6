# SPDX-License-Identifier: Apache-2.0
"""Does an artifact answer as something else does? Asked of each of its output tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from shared_encoder_perception.artifact.tensors import blank
from shared_encoder_perception.backends import Backend
from shared_encoder_perception.evaluation.deviations import Deviations
from shared_encoder_perception.model.network import DeployWrapper, PerceptionNetwork
from shared_encoder_perception.spec import INPUT_IMAGE, ModelSpec
from shared_encoder_perception.tasks.contract.comparisons import Quantity

Tensors = Mapping[str, NDArray]


@dataclass(frozen=True)
class Deviation:
    """Largest differences between an artifact and what it is compared with.

    Attributes:
        images: How many were compared.
        quantities: What was compared, by name.
        largest: The largest error of each.
    """

    images: int
    quantities: Mapping[str, Quantity]
    largest: Mapping[str, float]

    @property
    def small(self) -> bool:
        """Whether rounding explains it."""
        return self.images > 0 and all(
            self.largest[name] <= quantity.rounding for name, quantity in self.quantities.items()
        )

    def __str__(self) -> str:
        """One line for people."""
        errors = (
            f"{quantity.title} {self.largest[name]:.1e}"
            for name, quantity in self.quantities.items()
        )
        return "; ".join((f"{self.images} images", *errors))


def compare(
    network: PerceptionNetwork, backend: Backend, images: Iterable[NDArray[np.uint8]]
) -> Deviation:
    """Run network inputs (H, W, 3) through the artifact and through torch."""
    wrapper = DeployWrapper(network, backend.spec.tasks)

    def answer(inputs: Tensors) -> Tensors:
        with torch.inference_mode():
            found = wrapper(*(torch.from_numpy(array) for array in inputs.values()))
        return {name: one.numpy() for name, one in zip(wrapper.outputs, found, strict=True)}

    return compare_answers(answer, backend, images, backend.spec)


def compare_answers(
    answer: Callable[[Tensors], Tensors],
    backend: Backend,
    images: Iterable[NDArray[np.uint8]],
    spec: ModelSpec,
) -> Deviation:
    """Run network inputs (H, W, 3) through the artifact and through ``answer``.

    Args:
        answer: Input tensors to output tensors, those taken for right.
        backend: The artifact.
        images: To compare on; each is compared with the one before it, where a model takes pairs.
        spec: Of the tasks that are compared; the artifact may have others beside them.
    """
    deviations, others = Deviations(spec), blank(backend.spec.input_tensors())
    del others[INPUT_IMAGE]
    count, largest = 0, dict.fromkeys(deviations.quantities, 0.0)
    before: NDArray[np.uint8] | None = None
    for image in images:
        seen = (image if before is None else before)[np.newaxis]
        pair = dict.fromkeys(backend.spec.companions(), seen)
        inputs = {INPUT_IMAGE: image[np.newaxis], **others, **pair}
        before = image
        expected, found = answer(inputs), backend.infer(inputs)
        errors = deviations.errors(
            {name: array[0] for name, array in found.items()},
            {name: array[0] for name, array in expected.items()},
        )
        for name, error in errors.items():
            # A comparison with NaN is never true: as infinity it cannot slip through.
            worst = float(np.nan_to_num(error.max(), nan=np.inf))
            largest[name] = max(largest[name], worst)
        count += 1
    return Deviation(count, deviations.quantities, largest)
