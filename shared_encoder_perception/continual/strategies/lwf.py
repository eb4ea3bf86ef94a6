# SPDX-License-Identifier: Apache-2.0
"""Learning without forgetting (Li and Hoiem, ECCV 2016): old answers on new images stay.

The network as it was before a task says what it sees on the task's images, and what is trained is
held to that, by the distillation of each task's room, beside the labels of these images. Nothing of
earlier tasks is kept but the network itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from torch import Tensor

from shared_encoder_perception import tasks
from shared_encoder_perception.continual.config import ContinualConfig
from shared_encoder_perception.continual.strategies.before import as_before
from shared_encoder_perception.continual.strategies.contract import Learned, Step
from shared_encoder_perception.model.network import PerceptionNetwork
from shared_encoder_perception.training.distill import Distiller

PREFIX: Final = "lwf_"
_ROOMS: Final = "distill_"


class Lwf:
    """Teaches what the network answered before the task."""

    def __init__(self, config: ContinualConfig) -> None:
        """Take the weight, and ``train.distill``, which says what is taught.

        Raises:
            ValueError: A weight that would reward forgetting, or tasks that nothing is taught of.
        """
        self._weight, self._distill = config.lwf.weight, config.train.distill
        if not self._weight >= 0:
            raise ValueError(f"lwf.weight is {self._weight}, expected 0 or more")
        names = config.train.network.tasks
        if self._weight and not tasks.parts("distill", names):
            raise ValueError(
                f"lwf teaches nothing of {', '.join(names)}: leave it out, or take pod or ewc"
            )
        self._teacher: Distiller | None = None

    def begin(self, task: int, network: PerceptionNetwork) -> None:
        """Freeze a copy of ``network`` as the teacher; of the first task there is none."""
        self._teacher = None
        if task and self._weight:
            teacher = as_before(network)
            self._teacher = Distiller(self._distill, network.config.tasks, teacher=teacher)

    def losses(self, step: Step) -> dict[str, Tensor]:
        """Return what is taught, weighted: ``lwf_mask`` for the room's ``distill_mask``."""
        if self._teacher is None:
            return {}
        taught = self._teacher(step.logits, step.batch)
        return {
            PREFIX + name.removeprefix(_ROOMS): self._weight * value
            for name, value in taught.items()
        }

    def end(self, learned: Learned) -> None:
        """Remember nothing: the teacher is the network that the next task begins with."""
        self._teacher = None

    def state(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take nothing back."""
