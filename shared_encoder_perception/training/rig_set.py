# SPDX-License-Identifier: Apache-2.0
"""Sets of labelled moments of rigs by index: recorded ones, and rendered worlds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import numpy as np

from shared_encoder_perception.labels.rigs.native import RigSet
from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.structures import Size
from shared_encoder_perception.training.data_config import (
    OF_COMPOSITES,
    SYNTHETIC,
    DataConfig,
    SetConfig,
)
from shared_encoder_perception.training.sets import HELD_OUT_EVERY, WORLDS_PER_STAGE
from shared_encoder_perception.world.rigs.dice_rig import roll_rig
from shared_encoder_perception.world.rigs.drive import RigDrive
from shared_encoder_perception.world.synthetic import VALIDATION_SEED

CAMERA_DICE: Final = 77
"""Beside the seed of a world: the dice of a rig of a given number of cameras."""


class RigEntry(NamedTuple):
    """A labelled moment, and what it belongs to."""

    frame: RigFrame
    source: str


class RigSource(Protocol):
    """Moments by index; the attributes are those of ``sample_set.SampleSet``.

    Attributes:
        rare: Nothing.
        in_no_order: Whether neighbours have nothing in common.
        description: For the record of a run.
    """

    rare: Sequence[int]
    in_no_order: bool
    description: dict[str, str | int]

    def __len__(self) -> int:
        """Return how many there are."""

    def read(self, index: int, cameras: int) -> RigEntry:
        """Read one with at least so many cameras that gave a picture.

        Where a recorded set has moments with fewer, ``index`` goes round among the others.
        """


class RecordedRigs:
    """A set of recorded moments. It keeps a few bytes for each."""

    rare: Sequence[int] = ()
    in_no_order = False

    def __init__(self, config: SetConfig, cameras: Sequence[int]) -> None:
        """Index the set by reading its lines once, without pictures.

        Args:
            config: Which moments.
            cameras: Numbers of cameras that rigs of a batch may have.

        Raises:
            LabelError: A line that cannot be read.
            ValueError: No moment is left, or none has as many cameras as asked for.
        """
        if config.fold in OF_COMPOSITES:
            raise ValueError(
                f"fold is {config.fold!r} for {config.path}: that is for composites; of a set of "
                "rigs there are 'train' and 'held_out'"
            )
        self._set = RigSet(Path(config.path))
        digest, used, counts = sha256(self._set.path.read_bytes()), [], []
        for index, record in enumerate(self._set):
            held_out = sha256(record.name.encode()).digest()[0] % HELD_OUT_EVERY == 0
            other_fold = bool(config.fold) and held_out != (config.fold == "held_out")
            if other_fold or (config.sources and record.source not in config.sources):
                continue
            used.append(index)
            counts.append(len(record.pictures))
        if not used:
            raise ValueError(
                f"{self._set.path} has no rig of the sources {config.sources or 'any'} and the "
                f"fold {config.fold or 'any'}"
            )
        if 0 < config.count < len(used):
            at = np.linspace(0, len(used) - 1, config.count).round().astype(np.int64)
            used, counts = [used[place] for place in at], [counts[place] for place in at]
        self._with = {
            wanted: [index for index, count in zip(used, counts, strict=True) if count >= wanted]
            for wanted in cameras
        }
        if few := [wanted for wanted, indices in self._with.items() if not indices]:
            raise ValueError(
                f"{self._set.path} has no rig of {few[0]} cameras, the most that gave a picture "
                f"are {max(counts)}: set rigs.cameras"
            )
        self._count = len(used)
        self.description: dict[str, str | int] = {
            "path": str(self._set.path),
            "sha256": digest.hexdigest(),
            "rigs": len(used),
        }

    def __len__(self) -> int:
        """Return how many moments there are."""
        return self._count

    def read(self, index: int, cameras: int) -> RigEntry:
        """Read one; see ``RigSource``."""
        fit = self._with[cameras]
        record = self._set[fit[index % len(fit)]]
        return RigEntry(record.frame(), record.source or "rigs")


class RenderedRigs:
    """Rendered worlds, one for each seed, each seen by a rig of its own."""

    rare: Sequence[int] = ()

    def __init__(self, config: SetConfig, first_seed: int, size: Size) -> None:
        """``config.count`` worlds, 0 for as many as a stage has, in pictures of ``size``."""
        self._count, self._first, self._size = config.count or WORLDS_PER_STAGE, first_seed, size
        self._splits, self._traffic = config.split_probability, config.traffic_probability
        self.in_no_order = not config.count
        self.description: dict[str, str | int] = {
            "path": SYNTHETIC,
            "first_seed": first_seed,
            "rigs": self._count,
        }

    def __len__(self) -> int:
        """Return how many worlds there are."""
        return self._count

    def read(self, index: int, cameras: int) -> RigEntry:
        """Render one; see ``RigSource``."""
        seed = self._first + index
        rig = roll_rig(np.random.default_rng((seed, CAMERA_DICE)), self._size, cameras)
        chance = {} if self._traffic is None else {"traffic_probability": self._traffic}
        drive = RigDrive(seed, rig, self._size, split_probability=self._splits, **chance)
        return RigEntry(drive.render(), SYNTHETIC)


class SomeRigs:
    """A few moments of a set, spread evenly; kept once they were read."""

    rare: Sequence[int] = ()
    in_no_order = False

    def __init__(self, whole: RigSource, count: int) -> None:
        """Take ``count`` of them.

        Raises:
            ValueError: There are fewer.
        """
        if len(whole) < count:
            raise ValueError(
                f"data.overfit is {count}, and {whole.description['path']} has {len(whole)} rigs"
            )
        self._whole = whole
        self._indices = np.linspace(0, min(len(whole), 10_000) - 1, count).round().astype(int)
        self.description = {**whole.description, "used": count}
        self._kept: dict[tuple[int, int], RigEntry] = {}

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._indices)

    def read(self, index: int, cameras: int) -> RigEntry:
        """Read one; see ``RigSource``."""
        if (index, cameras) not in self._kept:
            entry = self._whole.read(int(self._indices[index]), cameras)
            self._kept[index, cameras] = entry
        return self._kept[index, cameras]


def training_rigs(
    config: DataConfig, stage: int, size: Size, seed: int, cameras: Sequence[int]
) -> list[RigSource]:
    """Open the sets that stage number ``stage`` trains on."""
    first = seed * 1000 + stage * WORLDS_PER_STAGE
    sets = list(_opened(config.train, first, size, cameras))
    return [SomeRigs(sets[0], config.overfit)] if config.overfit else sets


def validation_rigs(
    config: DataConfig, train: Sequence[RigSource], size: Size, cameras: Sequence[int]
) -> list[RigSource]:
    """Open the sets to score on: with ``overfit``, the very moments that are trained on."""
    if config.overfit:
        return list(train)
    return list(_opened(config.val, VALIDATION_SEED, size, cameras))


def _opened(
    configs: Sequence[SetConfig], first_seed: int, size: Size, cameras: Sequence[int]
) -> Iterator[RigSource]:
    """Open sets of the kinds that their paths say.

    Raises:
        ValueError: Worlds of some places, weathers or surfaces are asked for.
    """
    for config in configs:
        if asked := config.choice.said():
            raise ValueError(
                f"{next(iter(asked))} can be chosen for single pictures, and this network answers "
                "rigs, whose worlds are as the dice fall: leave it out"
            )
        if config.path == SYNTHETIC:
            yield RenderedRigs(config, first_seed, size)
        else:
            yield RecordedRigs(config, cameras)
