# SPDX-License-Identifier: Apache-2.0
"""Everything that decides a sequence: typed, from a YAML file and ``key=value`` overrides."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from shared_encoder_perception.continual.faults import FAULTS
from shared_encoder_perception.continual.faults import POLICIES as POLICIES
from shared_encoder_perception.continual.faults import PROPORTIONAL as PROPORTIONAL
from shared_encoder_perception.continual.supervision.config import (
    SupervisionConfig,
    supervision_faults,
)
from shared_encoder_perception.training.config import (
    CONSTANT,
    ConfigError,
    StageConfig,
    TrainConfig,
)
from shared_encoder_perception.training.data_config import SetConfig


@dataclass(frozen=True)
class TestConfig:
    """What a task is tested on, and what is tested beside it.

    Attributes:
        name: In tables and charts; each once in a sequence.
        sets: Labelled sets, pooled.
    """

    name: str = ""
    sets: list[SetConfig] = field(default_factory=list)


@dataclass(frozen=True)
class TaskConfig:
    """One place to learn.

    Attributes:
        name: In tables and charts; each once.
        train: The sets that it is learned from.
        tests: What is tested; the first is the task's own, on which forgetting is measured, and
            which is validated on while the task is trained, if ``train.validate_every`` says so.
        steps: Of this task; 0 for those of ``stages``.
        unlabelled: Videos, folders of frames in their order, bags, or the pictures of native sets,
            which ``ContinualConfig.supervision`` learns from.
    """

    name: str = ""
    train: list[SetConfig] = field(default_factory=list)
    tests: list[TestConfig] = field(default_factory=list)
    steps: int = 0
    unlabelled: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class MemoryConfig:
    """What is kept of earlier tasks, and how much of each batch it makes.

    Attributes:
        size: Samples kept, of all earlier tasks together; 0 for all of them.
        policy: One of ``POLICIES``.
        share: Part of each batch that is drawn from the memory, 0 to below 1; ``PROPORTIONAL`` for
            as many as its samples are among all.
    """

    size: int = 64
    policy: str = "reservoir"
    share: float = 0.5


@dataclass(frozen=True)
class LatentConfig:
    """Where latents are taken.

    Attributes:
        cut: Stride of the encoder's features up to which it stays as it is, and behind which
            latents are kept: 4, 8 or 16; 0 for the input itself, which is plain replay.
    """

    cut: int = 8


@dataclass(frozen=True)
class LwfConfig:
    """Learning without forgetting (Li and Hoiem, ECCV 2016): the network before is a teacher.

    Attributes:
        weight: Of what it teaches, ``distill`` of the config says by what; docs/continual.md says
            how it was chosen.
    """

    weight: float = 1.0


@dataclass(frozen=True)
class PodConfig:
    """Local POD (Douillard et al., PLOP, CVPR 2021): pooled features stay what they were.

    Attributes:
        weight: Of the features' distance; docs/continual.md says how it was chosen.
        scales: Into how many parts each side of a map is cut.
    """

    weight: float = 3.0
    scales: list[int] = field(default_factory=lambda: [1, 2, 4])


@dataclass(frozen=True)
class EwcConfig:
    """Elastic weight consolidation (Kirkpatrick et al., PNAS 2017).

    Attributes:
        weight: Of the penalty; docs/continual.md says how it was chosen.
        samples: Of a task, from which the Fisher information is estimated.
        decay: Of earlier tasks' information when another one is added; 1 to sum them.
    """

    weight: float = 1e5
    samples: int = 64
    decay: float = 1.0


def _plain() -> TrainConfig:
    """Return how a task is trained where nothing is said: one stage, the learning rate stays."""
    return TrainConfig(ema=0.0, schedule=CONSTANT, stages=[StageConfig((320, 640))])


@dataclass(frozen=True)
class ContinualConfig:
    """A sequence of tasks, and how it is learned.

    Attributes:
        out: Folder of the run; a run that was interrupted goes on there.
        paths: Name -> folder of this machine, which sets are named by: ``${paths.NAME}/train``.
            Empty once a config is read: its sets are named in full.
        tasks: In their order.
        strategy: Names of ``strategies.STRATEGIES`` that go together.
        memory: Of ``replay`` and ``latent_replay``; ``joint`` remembers everything.
        latent: Of ``latent_replay``.
        lwf: Of ``lwf``.
        pod: Of ``pod``.
        ewc: Of ``ewc``.
        supervision: Without labels, beside any strategy.
        train: How each task is trained: network, augmentation, losses, optimiser, and one stage.
            Its ``data``, ``out`` and ``seed`` are those of the sequence.
        test_batch: Most images that are tested at a time.
        seed: Of everything random.
    """

    out: str = "runs/continual"
    paths: dict[str, str] = field(default_factory=dict)
    tasks: list[TaskConfig] = field(default_factory=list)
    strategy: list[str] = field(default_factory=lambda: ["naive"])
    memory: MemoryConfig = field(default_factory=MemoryConfig)
    latent: LatentConfig = field(default_factory=LatentConfig)
    lwf: LwfConfig = field(default_factory=LwfConfig)
    pod: PodConfig = field(default_factory=PodConfig)
    ewc: EwcConfig = field(default_factory=EwcConfig)
    supervision: SupervisionConfig = field(default_factory=SupervisionConfig)
    train: TrainConfig = field(default_factory=_plain)
    test_batch: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot work before anything is started."""
        for faults in (*FAULTS, supervision_faults):
            for told in faults(self):
                raise ConfigError(told)
        for index, task in enumerate(self.tasks):
            try:
                training_of(self, index)
            except ValueError as error:
                raise ConfigError(f"the task {task.name}: {error}") from None

    @property
    def stage(self) -> StageConfig:
        """How each task is trained, but for ``TaskConfig.steps``."""
        return self.train.stages[0]


def training_of(config: ContinualConfig, task: int) -> TrainConfig:
    """Return how task number ``task`` is trained: as the stage of that number of one run.

    What an earlier stage trained on is not among its data; the run's other stages are there for
    their numbers, which decide what is drawn.
    """
    own, train = config.tasks[task], config.train
    return replace(
        train,
        out=config.out,
        seed=config.seed,
        data=replace(train.data, train=own.train, val=own.tests[0].sets),
        stages=[
            replace(config.stage, steps=one.steps or config.stage.steps) for one in config.tasks
        ],
    )
