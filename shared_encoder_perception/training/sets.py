# SPDX-License-Identifier: Apache-2.0
"""Sets of samples by index: labelled pictures, rendered worlds, and composites."""

from __future__ import annotations

import json
from array import array
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np

from shared_encoder_perception import tasks as table
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.composites.index import is_index
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.label_files import LabelError
from shared_encoder_perception.training.composite_set import CompositeSet
from shared_encoder_perception.training.data_config import (
    OF_COMPOSITES,
    SYNTHETIC,
    DataConfig,
    SetConfig,
)
from shared_encoder_perception.training.sample_set import Entry, SampleSet
from shared_encoder_perception.world.synthetic import VALIDATION_SEED, render_sample

WORLDS_PER_STAGE: Final = 100_000_000
"""Seeds of a stage: each stage sees other worlds, all below ``VALIDATION_SEED``."""
PICTURES_LOOKED_AT: Final = 256
HELD_OUT_EVERY: Final = 10
"""One frame in so many is held out."""


def pictures_of(labels: Path) -> str:
    """Return a hash of the sizes of a set's pictures, of some spread over it: cheap to look up.

    The same labels may be beside other pictures: of other weather, or encoded anew.
    """
    digest, lines = sha256(), labels.read_bytes().splitlines()
    for line in lines[:: max(len(lines) // PICTURES_LOOKED_AT, 1)]:
        try:
            size = (labels.parent / str(json.loads(line)["image"])).stat().st_size
        except (ValueError, LookupError, TypeError, OSError):
            size = 0  # whoever reads the line, or the picture, says what is wrong
        digest.update(f"{size};".encode())
    return digest.hexdigest()


class NativeSet:
    """A native data set. It keeps a few bytes for each frame: where its line begins."""

    in_no_order = False

    def __init__(
        self,
        config: SetConfig,
        *,
        to_score: bool = False,
        tasks: Sequence[str] | None = None,
    ) -> None:
        """Index the set by reading its label file once.

        Args:
            config: Which frames.
            to_score: Leave out labels by a teacher that is no truth to score by.
            tasks: What is trained: decides which labels are read, which samples are rare, and which
                complete. ``None`` reads all, and judges by what networks answer by default.

        Raises:
            LabelError: A line that is not JSON.
            ValueError: No frame is left, or the fold is one of composites.
        """
        if config.fold in OF_COMPOSITES:
            raise ValueError(
                f"fold is {config.fold!r} for {config.path}: that is for composites; of a native "
                "set there are 'train' and 'held_out'"
            )
        self._path = native.labels_file(Path(config.path))
        self._pseudo, self._to_score, self._tasks = config.pseudo, to_score, tasks
        starts, numbers, digest = array("q"), array("q"), sha256()
        rare, complete = array("q"), array("q")
        rooms = tuple(table.parts("labels", tasks or table.DEFAULT).values())
        with self._path.open("rb") as lines:
            start = 0
            for number, line in enumerate(lines, start=1):
                digest.update(line)
                record = _record(line, self._path, number)
                if _wanted(record, config):
                    if any(_is_rare(room, record) for room in rooms):
                        rare.append(len(starts))
                    if all(_is_complete(room, record) for room in rooms):
                        complete.append(len(starts))
                    starts.append(start)
                    numbers.append(number)
                start += len(line)
        if not starts:
            raise ValueError(
                f"{self._path} has no frame of the sources {config.sources or 'any'} and the fold "
                f"{config.fold or 'any'}"
            )
        used = np.arange(len(starts))
        if 0 < config.count < len(starts):
            used = np.linspace(0, len(starts) - 1, config.count).round().astype(np.int64)
        self._starts, self._numbers = np.array(starts)[used], np.array(numbers)[used]
        self.rare: Sequence[int] = np.flatnonzero(np.isin(used, rare)).tolist()
        self.complete: Sequence[int] = np.flatnonzero(np.isin(used, complete)).tolist()
        self.description: dict[str, str | int] = {
            "path": str(self._path),
            "sha256": digest.hexdigest(),
            "pictures": pictures_of(self._path),
            "frames": len(used),
        }

    def __len__(self) -> int:
        """Return how many frames there are."""
        return len(self._starts)

    def __getitem__(self, index: int) -> Entry:
        """Read one frame."""
        with self._path.open("rb") as lines:
            lines.seek(int(self._starts[index]))
            line = lines.readline().decode()
        frame = native.parse(line, self._path, int(self._numbers[index]))
        if not self._pseudo:
            frame = frame.without(*frame.pseudo)
        elif self._to_score:
            frame = frame.to_score()
        return Entry(frame.load(self._tasks), frame.crop, frame.source)


class WorldSet:
    """Rendered worlds, one for each seed."""

    def __init__(
        self, config: SetConfig, first_seed: int, size: Size, tasks: Sequence[str] | None = None
    ) -> None:
        """``config.count`` worlds of ``size``, 0 for as many as a stage has, labelled for tasks."""
        self._count, self._first, self._size = config.count or WORLDS_PER_STAGE, first_seed, size
        self._tasks = tasks
        self._chances = config.split_probability, config.traffic_probability
        self._choice = config.choice
        self.rare: Sequence[int] = ()
        self.complete: Sequence[int] = range(self._count)
        self.in_no_order = not config.count
        self.description: dict[str, str | int] = {
            "path": SYNTHETIC,
            "first_seed": first_seed,
            "frames": self._count,
            **self._choice.said(),
        }

    def __len__(self) -> int:
        """Return how many worlds there are."""
        return self._count

    def __getitem__(self, index: int) -> Entry:
        """Render one."""
        splits, traffic = self._chances
        sample = render_sample(
            self._first + index,
            self._size,
            splits,
            tasks=self._tasks,
            traffic_probability=traffic,
            choice=self._choice,
        )
        return Entry(sample, None, SYNTHETIC)


class Subset:
    """Some samples of a set."""

    in_no_order = False

    def __init__(self, whole: SampleSet, indices: Sequence[int]) -> None:
        """``indices`` into ``whole``."""
        self._whole, self._indices = whole, tuple(indices)
        self.rare: Sequence[int] = ()
        self.complete: Sequence[int] = range(len(self._indices))
        self.description = {**whole.description, "used": len(self._indices)}

    def __len__(self) -> int:
        """Return how many samples there are."""
        return len(self._indices)

    def __getitem__(self, index: int) -> Entry:
        """Read one."""
        return self._whole[self._indices[index]]


def training_sets(
    config: DataConfig,
    stage: int,
    size: Size,
    seed: int,
    tasks: Sequence[str] = table.DEFAULT,
) -> list[SampleSet]:
    """Open the sets that stage number ``stage`` trains ``tasks`` on.

    Raises:
        ValueError: One of the tasks is asked of rigs; see ``rig_set.training_rigs``.
    """
    if rigs := [name for name in tasks if table.is_rig(name)]:
        raise ValueError(
            f"{rigs[0]} is asked of rigs, and this works on single pictures: `train` takes such a "
            "config; look at the panels of its run, or at its set with `dataset view`"
        )
    first = seed * 1000 + stage * WORLDS_PER_STAGE
    sets = [_open(item, first, size, tasks) for item in config.train]
    return [_to_overfit(sets, config.overfit, tasks)] if config.overfit else sets


def validation_sets(
    config: DataConfig,
    train: Sequence[SampleSet],
    size: Size,
    tasks: Sequence[str] | None = None,
) -> Sequence[SampleSet]:
    """Open the sets to score tasks on: with ``overfit``, the very frames that are trained on.

    Raises:
        ValueError: Composites of the same pictures are trained on.
    """
    if config.overfit:
        return train
    sets = [_open(item, VALIDATION_SEED, size, tasks, to_score=True) for item in config.val]
    for ours in sets:
        for theirs in train:
            if isinstance(ours, CompositeSet) and isinstance(theirs, CompositeSet):
                ours.check_apart(theirs)
    return sets


def _open(
    config: SetConfig,
    first_seed: int,
    size: Size,
    tasks: Sequence[str] | None,
    *,
    to_score: bool = False,
) -> SampleSet:
    """Open a set of the kind that its path says."""
    if config.path == SYNTHETIC:
        return WorldSet(config, first_seed, size, tasks)
    if is_index(Path(config.path)):
        return CompositeSet(config, tasks)
    return NativeSet(config, to_score=to_score, tasks=tasks)


def _to_overfit(sets: Sequence[SampleSet], count: int, tasks: Sequence[str]) -> Subset:
    """Choose ``count`` samples, evenly spread, of the first set that labels everything."""
    for whole in sets:
        if len(whole.complete) >= count:
            at = np.linspace(0, min(len(whole.complete), 10_000) - 1, count).round().astype(int)
            return Subset(whole, [whole.complete[index] for index in at])
    raise ValueError(
        f"no set of data.train has {count} frames that label all of {', '.join(tasks)}: "
        "choose fewer with data.overfit, or another set"
    )


def _wanted(record: Mapping[str, Any], config: SetConfig) -> bool:
    """Whether a frame is of the sources and the fold asked for."""
    if config.sources and record.get("source", "images") not in config.sources:
        return False
    held_out = sha256(str(record.get("image")).encode()).digest()[0] % HELD_OUT_EVERY == 0
    return not config.fold or held_out == (config.fold == "held_out")


def _is_rare(room: Any, record: Mapping[str, Any]) -> bool:
    """Whether a line shows what a task's training sees too seldom."""
    return hasattr(room, "rare") and room.rare(record)


def _is_complete(room: Any, record: Mapping[str, Any]) -> bool:
    """Whether a line labels all that a task can answer."""
    if hasattr(room, "complete"):
        return bool(room.complete(record))
    return any(key in record for key in room.KEYS)


def _record(line: bytes, path: Path, number: int) -> dict[str, Any]:
    """Parse a line far enough to index it."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise LabelError(path, number, f"not JSON: {error}") from None
    if not isinstance(record, dict):
        raise LabelError(path, number, "expected a JSON object")
    return record
