# SPDX-License-Identifier: Apache-2.0
"""How many lanes a data set labels, and where they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.labels import Panel
from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.lanes.labels import Label

NOTE: Final = "yes / no / ?"
GRID: Final = (60, 100)
"""Rows and columns of the maps, over the whole picture."""


@dataclass
class Counts:
    """Counts of one source.

    Attributes:
        lanes: (5, 3) for each lane [present, known absent, unknown].
        maps: (5, 60, 100) how many lines pass each part of the picture.
    """

    lanes: NDArray[np.int64] = field(default_factory=lambda: np.zeros((len(LaneId), 3), np.int64))
    maps: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros((len(LaneId), *GRID), np.int64)
    )

    def add(self, read: Callable[[], Label] | None, size: Size, *, files: bool) -> None:
        """Count one picture."""
        lines = {} if read is None else read().lines
        for lane in LaneId:
            points = lines.get(lane)
            self.lanes[lane, 0 if points is not None else 1 if lane in lines else 2] += 1
            if points is not None:
                self._draw(lane, points, size)

    def _draw(self, lane: LaneId, points: NDArray, size: Size) -> None:
        """Mark the cells that a line passes."""
        near_to_far = np.linspace(0, len(points) - 1, 4 * GRID[0])
        at = np.stack(
            [np.interp(near_to_far, np.arange(len(points)), points[:, i]) for i in (1, 0)], axis=1
        )
        cells = np.unique((at / size * GRID).astype(np.int64), axis=0)
        cells = np.clip(cells, 0, (GRID[0] - 1, GRID[1] - 1))
        self.maps[lane][cells[:, 0], cells[:, 1]] += 1

    def columns(self) -> Sequence[tuple[str, str]]:
        """Return a column for each lane."""
        return [
            (lane.label.removesuffix("_ego"), " / ".join(map(str, self.lanes[lane].tolist())))
            for lane in LaneId
        ]

    def bars(self) -> Mapping[str, tuple[int, int, int]]:
        """Return how often each lane is there."""
        counts = {lane.label.replace("_ego", ""): self.lanes[lane].tolist() for lane in LaneId}
        return {name: (there, absent, unknown) for name, (there, absent, unknown) in counts.items()}


def panels(by_source: Mapping[str, Counts]) -> Sequence[Panel]:
    """Return where each lane runs."""
    maps = sum((counts.maps for counts in by_source.values()), np.zeros((len(LaneId), *GRID)))
    return [Panel(lane.label, partial(_draw_map, maps[lane])) for lane in LaneId]


def _draw_map(passed: NDArray, axis: Any) -> None:
    """Draw how many lines pass each part of the picture."""
    axis.imshow(np.log1p(passed), extent=(0, 1, 1, 0), aspect=0.6)
    axis.set(xlabel="x / width", ylabel="y / height")
