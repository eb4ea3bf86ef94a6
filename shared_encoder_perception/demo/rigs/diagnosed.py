# SPDX-License-Identifier: Apache-2.0
"""What the diagnostics of a rig's node say, task by task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from shared_encoder_perception.node.rig.camera_counts import OUTCOMES

RIG, PROCESSING = "rig", "processing"
"""Tasks of the node's diagnostics."""
WAITING: Final = "waiting"
ERROR: Final = 2
"""``diagnostic_msgs/DiagnosticStatus.ERROR``."""


class Told(NamedTuple):
    """One status.

    Attributes:
        level: 0 to 3, as in ``diagnostic_msgs/DiagnosticStatus``.
        message: For people.
        values: Keys and values.
    """

    level: int
    message: str
    values: Mapping[str, str]


NOTHING: Final = Told(0, "", {})


def told_by(message: Any) -> dict[str, Told]:
    """Return the statuses of a DiagnosticArray, of rclpy or rosbags, by their tasks."""
    found = {}
    for status in message.status:
        level = status.level[0] if isinstance(status.level, bytes) else int(status.level)
        values = {value.key: value.value for value in status.values}
        found[status.name.rpartition(": ")[2]] = Told(level, status.message, values)
    return found


def camera_of(said: Mapping[str, Told], name: str) -> Told:
    """Return what is said of a camera."""
    return said.get(f"camera {name}", NOTHING)


def ends_of(said: Mapping[str, Told], name: str) -> dict[str, int]:
    """Return what became of the images of a camera: how many, by ``OUTCOMES`` and ``WAITING``."""
    values = camera_of(said, name).values
    return {end: int(values.get(end, 0)) for end in (*OUTCOMES, WAITING)}


def maps_of(said: Mapping[str, Told]) -> tuple[int, int]:
    """Return how many maps were made, and how many of these lack a camera."""
    values = said.get(RIG, NOTHING).values
    return int(values.get("maps", 0)), int(values.get("partial", 0))


def is_calibrated(said: Mapping[str, Told]) -> bool:
    """Whether there is a table, without which no image is used.

    Raises:
        RuntimeError: There will be none; says why.
    """
    status = said.get(RIG, NOTHING)
    if status.level == ERROR:
        raise RuntimeError(f"the node has no use for the rig: {status.message}")
    return int(status.values.get("tables", 0)) > 0


def medians_ms(said: Mapping[str, Told]) -> dict[str, float]:
    """Return the median of each stage of the last maps, ms; nothing where none is told."""
    suffix = "_p50_ms"
    values = said.get(PROCESSING, NOTHING).values
    return {
        key.removesuffix(suffix): float(value)
        for key, value in values.items()
        if key.endswith(suffix)
    }
