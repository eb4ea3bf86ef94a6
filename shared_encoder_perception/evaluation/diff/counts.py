# SPDX-License-Identifier: Apache-2.0
"""What is counted of one frame so that two models can be compared: a row of numbers that add up.

Every score is computed from sums of such rows, over all frames or over those that the bootstrap
drew; so the scores are those of ``evaluate``. What the numbers are the tasks' rooms say
(``drift.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks
from shared_encoder_perception.evaluation.diff.bootstrap import Groups
from shared_encoder_perception.tasks.contract.comparisons import FRAMES, Counts, Values

Row = NDArray[np.float64]
"""(columns,)."""

ONE_FRAME: Final = {FRAMES: 1.0}


class Columns:
    """Where each task's counts are in a row.

    Attributes:
        places: Task -> column -> place.
        width: Number of columns.
    """

    def __init__(self, names: Iterable[str]) -> None:
        """Ask the rooms of tasks; those that cannot be compared have no column."""
        self.places: dict[str, dict[str, int]] = {}
        self.width = 0
        for name, room in tasks.parts("drift", names).items():
            columns = (FRAMES, *room.COLUMNS)
            self.places[name] = {column: self.width + place for place, column in enumerate(columns)}
            self.width += len(columns)

    def row(self, counts: Mapping[str, Counts]) -> Row:
        """Return the counts of a frame, by the tasks that were answered; others are 0."""
        row = np.zeros(self.width)
        for name, values in counts.items():
            places = self.places[name]
            for column, value in {**ONE_FRAME, **values}.items():
                row[places[column]] = value
        return row

    def sums(self, groups: Groups) -> dict[str, TaskSums]:
        """Return the sums of each source, (R, columns), by task."""
        total = np.sum(groups, axis=0)
        return {name: TaskSums(places, groups, total) for name, places in self.places.items()}


class TaskSums:
    """The part of summed rows that is one task's; see ``contract.comparisons.Sums``."""

    def __init__(self, places: Mapping[str, int], groups: Groups, total: Row) -> None:
        """Wrap the sums of each source and of all, (R, columns)."""
        self._places, self._groups, self._total = places, groups, total

    def __getitem__(self, name: str) -> Values:
        """Return a column, all sources together."""
        return self._total[:, self._places[name]]

    def each(self, name: str) -> Sequence[Values]:
        """Return a column of every source."""
        return [group[:, self._places[name]] for group in self._groups]
