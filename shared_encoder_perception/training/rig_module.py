# SPDX-License-Identifier: Apache-2.0
"""One stage of training on rigs of cameras; what differs from ``training.module``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset

from shared_encoder_perception import tasks
from shared_encoder_perception.drawing.pictures import tile
from shared_encoder_perception.model.network import PerceptionNetwork
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.training.config import TrainConfig
from shared_encoder_perception.training.data import loader
from shared_encoder_perception.training.losses import Batch
from shared_encoder_perception.training.module import PANEL, StageTraining
from shared_encoder_perception.training.rig_batches import (
    RigValidation,
    RigValidationStream,
    flat,
    rig_stream,
    rig_task,
)
from shared_encoder_perception.training.rig_scorer import RigScorer
from shared_encoder_perception.training.rig_set import training_rigs, validation_rigs


def stage_training(config: TrainConfig, stage: int, network: PerceptionNetwork) -> StageTraining:
    """Return what trains ``network`` as stage number ``stage`` of ``config`` says."""
    of_rigs = any(map(tasks.is_rig, network.config.tasks))
    return (RigStageTraining if of_rigs else StageTraining)(config, stage, network)


class RigStageTraining(StageTraining):
    """Network, criterion, task weighting and data of one stage.

    Tasks of single images stand beside, where the network has them: they learn nothing here, and
    are not scored.
    """

    def _learning(self, names: Sequence[str]) -> list[str]:
        """Return the tasks of rigs alone: the others are not even computed."""
        return [name for name in names if tasks.is_rig(name)]

    def _open(self, spec: ModelSpec) -> None:
        """Open the sets, and make what perceives and scores their moments."""
        config, plan, cameras = self._config, self._plan, self._config.rigs.cameras
        self._train_sets = training_rigs(
            config.data, self._index, plan.picture, config.seed, cameras
        )
        self._val_sets = validation_rigs(config.data, self._train_sets, plan.size, cameras)
        self._blocks: Mapping[str, Any] = spec.tasks
        self._task = rig_task(spec.tasks)
        self._rig_decoder = tasks.part(self._task, "decode").Decoder(spec.tasks[self._task])
        self._scorer = RigScorer(self._task)

    def answered(self, batch: Batch) -> tuple[dict[str, Tensor], Batch]:
        """Return the logits, and the batch that they answer."""
        return super().answered(flat(batch))

    def stream(self, first_step: int, rank: int, processes: int) -> IterableDataset[Batch]:
        """Return what this process trains on from a step on."""
        return rig_stream(self._config, self._index, self._train_sets, first_step, rank, processes)

    def val_dataloader(self) -> Any:
        """All moments to be scored once."""
        stream = RigValidationStream(
            self._val_sets,
            self._blocks,
            self._plan.size,
            self._config.rigs.cameras,
            self.global_rank,
            self.trainer.world_size,
        )
        return loader(stream, min(self._config.machine.workers, 1))

    def on_validation_epoch_start(self) -> None:
        """Begin to count."""
        self._scorer = RigScorer(self._task)
        self.panel = []

    def validation_step(self, batch: Any, _: int) -> None:
        """Perceive as the runtime does, and score."""
        answer = self.perceive_rig(batch)
        self._scorer.update(batch.source, answer, batch.rig.truth)
        if len(self.panel) < PANEL:
            self.panel.append((batch, answer))

    def perceive_rig(self, item: RigValidation) -> Any:
        """Network, then the runtime's own decoder."""
        images = torch.from_numpy(item.rig.images).to(self.device)
        inputs = {
            name: torch.from_numpy(array)[None].to(self.device)
            for name, array in item.rig.tables.items()
        }
        finished = self._finish(self.network(images, inputs=inputs), self._plan.size)
        promised = self._blocks[self._task].outputs(self._plan.size)
        said = {name: finished[name][0].cpu().numpy() for name in promised}
        return self._rig_decoder(said, item.rig.seen, self._options[self._task])

    def picture(self) -> NDArray[np.uint8]:
        """Draw answer, label and error of each moment of the panel from above."""
        room = tasks.part(self._task, "draw")
        rows = [
            np.concatenate(room.panels(answer, item.rig.truth), axis=1)
            for item, answer in self.panel
        ]
        return tile(rows, 2, captions=[item.source for item, _ in self.panel])
