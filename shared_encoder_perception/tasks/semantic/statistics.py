# SPDX-License-Identifier: Apache-2.0
"""How many class maps a data set has, and how much of its pictures each class covers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import numpy as np

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.labels import Panel
from shared_encoder_perception.tasks.semantic.label import Label

NOTE: Final = ""


@dataclass
class Counts:
    """Counts of one source.

    Attributes:
        maps: Pictures with a class map.
        unknown: Pictures without one.
        pixels: By the name of the class.
    """

    maps: int = 0
    unknown: int = 0
    pixels: dict[str, int] = field(default_factory=dict)

    def add(self, read: Callable[[], Label] | None, size: Size, *, files: bool) -> None:
        """Count one picture."""
        self.maps += read is not None
        self.unknown += read is None
        if read is not None and files:
            label = read()
            counts = np.bincount(label.ids.ravel(), minlength=256)
            for one in label.classes:
                self.pixels[one.name] = self.pixels.get(one.name, 0) + int(counts[one.id])

    def columns(self) -> Sequence[tuple[str, str]]:
        """Return the number of class maps."""
        return [("class maps", str(self.maps))]

    def bars(self) -> Mapping[str, tuple[int, int, int]]:
        """Return how often there is a class map."""
        return {"class map": (self.maps, 0, self.unknown)}


def panels(by_source: Mapping[str, Counts]) -> Sequence[Panel]:
    """Return how much of the labelled pixels each class has."""
    return [Panel("classes, share of the labelled pixels", partial(_draw_shares, by_source))]


def _draw_shares(by_source: Mapping[str, Counts], axis: Any) -> None:
    """Draw a group of bars for each source that has class maps."""
    shown = {source: c.pixels for source, c in by_source.items() if any(c.pixels.values())}
    names = list(dict.fromkeys(name for pixels in shown.values() for name in pixels))
    places = np.arange(len(names))
    for index, (source, pixels) in enumerate(shown.items()):
        total = sum(pixels.values())
        shares = [pixels.get(name, 0) / total for name in names]
        height = 0.8 / len(shown)
        axis.barh(places + index * height, shares, height, label=source)
    if shown:
        axis.set_xscale("symlog", linthresh=1e-3)
        axis.set_yticks(places + 0.4, names, fontsize=7)
        axis.legend(fontsize=8)
