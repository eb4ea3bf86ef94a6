# SPDX-License-Identifier: Apache-2.0
"""Which tasks a driven path teaches anything, and what it tells them.

Each task's room is asked what it makes of a set that labels where one may drive, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks
from shared_encoder_perception.labels.said import Said
from shared_encoder_perception.tasks.contract.labels import Read
from shared_encoder_perception.tasks.masks.values import NOT_KNOWN


def labels_of(plane: NDArray[np.uint8], names: Iterable[str]) -> dict[str, Read]:
    """Return what reads the label of each task that a path teaches, by its name.

    Args:
        plane: (H, W) uint8: 255 where one may drive, 0 where not, 127 where nobody knows.
        names: Of the tasks that are asked.
    """
    height, width = plane.shape
    said = Said((height, width), drivable=lambda: plane)
    found = {}
    for task, room in _rooms(names).items():
        read, _ = room.of_set(said)
        if read is not None:
            found[task] = read
    return found


def taught(names: Iterable[str]) -> tuple[str, ...]:
    """Return those of some tasks that a driven path teaches."""
    return tuple(labels_of(np.full((2, 2), NOT_KNOWN, np.uint8), names))


def _rooms(names: Iterable[str]) -> dict[str, Any]:
    """Return the rooms that take what sets say, and whose answers tell of the ground."""
    known = tasks.parts("on_ground", names)
    rooms = tasks.parts("labels", known)
    return {task: room for task, room in rooms.items() if hasattr(room, "of_set")}
