# SPDX-License-Identifier: Apache-2.0
"""What of all tasks may be there or not in an image, and in how many it was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shared_encoder_perception import tasks
from shared_encoder_perception.structures import Perception


def detectable(names: Iterable[str]) -> list[str]:
    """Return the names of what the tasks may find."""
    rooms = tasks.parts("record", names).values()
    return [name for room in rooms for name in room.DETECTABLE]


def detected(perception: Perception) -> list[str]:
    """Return the names of what was found in an image."""
    rooms = tasks.parts("record", perception.answers)
    return [
        name for task, room in rooms.items() for name in room.detected(perception.answers[task])
    ]


def share_lines(shares: Mapping[str, float]) -> list[str]:
    """Return a line of text for each task: the share of the images by the name of what is found."""
    lines = []
    for task, room in tasks.parts("record").items():
        own = [f"{name} {shares[name]:.0%}" for name in room.DETECTABLE if name in shares]
        lines += [f"{task:<9} {', '.join(own)}"] if own else []
    return lines
