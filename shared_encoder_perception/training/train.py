"""Train the network on the synthetic world and export it.

The smallest run that shows everything works (about a minute on two cores):

    python -m shared_encoder_perception train --out runs/smoke --steps 20 10

The run that made the shipped model (under an hour on two cores):

    python -m shared_encoder_perception train --out runs/default

Training first sees small pictures, which are almost three times cheaper, then the full size: the
network is fully convolutional and its start vectors are in units of the grid, so nothing else
changes.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.callbacks.weight_averaging import EMAWeightAveraging
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor

from shared_encoder_perception.model.checkpoint import load_network, save_network
from shared_encoder_perception.model.network import NetworkConfig, PerceptionNetwork
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.structures import Size
from shared_encoder_perception.training.data import SyntheticStream, loader
from shared_encoder_perception.training.losses import Batch, Criterion
from shared_encoder_perception.training.precision import keep_depthwise_in_float32

CHECKPOINT_STEPS = 100
SEEDS_PER_STAGE = 100_000_000
"""Stages see different worlds; all stay below ``evaluate.SYNTHETIC_SEED``."""


@dataclass(frozen=True)
class Stage:
    """One stretch of training at one picture size."""

    size: Size
    steps: int
    learning_rate: float


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a training run.

    Attributes:
        network: What is trained.
        stages: Picture sizes in order; each runs one cosine cycle of its own.
        batch_size: Images per step.
        weight_decay: Of AdamW, on convolution weights only.
        seed: First seed of the synthetic stream.
        workers: Rendering processes.
    """

    network: NetworkConfig = field(default_factory=NetworkConfig)
    stages: tuple[Stage, ...] = (
        Stage((192, 480), 1300, 3e-3),
        Stage((320, 800), 600, 1.5e-3),
    )
    batch_size: int = 16
    weight_decay: float = 0.02
    seed: int = 0
    workers: int = 2


class PerceptionTraining(lightning.LightningModule):
    """Network + criterion + optimiser for one stage."""

    def __init__(self, config: TrainConfig, stage: Stage, network: PerceptionNetwork) -> None:
        """Train ``network`` as ``stage`` says."""
        super().__init__()
        self._config, self._stage = config, stage
        self.network = network
        keep_depthwise_in_float32(network)
        self._criterion = Criterion()

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """One optimisation step; every loss is logged by name."""
        losses = self._criterion(self.network(batch.images), batch)
        for name, value in losses.items():
            self.log(f"train/{name}", value, prog_bar=name == "total", batch_size=len(batch.images))
        return losses["total"]

    def configure_optimizers(self) -> Any:
        """AdamW with one warm-up and cosine cycle over the stage."""
        decay = [p for p in self.network.parameters() if p.ndim > 1]
        rest = [p for p in self.network.parameters() if p.ndim <= 1]
        groups = [
            {"params": decay, "weight_decay": self._config.weight_decay},
            {"params": rest, "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=self._stage.learning_rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self._stage.learning_rate, total_steps=self._stage.steps + 1, pct_start=0.1
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def train_stage(
    config: TrainConfig, stage: int, out: Path, network: PerceptionNetwork
) -> PerceptionNetwork:
    """Run one stage, from its own checkpoint if it was interrupted.

    Args:
        config: The run.
        stage: Index into ``config.stages``.
        out: Folder of the run.
        network: Where the stage starts; trained in place.

    Returns:
        The network with its averaged weights.
    """
    folder, plan = out / f"stage{stage}", config.stages[stage]
    last = folder / "last.ckpt"
    callbacks: list[Callback] = [
        ModelCheckpoint(folder, save_last="link", every_n_train_steps=CHECKPOINT_STEPS),
        EMAWeightAveraging(decay=min(0.998, 1 - 10 / (plan.steps + 10))),
        TQDMProgressBar(refresh_rate=20),
    ]
    trainer = lightning.Trainer(
        accelerator="auto",
        precision="bf16-mixed",
        max_steps=plan.steps,
        gradient_clip_val=10.0,
        log_every_n_steps=min(20, plan.steps),
        callbacks=callbacks,
        logger=CSVLogger(out, name=None, version=f"stage{stage}"),
        enable_model_summary=False,
    )
    spec = replace(ModelSpec("training", "0"), input_size=plan.size)
    stream = SyntheticStream(spec, config.seed + stage * SEEDS_PER_STAGE)
    trainer.fit(
        PerceptionTraining(config, plan, network),
        loader(stream, config.batch_size, config.workers),
        ckpt_path=last if last.exists() else None,
        weights_only=False,
    )
    return network


def train(config: TrainConfig, out: Path) -> Path:
    """Run all stages; finished ones are not run again.

    Returns:
        The checkpoint of the finished network, ``out / "network.pt"``.
    """
    network = PerceptionNetwork(config.network).to(memory_format=torch.channels_last)
    for stage in range(len(config.stages)):
        finished = out / f"stage{stage}.pt"
        if finished.exists():
            network.load_state_dict(load_network(finished).state_dict())
            continue
        save_network(train_stage(config, stage, out, network), finished)
    save_network(network, out / "network.pt")
    return out / "network.pt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--out", type=Path, required=True, help="folder of the run; resumes there")
    parser.add_argument("--encoder", default=NetworkConfig.encoder, help="timm model name")
    parser.add_argument(
        "--steps",
        type=int,
        nargs=2,
        default=[stage.steps for stage in TrainConfig.stages],
        metavar=("SMALL", "FULL"),
        help="steps with small and with full-size pictures (default: %(default)s)",
    )
    parser.add_argument("--batch-size", type=int, default=TrainConfig.batch_size)
    parser.add_argument("--workers", type=int, default=TrainConfig.workers)
    parser.add_argument("--seed", type=int, default=TrainConfig.seed)


def run(args: argparse.Namespace) -> int:
    """Train and say what to do next."""
    if min(args.steps) < 1 or args.batch_size < 1 or args.workers < 0:
        raise ValueError("--steps and --batch-size must be at least 1, --workers at least 0")
    stages = tuple(
        replace(stage, steps=steps)
        for stage, steps in zip(TrainConfig.stages, args.steps, strict=True)
    )
    config = TrainConfig(
        network=NetworkConfig(encoder=args.encoder),
        stages=stages,
        batch_size=args.batch_size,
        seed=args.seed,
        workers=args.workers,
    )
    lightning.seed_everything(config.seed, verbose=False)
    checkpoint = train(config, args.out)
    print(f"network: {checkpoint}")
    print(
        "next: python -m shared_encoder_perception export "
        f"--checkpoint {checkpoint} --out {args.out / 'model.onnx'}"
    )
    return 0
