# SPDX-License-Identifier: Apache-2.0
"""What of a model's output tensors is compared between engines, asked of each task's room."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks
from shared_encoder_perception.artifact.file import FP32
from shared_encoder_perception.spec import ModelSpec, Tensor
from shared_encoder_perception.tasks.contract.comparisons import Quantity, ShownScore

ROUNDING: Final = 1e-3
"""Of float32 in another order of operations; usual are 1e-5. For tensors of tasks that say nothing
else."""
STEP: Final = 1.0
"""The same of whole numbers."""


class Deviations:
    """Compares the output tensors of two engines that run models with one spec.

    Attributes:
        quantities: What is compared, by name.
    """

    def __init__(self, spec: ModelSpec) -> None:
        """Ask the rooms of the model's tasks."""
        names = [name for name in tasks.ROOMS if name in spec.tasks]
        self._rooms = tasks.parts("differences", names)
        self._plain: dict[str, Tensor] = {}
        self.quantities: dict[str, Quantity] = {}
        for name in names:
            if name in self._rooms:
                self.quantities |= self._rooms[name].QUANTITIES
            else:
                tensors = spec.tasks[name].outputs(spec.input_size)
                self._plain |= tensors
                self.quantities |= _plain_quantities(tensors)

    def errors(
        self, outputs: Mapping[str, NDArray], reference: Mapping[str, NDArray]
    ) -> dict[str, NDArray]:
        """Return the absolute error of each quantity.

        Args:
            outputs: The spec's output tensors of one image, without the batch axis.
            reference: Those that are taken for right.
        """
        found: dict[str, NDArray] = {}
        for room in self._rooms.values():
            found |= room.errors(outputs, reference)
        for name in self._plain:
            one, other = (side[name].astype(np.float64) for side in (outputs, reference))
            found[name] = np.abs(one - other)
        return {name: found[name] for name in self.quantities}


def quantities(names: Iterable[str]) -> dict[str, Quantity]:
    """Return what is compared of tasks as they are by default, whatever a model says of them."""
    found: dict[str, Quantity] = {}
    for name in names:
        room = tasks.find_part(name, "differences")
        if room is None:
            block = tasks.part(name, "spec").Block()
            found |= _plain_quantities(block.outputs(ModelSpec.input_size))
        else:
            found |= room.QUANTITIES
    return found


def shown_scores(names: Iterable[str]) -> dict[str, ShownScore]:
    """Return the headline scores of tasks that are compared."""
    found: dict[str, ShownScore] = {}
    for name in names:
        room = tasks.find_part(name, "differences")
        if room is None:
            keys = tasks.part(name, "metric").SCORE
            found |= {key: ShownScore(key.replace("_", " "), None) for key in keys}
        else:
            found |= room.SCORES
    return found


def _plain_quantities(tensors: Mapping[str, Tensor]) -> dict[str, Quantity]:
    """Return each tensor as a quantity of its own."""
    found = {}
    for name, tensor in tensors.items():
        most = ROUNDING if tensor.dtype.startswith("float") else STEP
        found[name] = Quantity(name, {FP32: most}, most)
    return found
