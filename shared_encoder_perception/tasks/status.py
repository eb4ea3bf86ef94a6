# SPDX-License-Identifier: Apache-2.0
"""How one part of the node is doing, in the words of ``diagnostic_msgs``, without ROS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum


class Level(IntEnum):
    """Values equal the constants of ``diagnostic_msgs/DiagnosticStatus``."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


@dataclass(frozen=True)
class Status:
    """What ``/diagnostics`` says about one part of the node.

    Attributes:
        level: How bad it is.
        message: One line for people: what is wrong and what to do, or what runs.
        values: Numbers and names by key, in the order in which they are shown.
    """

    level: Level
    message: str
    values: Mapping[str, str] = field(default_factory=dict)

    def with_more(self, other: Status) -> Status:
        """Return what both say of the same part: the worse level, what is new first."""
        message = "; ".join(text for text in (other.message, self.message) if text)
        return Status(max(self.level, other.level), message, {**self.values, **other.values})
