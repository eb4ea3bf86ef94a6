# SPDX-License-Identifier: Apache-2.0
"""What one node parameter is: the type of the rows of ``PARAMETERS``, in rooms and in the node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

Value = bool | int | float | str | tuple[int, ...] | tuple[float, ...] | tuple[str, ...]
"""What a parameter may hold; a tuple stands for ROS's array of its items' type."""

MODEL_OWN: Final = -1.0
"""Value of a threshold that stands for what the model was shipped with."""


@dataclass(frozen=True)
class Parameter:
    """One node parameter. Its ROS type is that of ``default``.

    Attributes:
        name: Dotted name.
        default: Value unless the user sets one.
        description: One sentence for people.
        bounds: Lowest and highest number allowed.
        special: A number outside ``bounds`` that is allowed too, with its meaning.
        choices: Texts allowed; empty allows any.
        rule: What else is allowed, in words, and how to tell.
        read_only: Whether it is fixed once the node runs.
    """

    name: str
    default: Value
    description: str
    bounds: tuple[float, float] | None = None
    special: tuple[float, str] | None = None
    choices: tuple[str, ...] = ()
    rule: tuple[str, Callable[[Any], bool]] | None = None
    read_only: bool = True

    @property
    def expected(self) -> str:
        """What values are allowed, in words; empty when any value of the type is."""
        if self.choices:
            return ", ".join(self.choices)
        if self.rule:
            return self.rule[0]
        if self.bounds is None:
            return ""
        words = f"{self.bounds[0]:g} to {self.bounds[1]:g}"
        return words + (f", or {self.special[0]:g} = {self.special[1]}" if self.special else "")

    def allows(self, value: Any) -> bool:
        """Whether ``value``, of the right type, may be set."""
        if self.choices:
            return value in self.choices
        if self.rule:
            return self.rule[1](value)
        if self.bounds is None or (self.special and value == self.special[0]):
            return True
        return bool(self.bounds[0] <= value <= self.bounds[1])

    def problem(self, value: Any) -> str:
        """Say why ``value`` is refused; empty when it is allowed."""
        if self.allows(value):
            return ""
        shown = list(value) if isinstance(self.default, tuple) else value
        return f"{self.name} is {shown!r}, expected {self.expected}"


def threshold(name: str, description: str) -> Parameter:
    """Return the parameter of a threshold from 0 to 1, by default the model's own."""
    special = (MODEL_OWN, "the model's own")
    return Parameter(name, MODEL_OWN, description, (0.0, 1.0), special, read_only=False)


def live(name: str, default: float, bounds: tuple[float, float], description: str) -> Parameter:
    """Return the parameter of a number that may change while the node runs."""
    return Parameter(name, default, description, bounds, read_only=False)
