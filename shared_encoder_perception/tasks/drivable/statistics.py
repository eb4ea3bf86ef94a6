"""How many masks a data set has, and how much of its pictures is drivable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.labels import Panel
from shared_encoder_perception.tasks.drivable.labels import Label
from shared_encoder_perception.tasks.masks.values import NOT_KNOWN, YES

NOTE: Final = ""
BINS: Final = 20


@dataclass
class Counts:
    """Counts of one source.

    Attributes:
        masks: Pictures with a mask.
        unknown: Pictures without one.
        drivable: Drivable share of the labelled pixels of each mask, in 20 bins from 0 to 1.
    """

    masks: int = 0
    unknown: int = 0
    drivable: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))

    def add(self, read: Callable[[], Label] | None, size: Size, *, files: bool) -> None:
        """Count one picture."""
        self.masks += read is not None
        self.unknown += read is None
        if read is not None and files:
            mask = read().mask
            labelled = int((mask != NOT_KNOWN).sum())
            share = int((mask == YES).sum()) / max(labelled, 1)
            self.drivable[min(int(share * BINS), BINS - 1)] += 1

    def columns(self) -> Sequence[tuple[str, str]]:
        """Return the number of masks."""
        return [("masks", str(self.masks))]

    def bars(self) -> Mapping[str, tuple[int, int, int]]:
        """Return how often there is a mask."""
        return {"mask": (self.masks, 0, self.unknown)}


def panels(by_source: Mapping[str, Counts]) -> Sequence[Panel]:
    """Return how much of the pictures is drivable."""
    return [Panel("drivable share of a picture", partial(_draw_shares, by_source))]


def _draw_shares(by_source: Mapping[str, Counts], axis: Any) -> None:
    """Draw a line for each source that has masks."""
    shown = {source: c.drivable for source, c in by_source.items() if c.drivable.any()}
    middles = (np.arange(BINS) + 0.5) / BINS
    for source, shares in shown.items():
        axis.plot(middles, shares / shares.sum(), label=source)
    axis.set(xlabel="share", ylabel="of the masks")
    if shown:
        axis.legend(fontsize=8)
