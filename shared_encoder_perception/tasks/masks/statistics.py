# SPDX-License-Identifier: Apache-2.0
"""How many masks a data set has, and how much of its pictures they take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.labels import Panel
from shared_encoder_perception.tasks.masks.values import NOT_KNOWN, YES

BINS: Final = 20


@dataclass
class MaskCounts:
    """Counts of one source; each task says what it calls them.

    Attributes:
        COLUMN: Above the number of masks.
        BAR: Beside how often there is one.
        MOST: Share of a picture at which the last bin ends; more counts there, too.
        masks: Pictures with a mask.
        unknown: Pictures without one.
        shares: Share of the labelled pixels that is ``YES`` of each mask, in 20 bins from 0 on.
    """

    COLUMN: ClassVar[str] = "masks"
    BAR: ClassVar[str] = "mask"
    MOST: ClassVar[float] = 1.0
    masks: int = 0
    unknown: int = 0
    shares: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))

    def add(self, read: Callable[[], Any] | None, size: Size, *, files: bool) -> None:
        """Count one picture."""
        self.masks += read is not None
        self.unknown += read is None
        if read is not None and files:
            self.count(read().mask)

    def count(self, mask: NDArray[np.uint8]) -> None:
        """Count the pixels of a mask (H, W)."""
        labelled = int((mask != NOT_KNOWN).sum())
        share = int((mask == YES).sum()) / max(labelled, 1)
        self.shares[min(int(share / self.MOST * BINS), BINS - 1)] += 1

    def columns(self) -> Sequence[tuple[str, str]]:
        """Return the number of masks."""
        return [(self.COLUMN, str(self.masks))]

    def bars(self) -> Mapping[str, tuple[int, int, int]]:
        """Return how often there is a mask."""
        return {self.BAR: (self.masks, 0, self.unknown)}


def share_panel(title: str, by_source: Mapping[str, MaskCounts]) -> Panel:
    """Return how much of the pictures the masks take."""
    return Panel(title, partial(_draw_shares, by_source))


def _draw_shares(by_source: Mapping[str, MaskCounts], axis: Any) -> None:
    """Draw a line for each source that has masks."""
    shown = {source: counts for source, counts in by_source.items() if counts.shares.any()}
    for source, counts in shown.items():
        middles = (np.arange(BINS) + 0.5) / BINS * counts.MOST
        axis.plot(middles, counts.shares / counts.shares.sum(), label=source)
    axis.set(xlabel="share", ylabel="of the masks")
    if shown:
        axis.legend(fontsize=8)
