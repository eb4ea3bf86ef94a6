# SPDX-License-Identifier: Apache-2.0
"""What a model says of the ground that a vehicle drove over, counted picture by picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks
from shared_encoder_perception.adapt.taught import taught
from shared_encoder_perception.evaluation.diff.bootstrap import (
    FEWEST,
    NO_INTERVAL,
    BlockSums,
    Interval,
    interval,
    resampled_sums,
)
from shared_encoder_perception.labels import native
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.tasks.masks.values import NO, YES

BLOCK: Final = 3
"""Pictures of a drive that look alike, for intervals."""


@dataclass(frozen=True, eq=False)
class DriveCounts:
    """Of each picture of some sets, in their order.

    Attributes:
        source: (N,) which set it is of.
        driven_m: (N,) where it was taken.
        counts: (N, 4): pixels driven over that are said to be drivable, and all of them that the
            network saw; the same of pixels far above the horizon.
    """

    source: NDArray[np.intp]
    driven_m: NDArray[np.float64]
    counts: NDArray[np.float64]

    @property
    def ground(self) -> float:
        """Share of the ground driven over that is said to be drivable."""
        return share(self.counts[:, 0], self.counts[:, 1])

    @property
    def sky(self) -> float:
        """Share of what is far above the horizon that is said to be drivable."""
        return share(self.counts[:, 2], self.counts[:, 3])

    def sections(self, length_m: float) -> list[tuple[int, float, float]]:
        """Return the set, the begin and the share of ground of each stretch of the drives."""
        found = []
        places = np.floor(self.driven_m / length_m).astype(int)
        for source, place in sorted(set(zip(self.source.tolist(), places.tolist(), strict=True))):
            own = self.counts[(self.source == source) & (places == place)]
            found.append((source, place * length_m, share(own[:, 0], own[:, 1])))
        return found


def share(yes: NDArray[np.float64], of: NDArray[np.float64]) -> float:
    """Return how much of all it is; 0 of nothing."""
    return float(yes.sum() / max(of.sum(), 1.0))


def count(predictor: Predictor, sets: list[Path]) -> DriveCounts:
    """Perceive every picture of the sets of some drives.

    Raises:
        ValueError: A set cannot be read.
    """
    names = taught(predictor.spec.tasks)
    sources, places, rows = [], [], []
    for source, path in enumerate(sets):
        for frame in native.read(path):
            answers = predictor(frame.read_image(), frame.crop).answers
            row = np.zeros(4)
            for task in names:
                plane = frame.labels[task]().mask
                for at, value in ((0, YES), (2, NO)):
                    row[at : at + 2] += _said(task, answers[task], predictor, plane == value)
            sources.append(source)
            places.append(float(frame.attributes["driven_m"]))
            rows.append(row)
    return DriveCounts(np.array(sources, np.intp), np.array(places), np.array(rows).reshape(-1, 4))


def _said(
    task: str, answer: Any, predictor: Predictor, where: NDArray[np.bool_]
) -> tuple[int, int]:
    """Return how many of some pixels are said to be drivable, and how many were seen."""
    room = tasks.part(task, "on_ground")
    rows, columns = np.nonzero(where)
    probability = room.read(answer, np.column_stack((columns, rows)))
    seen = np.isfinite(probability)
    # As the mask is made: by whole steps of its values.
    yes = probability[seen] >= room.threshold(predictor.options[task]) - 1e-6
    return int(yes.sum()), int(seen.sum())


def gain_interval(before: DriveCounts, after: DriveCounts) -> Interval:
    """Return the 95 % interval of how much more ground is said to be drivable; paired."""
    sums = []
    for counted in (before, after):
        blocks = BlockSums(BLOCK)
        for source, row in zip(counted.source, counted.counts, strict=True):
            blocks.add(str(source), row[:2])
        sums.append(blocks.groups())
    if sum(len(group) for group in sums[0]) < FEWEST:
        return NO_INTERVAL
    shares = []
    for groups in sums:
        drawn = np.sum(resampled_sums(groups), axis=0)
        shares.append(drawn[:, 0] / np.maximum(drawn[:, 1], 1.0))
    return interval(shares[1] - shares[0])
