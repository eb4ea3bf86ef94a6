# SPDX-License-Identifier: Apache-2.0
"""Training on drives beside a memory: encoder and norms stay, little of the rest learns slowly.

Half of what is seen, in the mean, are the drives' pictures, half is memory: labelled sets, or
rendered worlds. Tasks that a path teaches nothing stay as they are, to the bit; or, if all behind
the encoder is trained, by the model as it was as their teacher. Of those that a path teaches it is
none: it would say again what the drive proves wrong. ``training.train`` does the work, goes on
where a run was interrupted, and draws everything from one seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import torch

from shared_encoder_perception import tasks
from shared_encoder_perception.adapt.taught import taught
from shared_encoder_perception.artifact.file import CHECKPOINT, metadata, read_artifact, read_model
from shared_encoder_perception.artifact.halves import HALVES, STORED_KEY
from shared_encoder_perception.images.listing import FILE_NAME
from shared_encoder_perception.model.checkpoint import CheckpointError, read_network, save_network
from shared_encoder_perception.model.config import NetworkConfig
from shared_encoder_perception.model.network import PerceptionNetwork
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.structures import Size
from shared_encoder_perception.training.config import ConfigError, StageConfig, TrainConfig
from shared_encoder_perception.training.data_config import SYNTHETIC, DataConfig, SetConfig
from shared_encoder_perception.training.distill import distill_config
from shared_encoder_perception.training.from_artifact import load_artifact
from shared_encoder_perception.training.machine_config import MachineConfig
from shared_encoder_perception.training.shown import worlds
from shared_encoder_perception.training.train import train, without_hints

HEAD, DECODER = "head", "decoder"
PARTS: Final = (HEAD, DECODER)
"""What is trained: what only the tasks that a path teaches use, so that all others answer as before
to the bit; or all behind the encoder, with the model as it was as their teacher."""
WHOLE_ENCODER: Final = 32
"""Stride of the encoder's last features: all of it stays as it is."""
CHECKED: Final = 8
"""Worlds that the network is scored on when it is done, for the record; the gate is another."""


@dataclass(frozen=True)
class Learning:
    """How much is learned.

    Attributes:
        steps: Of the optimiser.
        batch_size: Pictures of a step.
        learning_rate: Its peak.
        part: What is trained, one of ``PARTS``.
        seed: Of everything random.
        size: ``(height, width)`` of the pictures; ``None`` for the model's own.
        workers: Processes that load pictures.
        device: ``auto``, ``cpu`` or ``gpu``.
    """

    steps: int = 80
    batch_size: int = 8
    learning_rate: float = 1e-3
    part: str = HEAD
    seed: int = 0
    size: Size | None = None
    workers: int = 1
    device: str = "auto"

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            ValueError: With the option's name.
        """
        if self.steps < 1 or self.batch_size < 2:
            raise ValueError(
                f"--steps is {self.steps} and --batch {self.batch_size}, expected at least 1 and 2"
            )
        if self.part not in PARTS:
            raise ValueError(f"--part is {self.part!r}, expected one of {', '.join(PARTS)}")
        if not 0 < self.learning_rate <= 0.1:
            raise ValueError(f"--rate is {self.learning_rate:g}, expected above 0, at most 0.1")


@dataclass(frozen=True, eq=False)
class Start:
    """The model as it is.

    Attributes:
        network: In inference mode.
        spec: Its own.
        halves: Whether its file keeps weights as half floats.
    """

    network: PerceptionNetwork
    spec: ModelSpec
    halves: bool

    @classmethod
    def of(cls, model: Path) -> Start:
        """Read a model, an artifact or a checkpoint with a spec.

        Raises:
            ArtifactError, CheckpointError, SpecError: It cannot be read, or be trained on.
            ValueError: It answers rigs, or nothing that a path teaches.
        """
        if model.suffix == CHECKPOINT:
            network, text = read_network(model, str(model))
            if not text:
                raise CheckpointError(
                    f"{model} has no spec: give the .pt that `export` writes beside the artifact"
                )
            spec = ModelSpec.from_json(text)
            _check(spec, model)
            return cls(network, spec, False)
        spec = read_artifact(model).spec
        _check(spec, model)
        network = load_artifact(model, NetworkConfig(), worlds(spec.input_size))
        halves = metadata(read_model(model)).get(STORED_KEY) == HALVES
        return cls(network, spec, halves)


def _check(spec: ModelSpec, model: Path) -> None:
    """Refuse a model that a path teaches nothing."""
    spec.expect_images("adapt a model of single images")
    if not taught(spec.tasks):
        able = " or ".join(taught(tasks.ROOMS))
        raise ValueError(
            f"{model} answers {', '.join(spec.tasks)}: where a vehicle drove teaches {able}; take "
            "a model that answers that"
        )


def learn(
    start: Start, drives: Sequence[Path], memory: Sequence[Path], work: Path, learning: Learning
) -> PerceptionNetwork:
    """Train, or go on, or return what was trained before; in inference mode.

    Args:
        start: The model as it is.
        drives: Sets of drives.
        memory: Labelled sets; none for rendered worlds.
        work: Folder of the run.
        learning: How much.

    Raises:
        ConfigError: ``work`` holds another run.
        ValueError: A set cannot be read.
    """
    work.mkdir(parents=True, exist_ok=True)
    teacher = work / "teacher.pt"
    if not teacher.exists():  # a run that goes on has the one that it began with
        save_network(start.network, teacher)
    elif not _same(start.network, teacher):
        raise ConfigError(
            f"{work} holds a run that began with another model: name another folder for --work, "
            "or remove it"
        )
    without_hints()
    found = train(config_of(start, drives, memory, work, learning, teacher))
    return read_network(found, str(found))[0]


def _same(network: PerceptionNetwork, file: Path) -> bool:
    """Whether a file holds this network, but for what another engine rounds in its statistics."""
    own, there = (one.state_dict() for one in (network, read_network(file, str(file))[0]))
    return own.keys() == there.keys() and all(
        own[name].shape == value.shape and torch.allclose(own[name], value, rtol=1e-3, atol=1e-3)
        for name, value in there.items()
    )


def config_of(
    start: Start,
    drives: Sequence[Path],
    memory: Sequence[Path],
    work: Path,
    learning: Learning,
    teacher: Path,
) -> TrainConfig:
    """Return the training run; see ``learn``."""
    names = list(start.network.config.tasks)
    counts = [sum(1 for _ in (path / FILE_NAME).open("rb")) for path in drives]
    sets = [
        SetConfig(path=str(path), weight=count / sum(counts))
        for path, count in zip(drives, counts, strict=True)
    ]
    known = [str(path) for path in memory] or [SYNTHETIC]
    sets += [SetConfig(path=path, weight=1 / len(known)) for path in known]
    size = learning.size or start.spec.input_size
    stage = StageConfig(size, learning.steps, learning.learning_rate, learning.batch_size)
    return TrainConfig(
        out=str(work / "run"),
        network=start.network.config,
        data=DataConfig(train=sets, val=[SetConfig(count=CHECKED)]),
        distill=_teaching(names, teacher) if learning.part == DECODER else distill_config(),
        stages=[stage],
        init=str(teacher),
        freeze_norm=True,
        freeze_encoder=WHOLE_ENCODER,
        train_only=list(taught(names)) if learning.part == HEAD else [],
        validate_every=0,
        seed=learning.seed,
        machine=MachineConfig(accelerator=learning.device, workers=learning.workers),
    )


def _teaching(names: Sequence[str], teacher: Path) -> Any:
    """Return what the model as it was teaches: nothing of what a path does."""
    rooms = tasks.parts("distill", names)
    by_path = taught(names)
    silent = {
        item.name: 0.0
        for task, room in rooms.items()
        if task in by_path
        for item in fields(room.Config)
    }
    told = [task for task in rooms if task not in by_path]
    return distill_config(teacher=str(teacher) if told else "", **silent)
