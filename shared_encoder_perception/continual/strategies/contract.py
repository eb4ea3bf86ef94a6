# SPDX-License-Identifier: Apache-2.0
"""What a strategy against forgetting is to the sequence that it serves.

A strategy is asked at three moments: before a task, at each step of it, and after it. What it
remembers changes at the ends of tasks only, so that an interrupted task goes on exactly with what
was remembered when it began.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from shared_encoder_perception.continual.memory.entries import Entry
from shared_encoder_perception.model.network import PerceptionNetwork
from shared_encoder_perception.training.losses import Batch, Criterion


@dataclass(frozen=True, eq=False)
class Step:
    """What is known at a step of training.

    Attributes:
        network: As it is trained.
        batch: What is trained on: images, targets, companions.
        logits: The network's, as ``PerceptionNetwork.forward`` returns them.
        features: Of its encoder at ``STRIDES``, with gradients.
    """

    network: PerceptionNetwork
    batch: Batch
    logits: Mapping[str, Tensor]
    features: Sequence[Tensor]


@dataclass(frozen=True, eq=False)
class Learned:
    """What is known when a task has been learned.

    Attributes:
        task: Its number in the sequence.
        network: As it was left, in inference mode.
        batches: Makes the task's own batches anew, the same ones each time, without augmentation.
        criterion: The losses of the labels.
        remembered: What the memory holds of this task and of earlier ones.
    """

    task: int
    network: PerceptionNetwork
    batches: Iterable[Batch]
    criterion: Criterion
    remembered: Sequence[Entry] = ()


class Strategy(Protocol):
    """Something that is added to plain training."""

    def begin(self, task: int, network: PerceptionNetwork) -> None:
        """Prepare for task number ``task``; ``network`` is as the tasks before left it."""

    def losses(self, step: Step) -> dict[str, Tensor]:
        """Return weighted losses beside those of the labels, by name; none in the first task.

        A loss whose weight is 0 must not be there: it costs nothing and moves nothing.
        """

    def end(self, learned: Learned) -> None:
        """Remember what later tasks need of this one."""

    def state(self) -> dict[str, Any]:
        """Return what is remembered: tensors, numbers, strings, and lists and dicts of them."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Remember what ``state`` returned."""
