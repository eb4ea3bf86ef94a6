# SPDX-License-Identifier: Apache-2.0
"""Everything that decides a training run: typed, from a YAML file and ``key=value`` overrides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from shared_encoder_perception import tasks
from shared_encoder_perception.model.config import NetworkConfig
from shared_encoder_perception.model.network import check_input_size, scaled_size
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.blocks import settled
from shared_encoder_perception.training.augment import AugmentConfig
from shared_encoder_perception.training.data_config import DataConfig, data_faults
from shared_encoder_perception.training.distill import check_distill, distill_config
from shared_encoder_perception.training.frozen import FREEZABLE
from shared_encoder_perception.training.machine_config import MachineConfig
from shared_encoder_perception.training.rig_config import RigConfig, rig_faults
from shared_encoder_perception.training.room_config import joined, own
from shared_encoder_perception.training.structured import ConfigError as ConfigError
from shared_encoder_perception.training.structured import read_structured
from shared_encoder_perception.training.structured import save_config as save_config
from shared_encoder_perception.training.weighting import WEIGHTINGS

OPTIMIZERS: Final = ("adamw", "muon")
COSINE, CONSTANT = "cosine", "constant"
SCHEDULES: Final = (COSINE, CONSTANT)
"""What the learning rate does after it has risen."""


@dataclass(frozen=True)
class StageConfig:
    """One stretch of training at one picture size.

    Attributes:
        size: ``(height, width)`` of the network input, multiples of 32.
        picture_scale: Size of the pictures loaded for training, relative to it. Where
            ``network.encoder_scale`` is as small, the encoder sees the same, and loading costs
            less; targets and validation keep ``size``.
        steps: Optimisation steps; one cycle of the learning rate.
        learning_rate: Its peak.
        batch_size: Images per step, of all processes together.
        replay: How often a loaded sample is trained on, in the mean. More than 1 is for GPUs, which
            train faster than samples are made; see ``replay.Replay``.
        replay_samples: Samples kept on the device for that.
    """

    size: tuple[int, int] = (320, 800)
    steps: int = 1000
    learning_rate: float = 2e-3
    batch_size: int = 16
    picture_scale: float = 1.0
    replay: int = 1
    replay_samples: int = 16384

    @property
    def picture(self) -> Size:
        """``(height, width)`` of the pictures trained on."""
        return scaled_size(self.size, self.picture_scale)


@dataclass(frozen=True)
class LossConfig:
    """What is minimised; tasks add keys of their own, ``Config`` of their ``loss.py``.

    Attributes:
        weighting: How tasks are balanced, a key of ``weighting.WEIGHTINGS``.
        weighting_learning_rate: For weights that are learned.
    """

    weighting: str = "fixed"
    weighting_learning_rate: float = 5e-3


def loss_config(**values: Any) -> Any:
    """Return a ``LossConfig`` with the keys of all tasks."""
    return joined(LossConfig, "loss")(**values)


@dataclass(frozen=True)
class TrainConfig:
    """A training run.

    Attributes:
        out: Folder of the run; a run that was interrupted goes on there.
        network: What is trained.
        data: On what.
        augment: How its images are changed.
        rigs: Where the network answers rigs of cameras: what they have, and how they are changed.
        loss: What is minimised: ``loss_config``.
        distill: What a teacher adds to it: ``distill_config``.
        stages: Picture sizes in order, small ones first.
        init: Checkpoint (``network.pt``) or exported artifact (``.onnx``) to start from; empty for
            random (or timm's) weights. Of another network the weights that fit are taken over.
        init_network: What an artifact from before 0.3.0 was built from; later ones say it, and
            checkpoints too.
        optimizer: ``adamw``, or ``muon`` for most of the weights: ``optimizer.configure``.
        schedule: ``cosine``: once it has risen the learning rate falls to nothing; ``constant``:
            it stays, so that no task of a sequence ends with its weights at rest.
        weight_decay: On convolution weights only.
        clip: Largest gradient norm.
        ema: Decay of the averaged weights, which are validated and kept; shortened for short
            stages. 0 for none.
        freeze_norm: Keep batch norm's statistics as they are.
        freeze_encoder: Stride up to whose features the encoder stays as it is, batch norm included:
            4, 8, 16 or 32; 0 to train all of it. For pretrained encoders.
        train_only: Tasks of whose own parts nothing else is trained, so that what the others answer
            stays as it is: for a task that moves into a network that is finished. Empty for all.
        validate_every: Steps between validations; also at each stage's end. 0 for only there.
        checkpoint_every: Steps between checkpoints to resume from.
        patience: Stop a stage after so many validations without a better score; 0 for never.
        seed: Of everything random.
        machine: Where it runs.
    """

    out: str = "runs/default"
    network: NetworkConfig = field(default_factory=NetworkConfig)
    data: DataConfig = field(default_factory=DataConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    rigs: RigConfig = field(default_factory=RigConfig)
    loss: Any = field(default_factory=loss_config)
    distill: Any = field(default_factory=distill_config)
    stages: list[StageConfig] = field(
        default_factory=lambda: [
            StageConfig((192, 480), 1300, 3e-3),
            StageConfig((320, 800), 600, 1.5e-3),
        ]
    )
    init: str = ""
    init_network: NetworkConfig = field(default_factory=NetworkConfig)
    optimizer: str = "adamw"
    schedule: str = COSINE
    weight_decay: float = 0.02
    clip: float = 10.0
    ema: float = 0.998
    freeze_norm: bool = False
    freeze_encoder: int = 0
    train_only: list[str] = field(default_factory=list)
    validate_every: int = 200
    checkpoint_every: int = 100
    patience: int = 0
    seed: int = 0
    machine: MachineConfig = field(default_factory=MachineConfig)

    def __post_init__(self) -> None:
        """Refuse what cannot work before anything is started."""
        _expect(
            self.loss.weighting in WEIGHTINGS,
            f"loss.weighting is {self.loss.weighting!r}, expected one of {list(WEIGHTINGS)}",
        )
        self._check_tasks()
        _expect(bool(self.stages), "stages is empty, expected at least one")
        _expect(bool(self.data.train), "data.train is empty, expected at least one set")
        for stage in self.stages:
            check_input_size(stage.size)
            scale = stage.picture_scale
            _expect(0.1 <= scale <= 1, f"picture_scale is {scale}, expected 0.1 to 1")
            _expect(stage.steps > 0 and stage.batch_size > 0, f"{stage}: steps and batch_size > 0")
            needed = stage.replay * stage.batch_size if stage.replay > 1 else 0
            _expect(
                stage.replay > 0 and stage.replay_samples >= needed,
                f"replay is {stage.replay} with replay_samples {stage.replay_samples}, expected at "
                f"least 1, and {needed}",
            )
        of_rigs = any(map(tasks.is_rig, self.network.tasks))
        replays = [stage.replay for stage in self.stages if of_rigs]
        for told in (*data_faults(self.data), *rig_faults(self.rigs, replays)):
            raise ConfigError(told)
        _expect(0 <= self.data.split_share <= 1, "data.split_share must be 0 to 1")
        _expect(self.checkpoint_every > 0, "checkpoint_every must be at least 1")
        said = self.optimizer
        _expect(said in OPTIMIZERS, f"optimizer is {said!r}, expected one of {OPTIMIZERS}")
        said = self.schedule
        _expect(said in SCHEDULES, f"schedule is {said!r}, expected one of {SCHEDULES}")
        _expect(
            self.freeze_encoder in FREEZABLE,
            f"freeze_encoder is {self.freeze_encoder}, expected one of {FREEZABLE}",
        )
        _expect(0 <= self.ema < 1, f"ema is {self.ema}, expected 0 <= ema < 1")
        strange = sorted(set(self.train_only) - set(self.network.tasks))
        known = self.network.tasks
        _expect(
            not strange, f"train_only: {strange} are not among network.tasks, which are {known}"
        )
        own = WEIGHTINGS[self.loss.weighting].own_backward
        _expect(
            not (own and (self.distill.teacher or self.distill.encoder)),
            f"{self.loss.weighting} balances the labels' losses only and has no place for a "
            "teacher's: use loss.weighting fixed or uncertainty with distill.teacher",
        )
        _expect(
            not (own and (self.train_only or self.freeze_encoder == FREEZABLE[-1])),
            f"{self.loss.weighting} compares gradients of what tasks share, of which "
            "freeze_encoder and train_only may leave nothing: use loss.weighting fixed or "
            "uncertainty",
        )
        _expect(
            not (own and self.machine.precision == "16-mixed"),
            f"{self.loss.weighting} compares gradients, which 16-mixed scales: use bf16-mixed",
        )

    def _check_tasks(self) -> None:
        """Refuse tasks that nobody knows, and what their rooms do not take."""
        try:
            tasks.check(self.network.tasks, "network.tasks")
            tasks.check(self.init_network.tasks, "init_network.tasks")
            check_distill(self.distill)
            for file, config in (("loss", self.loss), ("distill", self.distill)):
                for room in tasks.parts(file, tasks.rooms()).values():
                    own(config, room)
        except ValueError as error:
            raise ConfigError(str(error)) from None


def load_config(path: Path | None, overrides: Sequence[str] = ()) -> TrainConfig:
    """Read a config.

    Args:
        path: YAML file; ``None`` for the defaults.
        overrides: ``key=value``, where the key may have dots: ``stages.0.steps=100``.

    Raises:
        ConfigError: Unreadable, an unknown key (with a suggestion), or a value that cannot work.
    """
    config = read_structured(TrainConfig, path, overrides)
    try:
        return replace(config, network=settled(config.network))
    except ValueError as error:
        raise ConfigError(f"network: {error}") from None


def _expect(condition: bool, message: str) -> None:
    """Raise a ``ConfigError``."""
    if not condition:
        raise ConfigError(message)
