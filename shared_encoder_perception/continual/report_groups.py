# SPDX-License-Identifier: Apache-2.0
"""Runs of one sequence, grouped by what was done against forgetting, a run for each seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from shared_encoder_perception.continual.intervals import Interval, interval
from shared_encoder_perception.continual.matrix import MATRIX, Matrix, read_matrix
from shared_encoder_perception.continual.measures import Measures, measure, square
from shared_encoder_perception.files.plain_file import plain

CONFIG: Final = "config.yaml"
NAIVE, JOINT = "naive", "joint"
"""Strategies that others are held against: the floor and the ceiling."""
USES: Final[Mapping[str, tuple[str, ...]]] = {
    "replay": ("memory",),
    "latent_replay": ("memory", "latent"),
    **{name: (name,) for name in ("lwf", "pod", "ewc")},
}
"""Strategy -> the parts of a config that set it; others have none."""
PARTS: Final = tuple(dict.fromkeys(part for parts in USES.values() for part in parts))
"""Parts in which runs of one sequence may differ, beside strategy and seed."""


@dataclass(frozen=True)
class Run:
    """A run that has learned all its tasks.

    Attributes:
        folder: Where it is.
        matrix: What it scored.
        settings: All that could be set of strategies, by key, as text; empty where nobody wrote
            that down.
    """

    folder: Path
    matrix: Matrix
    settings: Mapping[str, str]

    @property
    def used(self) -> dict[str, str]:
        """Those settings that its own strategies look at."""
        parts = {part for name in self.matrix.strategy.split("+") for part in USES.get(name, ())}
        return {key: text for key, text in self.settings.items() if key.split(".")[0] in parts}


@dataclass(frozen=True)
class Group:
    """Runs that differ in their seed alone.

    Attributes:
        label: The strategies, and those settings in which others with the same ones differ.
        runs: By seed.
    """

    label: str
    runs: Mapping[int, Run]

    @property
    def strategy(self) -> str:
        """Names of the strategies, as of ``Matrix``."""
        return next(iter(self.runs.values())).matrix.strategy

    def over_seeds(self, score: str, row: int, test: str) -> Interval:
        """Return a score of ``Matrix.score`` over the seeds."""
        return interval(run.matrix.score(score, row, test) for run in self.runs.values())

    def cost(self, name: str) -> dict[int, float]:
        """Return the mean over tasks of one of ``matrix.PER_TASK``, by seed."""
        found = {seed: getattr(run.matrix, name) for seed, run in self.runs.items()}
        return {seed: sum(values) / len(values) for seed, values in found.items() if values}


@dataclass(frozen=True)
class Compared:
    """What is compared.

    Attributes:
        groups: In the order in which they were given, but for naive first and joint last.
        unfinished: Folders of runs that have not learned all tasks; they are left out.
    """

    groups: tuple[Group, ...]
    unfinished: tuple[Path, ...]

    @property
    def naive(self) -> Group | None:
        """What the others are held against, if it is there."""
        return next((group for group in self.groups if group.strategy == NAIVE), None)

    @property
    def first(self) -> Matrix:
        """Any run: tasks, tests, scores and steps are those of all."""
        return next(iter(self.groups[0].runs.values())).matrix

    def measures(self, group: Group, score: str) -> dict[int, Measures]:
        """Return the measures of a group by seed; the ceiling is the joint run of that seed."""
        above = {
            seed: square(run.matrix, score)
            for one in self.groups
            for seed, run in one.runs.items()
            if run.matrix.strategy == JOINT
        }
        return {
            seed: measure(square(run.matrix, score), above.get(seed))
            for seed, run in group.runs.items()
        }


def grouped(folders: Sequence[Path]) -> Compared:
    """Read runs and group them.

    Args:
        folders: Of runs, or of sweeps, whose folders are runs.

    Raises:
        ValueError: No finished run, runs of different sequences, or two of one seed and group.
    """
    runs, unfinished = [], []
    for folder in dict.fromkeys(found for given in folders for found in _runs_in(given)):
        matrix = read_matrix(folder)
        if matrix.learned < len(matrix.tasks):
            unfinished.append(folder)
        else:
            runs.append(Run(folder, matrix, _settings(folder / CONFIG)))
    if not runs:
        raise ValueError(
            f"none of {', '.join(map(str, folders))} has a run that learned all its tasks: there "
            "is nothing to compare"
        )
    first = runs[0]
    for run in runs[1:]:
        if run.matrix.digest != first.matrix.digest:
            raise ValueError(
                f"{first.folder} and {run.folder} are runs of different sequences: compare only "
                "runs of the same tasks, sets, steps and network"
            )
    groups: dict[str, dict[int, Run]] = {}
    for run, label in zip(runs, _labels(runs), strict=True):
        group = groups.setdefault(label, {})
        if (seed := run.matrix.seed) in group:
            raise ValueError(
                f"{group[seed].folder} and {run.folder} are both {label} with the seed {seed}: "
                "leave one out"
            )
        group[seed] = run
    named = [Group(label, runs) for label, runs in groups.items()]
    named.sort(key=lambda group: (group.strategy != NAIVE) + (group.strategy == JOINT))
    return Compared(tuple(named), tuple(unfinished))


def _runs_in(folder: Path) -> list[Path]:
    """Return a run's folder, or those of a sweep's runs; at least the folder itself."""
    if (folder / MATRIX).exists() or not folder.is_dir():
        return [folder]
    return sorted(path.parent for path in folder.glob(f"*/{MATRIX}")) or [folder]


def _settings(path: Path) -> dict[str, str]:
    """Read how the strategies of a run were set.

    Raises:
        ValueError: The file is broken.
    """
    if not path.exists():
        return {}
    try:
        asked = yaml.safe_load(plain(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"cannot read {path}: {' '.join(str(error).split())}") from None
    if not isinstance(asked, dict):
        raise ValueError(f"{path} has no keys and values at the top level")
    return {key: text for part in PARTS for key, text in _flat(part, asked.get(part, {}))}


def _flat(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield the single values of a part of a config."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(f"{key}.{name}", inner)
    else:
        yield key, str(value)


def _labels(runs: Sequence[Run]) -> list[str]:
    """Name each run by its strategy, and the settings in which others with the same one differ."""
    found = []
    for run in runs:
        peers = [one for one in runs if one.matrix.strategy == run.matrix.strategy]
        keys = dict.fromkeys(key for one in peers for key in one.settings)
        differing = [key for key in keys if len({one.settings.get(key) for one in peers}) > 1]
        said = [f"{key}={run.settings.get(key, 'not told')}" for key in differing]
        found.append(", ".join([run.matrix.strategy, *said]))
    return found
