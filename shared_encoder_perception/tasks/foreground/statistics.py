# SPDX-License-Identifier: Apache-2.0
"""How many pairs a data set has, in how many of them nothing is new, and how much is in others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.labels import Panel
from shared_encoder_perception.tasks.masks.statistics import MaskCounts, share_panel
from shared_encoder_perception.tasks.masks.values import YES

NOTE: Final = ""


@dataclass
class Counts(MaskCounts):
    """Counts of one source; see ``MaskCounts``.

    Attributes:
        empty: Pairs in which nothing is new, of those whose files were read.
    """

    COLUMN: ClassVar[str] = "pairs"
    BAR: ClassVar[str] = "foreground"
    MOST: ClassVar[float] = 0.5
    empty: int = 0

    def add(self, read: Callable[[], Any] | None, size: Size, *, files: bool) -> None:
        """Count one picture; a background alone makes no pair."""
        alone = getattr(read, "nothing_known", False)
        super().add(None if alone else read, size, files=files)

    def count(self, mask: NDArray[np.uint8]) -> None:
        """Count the pixels of a mask (H, W); one without any has no share to be drawn."""
        if (mask == YES).any():
            super().count(mask)
        else:
            self.empty += 1

    def columns(self) -> Sequence[tuple[str, str]]:
        """Return the number of pairs, and of the empty ones; ``-`` where no file was read."""
        looked = self.empty or self.shares.any() or not self.masks
        return [*super().columns(), ("empty", str(self.empty) if looked else "-")]


def panels(by_source: Mapping[str, Counts]) -> Sequence[Panel]:
    """Return how much of the pictures is new, where anything is."""
    return [share_panel("new share of a picture", by_source)]
