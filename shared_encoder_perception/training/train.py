# SPDX-License-Identifier: Apache-2.0
"""Train the network.

    python -m shared_encoder_perception train config/training/default.yaml
    python -m shared_encoder_perception train config/training/smoke.yaml out=runs/smoke

Every key of the config can be given as ``key=value`` (``stages.0.steps=100``); ``--show`` prints
the whole config. A run that was interrupted goes on where it was when the same command is given
again. Several processes, on one machine or on many, are started by torchrun or SLURM.
"""

from __future__ import annotations

import argparse
import logging
import os
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import cv2
import lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.callbacks.weight_averaging import WeightAveraging
from lightning.pytorch.loggers import TensorBoardLogger
from omegaconf import OmegaConf
from torch import distributed
from torch.optim.swa_utils import get_ema_multi_avg_fn

from shared_encoder_perception.artifact.store import fetch
from shared_encoder_perception.evaluation.deviations import shown_scores
from shared_encoder_perception.files.data_paths import refuse_links_out
from shared_encoder_perception.files.whole_file import sole_writer
from shared_encoder_perception.model.checkpoint import (
    load_network,
    load_numbers,
    save_network,
    take_over,
)
from shared_encoder_perception.model.network import PerceptionNetwork
from shared_encoder_perception.training.config import ConfigError, TrainConfig, load_config
from shared_encoder_perception.training.from_artifact import load_artifact
from shared_encoder_perception.training.module import StageTraining
from shared_encoder_perception.training.precision import avoid_crashes
from shared_encoder_perception.training.record import (
    PANELS,
    Recorder,
    check_data,
    open_folder,
    read_metrics,
    record_start,
)
from shared_encoder_perception.training.rig_module import stage_training
from shared_encoder_perception.training.shown import worlds

MakeStage = Callable[[TrainConfig, int, PerceptionNetwork], StageTraining]


def train_stage(
    config: TrainConfig,
    stage: int,
    out: Path,
    network: PerceptionNetwork,
    make: MakeStage | None = None,
    *,
    scored: bool = True,
) -> PerceptionNetwork:
    """Run one stage, from its own checkpoint if it was interrupted.

    Args:
        config: The run.
        stage: Index into ``config.stages``.
        out: Folder of the run.
        network: Where the stage starts; trained in place.
        make: Makes what lightning trains; by default as the network's tasks ask for.
        scored: Validate at the end, too.

    Returns:
        The network with its averaged weights.
    """
    folder, plan = out / f"stage{stage}", config.stages[stage]
    last = folder / "last.ckpt"
    if last.is_file():  # before the data are read; lightning says it in a page
        load_numbers(last, str(last))
    module = (make or stage_training)(config, stage, network)
    recorder = Recorder(out, stage)
    within = 0 < config.validate_every < plan.steps
    machine = config.machine
    trainer = lightning.Trainer(
        accelerator=machine.accelerator,
        devices=int(os.environ.get("LOCAL_WORLD_SIZE", machine.devices)),
        num_nodes=machine.num_nodes,
        strategy=machine.strategy,
        sync_batchnorm=machine.accelerator != "cpu" and not config.freeze_norm,
        precision=machine.precision,
        benchmark=machine.accelerator != "cpu",  # all batches of a stage have one size
        max_steps=plan.steps,
        gradient_clip_val=config.clip if module.automatic_optimization else None,
        log_every_n_steps=10,
        val_check_interval=config.validate_every if within else None,
        check_val_every_n_epoch=None if within else 1_000_000,
        num_sanity_val_steps=0,
        callbacks=[recorder, *_callbacks(config, stage, folder)],
        logger=TensorBoardLogger(out, name="tensorboard", version=f"stage{stage}"),
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    if trainer.is_global_zero:
        record_start(out, stage, module.data)
    trainer.fit(module, ckpt_path=last if last.exists() else None, weights_only=True)
    if scored and recorder.validated_at != trainer.global_step:
        trainer.validate(module, verbose=False)
    return network


def _callbacks(config: TrainConfig, stage: int, folder: Path) -> list[Callback]:
    """Return the callbacks of lightning's own."""
    callbacks: list[Callback] = [
        ModelCheckpoint(folder, save_last="link", every_n_train_steps=config.checkpoint_every),
        TQDMProgressBar(refresh_rate=10),
    ]
    if config.ema:
        # A short stage must not remember where it started.
        decay = min(config.ema, 1 - 10 / (config.stages[stage].steps + 10))
        # Not Lightning's own, whose sum of two products moves weights that nobody trains by
        # rounding, 1e-5 in a thousand steps: the way from one to the other is zero for them.
        callbacks.append(WeightAveraging(multi_avg_fn=get_ema_multi_avg_fn(decay)))
    if config.patience:
        callbacks.append(
            EarlyStopping("val/score", mode="max", patience=config.patience, verbose=True)
        )
    return callbacks


def train(config: TrainConfig) -> Path:
    """Run all stages; finished ones are not run again.

    Returns:
        The checkpoint of the best network of the last stage, ``out / "network.pt"``.

    Raises:
        ConfigError: The folder holds another run, or the processes were not started.
    """
    _check_processes(config)
    if not (config.data.val or config.data.overfit):
        raise ConfigError(
            "data.val is empty, and the best network is chosen by it: give at least one set, e.g. "
            "{path: synthetic, count: 64}"
        )
    # Loading processes are forked again for each validation. OpenCV's threads would be lost in
    # them, and whatever waits for those hangs.
    cv2.setNumThreads(1)
    avoid_crashes(config.network.encoder)
    out, first = Path(config.out), int(os.environ.get("RANK", "0")) == 0
    if first:
        refuse_links_out(out)  # metrics, checkpoints and pictures are written by many
    with sole_writer(out) if first else nullcontext():
        return _train(config, out, first)


def _train(config: TrainConfig, out: Path, first: bool) -> Path:
    """Train in a folder that no other run writes to; ``first`` of several processes writes."""
    if first:
        out = open_folder(config)
        check_data(out)
    lightning.seed_everything(config.seed, verbose=False)
    network = first_network(config)
    network = network.train().to(memory_format=torch.channels_last)
    for stage in range(len(config.stages)):
        finished = out / f"stage{stage}.pt"
        if finished.exists():
            network.load_state_dict(load_network(finished).state_dict())
            continue
        train_stage(config, stage, out, network)
        if first:
            save_network(network, finished)
        if distributed.is_initialized():
            distributed.barrier()  # the next stage begins by looking for that file
    if first:
        best = load_network(out / f"stage{len(config.stages) - 1}_best.pt")
        save_network(best, out / "network.pt")
    return out / "network.pt"


def first_network(config: TrainConfig) -> PerceptionNetwork:
    """Random weights, or those of ``config.init``."""
    if not config.init:
        return PerceptionNetwork(config.network)
    path = fetch(config.init)
    if path.suffix == ".onnx":
        start = load_artifact(path, config.init_network, worlds(config.stages[0].size))
    else:
        start = load_network(path)
    there, here = asdict(start.config), asdict(config.network)
    differ = [key for key in here if key != "pretrained" and there[key] != here[key]]
    if not differ:
        return start
    network = PerceptionNetwork(config.network)
    taken = take_over(network, start)
    how = ", ".join(f"{key} is {there[key]} there and {here[key]} here" for key in differ)
    print(f"init: of {path}, {taken} of {len(network.state_dict())} tensors are taken over ({how})")
    return network


def last_validation(out: Path, names: Sequence[str]) -> str:
    """Say in one line what a run's last validation found, and which network was kept.

    Args:
        out: Folder of the run.
        names: Tasks of its network.
    """
    rows = read_metrics(out, "val")
    if not rows:
        return "validation: none"
    last = rows[-1]
    titles = {"score": "score"} | {key: one.title for key, one in shown_scores(names).items()}
    found = [f"{say} {last[key]:.3f}" for key, say in titles.items() if last.get(key) is not None]
    line = f"validation at step {last['step']}: {', '.join(found) or 'nothing labelled'}"
    stage = [row for row in rows if row["stage"] == last["stage"]]
    best = max(reversed(stage), key=lambda row: row["score"] or -1.0)
    if best is not last:
        line += f"; kept is the network of step {best['step']}, score {best['score']:.3f}"
    return line


def _check_processes(config: TrainConfig) -> None:
    """Refuse several processes that nobody started: stages would start them again and again."""
    machine = config.machine
    started = "LOCAL_WORLD_SIZE" in os.environ or "SLURM_NTASKS" in os.environ
    if (machine.devices != 1 or machine.num_nodes != 1) and not started:
        raise ConfigError(
            f"machine.devices is {machine.devices} and num_nodes {machine.num_nodes}, but the "
            "processes must be started from outside: torchrun --nproc-per-node=N "
            "-m shared_encoder_perception train …"
        )


def without_hints() -> None:
    """Silence lightning's hints about workers and intervals, which would hide the progress.

    Ours are in the docs.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module=r"lightning\.")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("config", type=Path, help="YAML file, such as config/training/smoke.yaml")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="replace single values")
    parser.add_argument("--show", action="store_true", help="print the whole config and stop")


def run(args: argparse.Namespace) -> int:
    """Train and say what to do next."""
    config = load_config(args.config, args.overrides)
    if args.show:
        print(OmegaConf.to_yaml(OmegaConf.structured(config)), end="")
        return 0
    without_hints()
    checkpoint = train(config)
    print(last_validation(checkpoint.parent, config.network.tasks))
    print(f"network: {checkpoint}\nmetrics: {checkpoint.parent / 'metrics.jsonl'}")
    if (checkpoint.parent / PANELS).is_dir():
        print(f"pictures: {checkpoint.parent / PANELS}")
    print(f"next: python -m shared_encoder_perception export {checkpoint}")
    return 0
