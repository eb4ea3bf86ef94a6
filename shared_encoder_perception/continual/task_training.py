# SPDX-License-Identifier: Apache-2.0
"""One task of a sequence as lightning sees it: plain training, and what strategies add to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from time import perf_counter
from typing import Any, Final

from torch import Tensor
from torch.utils.data import IterableDataset

from shared_encoder_perception.continual.memory.mixture import MemoryMixture
from shared_encoder_perception.continual.strategies.contract import Step, Strategy
from shared_encoder_perception.continual.strategies.latent_replay import LatentReplay
from shared_encoder_perception.continual.supervision.supervision import Supervision
from shared_encoder_perception.model.network import PerceptionNetwork
from shared_encoder_perception.training.config import TrainConfig
from shared_encoder_perception.training.data import training_stream
from shared_encoder_perception.training.losses import Batch
from shared_encoder_perception.training.module import StageTraining

COST: Final = "continual_cost"
"""Key of a checkpoint: seconds and steps of the task so far."""
SUPERVISION: Final = "continual_supervision"
"""Likewise: ``Supervision.progress``."""


class TaskTraining(StageTraining):
    """Plain training on a task's sets, with samples from memory and further losses.

    Attributes:
        seconds: Of training so far, without validations, interruptions aside.
        steps: Taken in them.
    """

    def __init__(
        self,
        config: TrainConfig,
        stage: int,
        network: PerceptionNetwork,
        *,
        order: MemoryMixture,
        strategies: Collection[Strategy],
    ) -> None:
        """Train ``network`` as stage number ``stage`` of ``config`` says.

        Args:
            config: Of the task: see ``config.training_of``.
            stage: Number of the task.
            network: As earlier tasks left it.
            order: What is seen when.
            strategies: What adds losses, begun for this task.
        """
        latents = [one for one in strategies if isinstance(one, LatentReplay) and one.cut]
        for one in latents:
            config = one.training(config, stage, order)
        super().__init__(config, stage, network)
        self._order, self._latents = order, next(iter(latents), None)
        self._supervision = next((one for one in strategies if isinstance(one, Supervision)), None)
        # What is not labelled teaches in the first task, too.
        self._strategies = [one for one in strategies if stage or one is self._supervision]
        if self._strategies:
            self._listen()
        self.seconds, self.steps = 0.0, 0
        self._since: float | None = None

    @property
    def data(self) -> dict[str, list[dict[str, str | int]]]:
        """What is trained on and scored on, for the record of the run."""
        earlier = [samples.description for samples in self._order.earlier]
        seen = self._supervision.data if self._supervision else []
        beside = {"memory": earlier, "unlabelled": seen}
        return {**super().data, **{kind: told for kind, told in beside.items() if told}}

    def stream(self, first_step: int, rank: int, processes: int) -> IterableDataset[Batch]:
        """Return what is trained on from a step on."""
        sets, order = self._train_sets, self._order.own if self._latents else self._order
        return training_stream(self._config, self._index, sets, first_step, rank, processes, order)

    def answered(self, batch: Batch) -> tuple[dict[str, Tensor], Batch]:
        """Return the logits, and the batch that they answer: with latents, where there are any."""
        if self._latents is None:
            return super().answered(batch)
        return self._latents.answered(self.network, batch, self._learned, self.global_step)

    def _beside(self, logits: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Return the strategies' losses."""
        found: dict[str, Tensor] = {}
        features = self._features  # of this batch, whatever else the network is shown
        for strategy in self._strategies:
            found |= strategy.losses(Step(self.network, batch, logits, features))
            self._features = features
        return found

    # ---- what it costs ------------------------------------------------------------------------

    def on_train_start(self) -> None:
        """Look at the clock."""
        self._since = perf_counter()

    def on_train_end(self) -> None:
        """Count all of it."""
        self._count()
        self._since = None

    def on_validation_start(self) -> None:
        """Count until here: validations are no training."""
        self._count()
        self._since = None

    def on_validation_end(self) -> None:
        """Go on counting, if training goes on."""
        self._since = perf_counter()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what was counted."""
        self._count()
        checkpoint[COST] = [self.seconds, self.steps]
        if self._supervision:
            checkpoint[SUPERVISION] = self._supervision.progress()

    def on_load_checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        """Go on from what was counted."""
        seconds, steps = checkpoint[COST]
        self.seconds, self.steps = float(seconds), int(steps)
        if self._supervision:
            self._supervision.resume(checkpoint[SUPERVISION])

    def _count(self) -> None:
        """Add the time since the clock was looked at last."""
        if self._since is not None:
            now = perf_counter()
            self.seconds, self._since = self.seconds + now - self._since, now
            self.steps = self.global_step


def images_per_second(training: TaskTraining, batch_size: int) -> float:
    """Return how many images were trained on in a second."""
    return training.steps * batch_size / max(training.seconds, 1e-9)
