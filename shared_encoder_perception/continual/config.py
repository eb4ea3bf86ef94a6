"""Everything that decides a sequence: typed, from a YAML file and ``key=value`` overrides."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from shared_encoder_perception.training.config import CONSTANT, TrainConfig
from shared_encoder_perception.training.data_config import SetConfig

JOINT, NAIVE, REPLAY, LATENT_REPLAY, LWF, POD, EWC = (
    "joint",
    "naive",
    "replay",
    "latent_replay",
    "lwf",
    "pod",
    "ewc",
)
POLICIES: Final = ("reservoir", "ring", "class_balanced", "task_balanced", "uncertainty")
PROPORTIONAL: Final = -1.0
"""``MemoryConfig.share``: as the memory's samples are to those of the task."""


@dataclass(frozen=True)
class TestConfig:
    """What a task is tested on, and what is tested beside it.

    Attributes:
        name: In tables and charts.
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
        tests: What is tested; the first is the task's own, on which forgetting is measured.
        steps: Of this task; 0 for those of ``stages``.
    """

    name: str = ""
    train: list[SetConfig] = field(default_factory=list)
    tests: list[TestConfig] = field(default_factory=list)
    steps: int = 0


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
        weight: Of what it teaches, ``distill`` of the config says by what.
    """

    weight: float = 1.0


@dataclass(frozen=True)
class PodConfig:
    """Local POD (Douillard et al., PLOP, CVPR 2021): pooled features stay what they were.

    Attributes:
        weight: Of the features' distance.
        scales: Into how many parts each side of a map is cut.
    """

    weight: float = 0.01
    scales: list[int] = field(default_factory=lambda: [1, 2, 4])


@dataclass(frozen=True)
class EwcConfig:
    """Elastic weight consolidation (Kirkpatrick et al., PNAS 2017).

    Attributes:
        weight: Of the penalty.
        samples: Of a task, from which the Fisher information is estimated.
        decay: Of earlier tasks' information when another one is added; 1 to sum them.
    """

    weight: float = 1000.0
    samples: int = 64
    decay: float = 1.0


@dataclass(frozen=True)
class ContinualConfig:
    """A sequence of tasks, and how it is learned.

    Attributes:
        out: Folder of the run; a run that was interrupted goes on there.
        paths: Name -> folder of this machine, which sets are named by: ``${paths.NAME}/train``.
        tasks: In their order.
        strategy: Names of ``strategies.STRATEGIES`` that go together.
        memory: Of ``replay`` and ``latent_replay``.
        latent: Of ``latent_replay``.
        lwf: Of ``lwf``.
        pod: Of ``pod``.
        ewc: Of ``ewc``.
        train: How each task is trained: network, augmentation, losses, optimiser, and one stage.
            Its ``data``, ``out`` and ``seed`` are those of the sequence.
        test_batch: Most images that are tested at a time.
        seed: Of everything random.
    """

    out: str = "runs/continual"
    paths: dict[str, str] = field(default_factory=dict)
    tasks: list[TaskConfig] = field(default_factory=list)
    strategy: list[str] = field(default_factory=lambda: [NAIVE])
    memory: MemoryConfig = field(default_factory=MemoryConfig)
    latent: LatentConfig = field(default_factory=LatentConfig)
    lwf: LwfConfig = field(default_factory=LwfConfig)
    pod: PodConfig = field(default_factory=PodConfig)
    ewc: EwcConfig = field(default_factory=EwcConfig)
    train: TrainConfig = field(default_factory=lambda: TrainConfig(ema=0.0, schedule=CONSTANT))
    test_batch: int = 8
    seed: int = 0
