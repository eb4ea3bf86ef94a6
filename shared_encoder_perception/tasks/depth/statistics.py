# SPDX-License-Identifier: Apache-2.0
"""How many depth maps a data set has, and how far its pixels are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.labels import Panel
from shared_encoder_perception.tasks.depth.answer import METRIC
from shared_encoder_perception.tasks.depth.label import Label

NOTE: Final = ""
EDGES_M: Final = np.geomspace(1, 200, 41)


@dataclass
class Counts:
    """Counts of one source.

    Attributes:
        maps: Pictures with metres.
        relative: Pictures with depth without a scale.
        unknown: Pictures without either.
        pixels: (42,) pixels below, between and above ``EDGES_M``.
    """

    maps: int = 0
    relative: int = 0
    unknown: int = 0
    pixels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(EDGES_M) + 1, np.int64))

    def add(self, read: Callable[[], Label] | None, size: Size, *, files: bool) -> None:
        """Count one picture; without its file it is taken for one in metres."""
        if read is None:
            self.unknown += 1
        elif not files:
            self.maps += 1
        else:
            label = read()
            self.maps += label.kind == METRIC
            self.relative += label.kind != METRIC
            if label.kind == METRIC:
                known = label.depth[np.isfinite(label.depth)]
                places = np.searchsorted(EDGES_M, known)
                self.pixels += np.bincount(places, minlength=len(EDGES_M) + 1)

    def columns(self) -> Sequence[tuple[str, str]]:
        """Return the number of depth maps."""
        return [("depth maps", str(self.maps + self.relative))]

    def bars(self) -> Mapping[str, tuple[int, int, int]]:
        """Return how often there is depth."""
        return {"depth": (self.maps, 0, self.unknown + self.relative)}


def panels(by_source: Mapping[str, Counts]) -> Sequence[Panel]:
    """Return how far pixels are."""
    return [Panel("depth of the pixels", partial(_draw, by_source))]


def _draw(by_source: Mapping[str, Counts], axis: Any) -> None:
    """Draw a line for each source that has metres."""
    shown = {source: c.pixels for source, c in by_source.items() if c.pixels.any()}
    middles = np.sqrt(EDGES_M[1:] * EDGES_M[:-1])
    for source, pixels in shown.items():
        axis.plot(middles, pixels[1:-1] / pixels.sum(), label=source)
    axis.set(xlabel="m", ylabel="of the pixels", xscale="log")
    if shown:
        axis.legend(fontsize=8)
