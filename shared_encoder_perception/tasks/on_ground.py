# SPDX-License-Identifier: Apache-2.0
"""Answers to the single pictures of a rig, put on the ground: a map without a network for rigs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.project import GroundProjection
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.options import Options


class AnswersOnGround:
    """Puts the answers to single pictures on the ground; see ``rig.project`` for its limits.

    Attributes:
        task: Whose room's ``Answer`` is made.
    """

    def __init__(self, rig: Rig, grid: BevGrid, names: Collection[str]) -> None:
        """Find out where each camera sees the cells.

        Args:
            rig: The cameras.
            grid: The cells.
            names: Of the tasks that are answered.

        Raises:
            ValueError: No answer of theirs says anything of the ground.
        """
        rooms = tasks.parts("on_ground", names)
        found = {room.MAP: (task, room) for task, room in reversed(rooms.items())}
        if not found:
            known = ", ".join(tasks.parts("on_ground")) or "none"
            raise ValueError(
                f"the model answers {', '.join(names)}, and none of that says anything of the "
                f"ground: take a model that answers {', '.join(tasks.RIG_ROOMS)}, or one of those "
                f"whose answers can be put on the ground: {known}"
            )
        self.task = _task_with(found)
        self._rooms = found
        self._projection = GroundProjection(rig, grid)

    def __call__(self, cameras: Mapping[str, Perception], options: Options) -> Any:
        """Return the map.

        Args:
            cameras: What each camera saw, by its name; cameras that are left out say nothing.
            options: Of each task's decoder.
        """
        maps: dict[str, NDArray[np.float32]] = {}
        thresholds = {}
        for name, (task, room) in self._rooms.items():
            reads = {
                camera: lambda pixels, room=room, answer=seen.answers[task]: room.read(
                    answer, pixels
                )
                for camera, seen in cameras.items()
            }
            maps[name] = self._projection.join(reads)
            thresholds[f"{name}_threshold"] = room.threshold(options[task])
        seen_cells = np.isfinite(np.stack([*maps.values()])).all(axis=0)
        for values in maps.values():
            values[~seen_cells] = np.nan
        kind = tasks.part(self.task, "answer").Answer
        return kind(self._projection.grid, seen_cells, **maps, **thresholds)


def _task_with(maps: Collection[str]) -> str:
    """Return the task for rigs whose answer can hold some maps."""
    for task in tasks.RIG_ROOMS:
        kind = tasks.part(task, "answer").Answer
        if set(maps) <= {field.name for field in fields(kind)}:
            return task
    raise LookupError(f"no answer for a rig has the maps {', '.join(maps)}: see tasks/contract")
