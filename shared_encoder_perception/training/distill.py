# SPDX-License-Identifier: Apache-2.0
"""Distillation: a student learns what a frozen teacher answers on the very images it sees.

A teacher's answers are soft targets (Hinton et al. 2015): probabilities, not labels. What they are
worth beside labels, and where there are none, each task's room knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from shared_encoder_perception import tasks
from shared_encoder_perception.model.checkpoint import load_network
from shared_encoder_perception.model.network import PerceptionNetwork
from shared_encoder_perception.training.losses import Batch
from shared_encoder_perception.training.room_config import joined, own


@dataclass(frozen=True)
class DistillConfig:
    """What a teacher adds to the loss; tasks add keys of their own.

    Attributes:
        teacher: Its checkpoint, the ``network.pt`` of a run; empty for no teacher.
        encoder: timm's name of an encoder whose features are taught; empty for none.
        encoder_weights: Its weights, as ``network.pretrained``.
        features: Weight of its features.
    """

    teacher: str = ""
    encoder: str = ""
    encoder_weights: str = ""
    features: float = 1.0


def distill_config(**values: Any) -> Any:
    """Return a ``DistillConfig`` with the keys of all tasks."""
    return joined(DistillConfig, "distill")(**values)


def check_distill(config: Any) -> None:
    """Refuse what could teach nothing.

    Raises:
        ValueError: An encoder without weights, weights without an encoder, or a weight below 0.
    """
    if bool(config.encoder) != bool(config.encoder_weights):
        raise ValueError(
            "distill.encoder and distill.encoder_weights belong together: an encoder of random "
            "weights teaches nothing"
        )
    if not config.features >= 0:
        raise ValueError(f"distill.features is {config.features}, expected 0 or more")


class Distiller:
    """A frozen teacher.

    Not a module: it must not be trained, averaged or saved with the student.
    """

    def __init__(
        self, config: Any, names: Sequence[str], teacher: PerceptionNetwork | None = None
    ) -> None:
        """Take the teacher, or load it.

        Args:
            config: As ``distill_config`` returns it.
            names: Of the student's tasks.
            teacher: In inference mode; ``None`` for the one that ``config`` names.

        Raises:
            CheckpointError: Its checkpoint is missing or unreadable.
            ValueError: It has nothing to teach such a student.
        """
        teacher = teacher or load_network(Path(config.teacher))
        self._teacher = teacher.to(memory_format=torch.channels_last)
        self._teacher.requires_grad_(False)
        known = self._teacher.config.tasks
        rooms = tasks.parts("distill", [name for name in names if name in known])
        if not rooms:
            raise ValueError(
                f"the teacher {config.teacher} answers {', '.join(known)}, of which a student of "
                f"{', '.join(names)} can learn nothing: leave distill.teacher out"
            )
        self._compare = {name: room.make_distill(own(config, room)) for name, room in rooms.items()}

    def __call__(self, logits: Mapping[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Compare a student with the teacher.

        Args:
            logits: The student's, as ``PerceptionNetwork.forward`` returns them.
            batch: The images, and what people said about them.

        Returns:
            The weighted parts of each task that both answer.
        """
        self._teacher.to(batch.images.device)
        with torch.no_grad():
            answers = self._teacher(batch.images, batch.size, batch.companions)
            taught = {name: value.float() for name, value in answers.items()}
        found: dict[str, Tensor] = {}
        for name, compare in self._compare.items():
            found |= compare(logits, taught, batch.targets[name])
        return found
