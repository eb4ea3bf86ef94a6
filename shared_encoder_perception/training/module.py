# SPDX-License-Identifier: Apache-2.0
"""One stage of training as lightning sees it: step, validation, optimiser, loaders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed, nn
from torch.utils.data import IterableDataset

from shared_encoder_perception.evaluation.scorer import Scorer
from shared_encoder_perception.model.network import (
    Finish,
    PerceptionNetwork,
    plain_spec,
    scaled_size,
)
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.options import own_options
from shared_encoder_perception.training.config import TrainConfig
from shared_encoder_perception.training.data import (
    Validation,
    ValidationStream,
    loader,
    training_stream,
)
from shared_encoder_perception.training.distill import Distiller
from shared_encoder_perception.training.feature_teacher import FeatureTeacher
from shared_encoder_perception.training.frozen import freeze, freeze_all_but
from shared_encoder_perception.training.losses import Batch, Criterion
from shared_encoder_perception.training.optimizer import configure
from shared_encoder_perception.training.panels import draw_panel
from shared_encoder_perception.training.perceiver import Perceiver
from shared_encoder_perception.training.precision import quicken_depthwise
from shared_encoder_perception.training.replay import Replay
from shared_encoder_perception.training.sets import training_sets, validation_sets
from shared_encoder_perception.training.weighting import make_weighting

PANEL = 12
"""Validation samples kept for the picture panel."""


class StageTraining(lightning.LightningModule):
    """Network, criterion, task weighting and data of one stage.

    Attributes:
        network: What is trained.
        panel: (sample, what was perceived) of the first samples of the last validation.
            ``picture`` draws it.
        summary: ``Scorer.summary`` of the last validation, of all processes together.
    """

    def __init__(self, config: TrainConfig, stage: int, network: PerceptionNetwork) -> None:
        """Train ``network`` as stage number ``stage`` of ``config`` says."""
        super().__init__()
        self._config, self._plan, self._index = config, config.stages[stage], stage
        self.network = network
        if config.machine.accelerator == "cpu" or not torch.cuda.is_available():
            quicken_depthwise(network)
        self._frozen = freeze(network.encoder, config.freeze_encoder)
        if config.train_only:
            self._frozen = freeze_all_but(network, config.train_only)
        names = self._learned = self._learning(network.config.tasks)
        self._criterion = Criterion(names, config.loss)
        self.weighting = make_weighting(config.loss.weighting, list(self._criterion.groups))
        self._distiller = Distiller(config.distill, names) if config.distill.teacher else None
        self._features: list[Tensor] = []
        self._listening: Any = None
        self.feature_teacher: FeatureTeacher | None = None
        if config.distill.encoder:
            taught, weights = config.distill.encoder, config.distill.encoder_weights
            self.feature_teacher = FeatureTeacher(taught, weights, network.encoder.channels)
            self._listen()
        self.automatic_optimization = not self.weighting.own_backward
        spec = plain_spec(network.config, "training", self._plan.size)
        self._finish, self._options = Finish(spec.tasks), own_options(spec)
        self.panel: list[Any] = []
        self.summary: dict[str, float] = {}
        self._train_sets: Sequence[Any] = ()
        self._val_sets: Sequence[Any] = ()
        self._open(spec)
        self.train()

    def _learning(self, names: Sequence[str]) -> list[str]:
        """Return those tasks of the network that learn, and are asked."""
        return list(names)

    def _open(self, spec: ModelSpec) -> None:
        """Open the sets, and make what perceives and scores their samples."""
        config, plan, names = self._config, self._plan, self.network.config.tasks
        self._train_sets = training_sets(config.data, self._index, plan.picture, config.seed, names)
        self._val_sets = validation_sets(config.data, self._train_sets, plan.size, names)
        self._companions, self._perceiver = spec.companions(), Perceiver(spec)
        self._scorer: Any = Scorer(plan.size)

    @property
    def data(self) -> dict[str, list[dict[str, str | int]]]:
        """What is trained on and scored on, for the record of the run."""
        return {
            "train": [samples.description for samples in self._train_sets],
            "val": [samples.description for samples in self._val_sets],
        }

    # ---- training -----------------------------------------------------------------------------

    def train(self, mode: bool = True) -> StageTraining:
        """Switch to training, aside of what the config freezes."""
        super().train(mode)
        for layer in self._frozen:
            layer.eval()
        if mode and self._config.freeze_norm:
            for module in self.network.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self

    def training_step(self, batch: Batch, _: int) -> Tensor | None:
        """Take one step; every loss is logged by name."""
        parts, taught = self.losses(*self.answered(batch))
        values = {f"train/{name}": value.detach() for name, value in parts.items()}
        values |= {f"train/{name}": value.detach() for name, value in taught.items()}
        weights = self.weighting.weights()
        values |= {f"weight/{name}": value for name, value in weights.items()}
        self.log_dict(values, sync_dist=self.trainer.world_size > 1)
        self.log("loss", values["train/total"], prog_bar=True, logger=False)
        losses = self._criterion.grouped(parts)
        if self.automatic_optimization:
            return torch.stack([self.weighting.objective(losses), *taught.values()]).sum()
        optimizer, schedule = self.optimizers(), self.lr_schedulers()
        self.weighting.backward(losses, self.network, self.global_step)
        nn.utils.clip_grad_norm_(self.network.parameters(), self._config.clip)
        optimizer.step()
        schedule.step()
        return None

    def losses(
        self, logits: dict[str, Tensor], batch: Batch
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return what labels teach, as ``Criterion`` says it, and what teachers do, weighted."""
        parts = self._criterion(logits, batch)
        taught = self._distiller(logits, batch) if self._distiller else {}
        taught |= self._beside(logits, batch)
        if self.feature_teacher:
            size = scaled_size(batch.size, self.network.config.encoder_scale)
            seen = [level[: len(batch.images)] for level in self._features]
            loss = self.feature_teacher(seen, batch.images, size)
            taught["distill_features"] = self._config.distill.features * loss
        return parts, taught

    def answered(self, batch: Batch) -> tuple[dict[str, Tensor], Batch]:
        """Return the logits, and the batch that they answer."""
        answer = self.network(batch.images, batch.size, batch.companions, self._learned)
        return answer, batch

    def _beside(self, logits: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Return weighted losses beside those of the labels, by name."""
        return {}

    def _listen(self) -> None:
        """Keep what the encoder says from now on, until training ends."""
        if self._listening is None:
            hook = self.network.encoder.register_forward_hook(self._keep_features)
            self._listening = hook

    def on_fit_end(self) -> None:
        """Leave nothing at the network, which outlives its training."""
        self._features = []
        if self._listening is not None:
            self._listening.remove()
            self._listening = None

    def _keep_features(self, _module: Any, _inputs: Any, features: list[Tensor]) -> None:
        """Remember what the encoder said last."""
        self._features = features

    def configure_optimizers(self) -> Any:
        """Return the stage's optimiser and its learning rate."""
        teacher = self.feature_teacher
        beside = list(teacher.parameters()) if teacher else []
        own = list(self.weighting.parameters())
        return configure(self._config, self._plan, self.network, beside, own)

    def train_dataloader(self) -> Any:
        """Batches from the step on at which the run stands."""
        stream = self.stream(self.global_step, self.global_rank, self.trainer.world_size)
        return self.batches(stream)

    def batches(self, stream: IterableDataset[Batch]) -> Any:
        """Return what a stream loads, each sample as often as the stage's ``replay`` says."""
        batches = loader(stream, self._config.machine.workers, self.device.type == "cuda")
        plan = self._plan
        if plan.replay == 1:
            return batches
        seed = hash((self._config.seed, self._index, self.global_step, self.global_rank))
        return Replay(batches, self.device, plan.replay, plan.replay_samples, seed)

    def stream(self, first_step: int, rank: int, processes: int) -> IterableDataset[Batch]:
        """Return what this process trains on from a step on."""
        sets = self._train_sets
        return training_stream(self._config, self._index, sets, first_step, rank, processes)

    # ---- validation ---------------------------------------------------------------------------

    def val_dataloader(self) -> Any:
        """All validation samples once."""
        stream = ValidationStream(
            self._val_sets,
            self._plan.size,
            min(self._plan.batch_size, 8),
            self.global_rank,
            self.trainer.world_size,
            self._companions,
        )
        return loader(stream, min(self._config.machine.workers, 1))

    def on_validation_epoch_start(self) -> None:
        """Begin to count."""
        self._scorer = Scorer(self._plan.size)
        self.panel = []

    def validation_step(self, batch: Sequence[Validation], _: int) -> None:
        """Perceive as the runtime does, and score."""
        for item, perception in zip(batch, self.perceive(batch), strict=True):
            self._scorer.update(item.source, perception, item.sample, item.transform.crop)
            if len(self.panel) < PANEL:
                self.panel.append((item, perception))

    def perceive(self, batch: Sequence[Validation]) -> list[Perception]:
        """Network, then the runtime's own decoder."""
        return self._perceiver(self.network, batch, self.device)

    def picture(self) -> NDArray[np.uint8]:
        """Draw the panel."""
        return draw_panel(self.panel)

    def finish_validation(self) -> dict[str, Any]:
        """Pool what all processes counted; return the scores by source.

        To be called while the weights that were validated are still in place.
        """
        if distributed.is_available() and distributed.is_initialized():
            everyone: list[Any] = [None] * distributed.get_world_size()
            distributed.all_gather_object(everyone, self._scorer)
            self._scorer, *others = everyone
            for scorer in others:
                self._scorer.merge(scorer)
        self.summary = self._scorer.summary()
        return self._scorer.compute()

    def transfer_batch_to_device(self, batch: Any, device: Any, dataloader_idx: int) -> Any:
        """Move training batches; validation items stay numpy."""
        if isinstance(batch, Batch):
            return batch.map(lambda tensor: tensor.to(device, non_blocking=True))
        return batch
