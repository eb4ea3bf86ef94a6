# SPDX-License-Identifier: Apache-2.0
"""Many runs of one sequence: every combination of some values, each in a folder of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final

_COMMA: Final = re.compile(r",(?![^\[]*\])")
"""Between values, not within a list."""
_ODD: Final = re.compile(r"[^A-Za-z0-9._+=-]")
"""What a folder is not named by."""


@dataclass(frozen=True)
class Variant:
    """One run of a sweep.

    Attributes:
        name: Of its folder below the sweep's; empty for the run of a config as it is.
        overrides: Its values.
    """

    name: str
    overrides: tuple[str, ...]

    def folder(self, out: Path) -> Path:
        """Return the folder of the run, where the sweep's is ``out``."""
        return out / self.name if self.name else out


def variants(axes: Sequence[str]) -> list[Variant]:
    """Return every combination of values, the last axis changing fastest.

    Args:
        axes: ``key=value,value``, where a value may be a list in brackets; none for one run.

    Raises:
        ValueError: No such axis, an axis or a value that comes twice, or ``out``.
    """
    choices: dict[str, list[str]] = {}
    for axis in axes:
        key, equals, text = axis.partition("=")
        values = _COMMA.split(text)
        if not (key and equals and all(values)):
            raise ValueError(f"--sweep {axis!r}: expected key=value,value")
        if key == "out":
            raise ValueError("--sweep out: each run has a folder below out; sweep something else")
        if key in choices or len(set(values)) < len(values):
            raise ValueError(f"--sweep {axis!r}: {key} or one of its values comes twice")
        choices[key] = values
    found = []
    for chosen in product(*choices.values()):
        said = tuple(f"{key}={value}" for key, value in zip(choices, chosen, strict=True))
        found.append(Variant(",".join(_ODD.sub("_", one) for one in said), said))
    names = [one.name for one in found]
    if len(set(names)) < len(names):
        raise ValueError("--sweep: two runs would have one folder: their values differ in signs")
    return found
