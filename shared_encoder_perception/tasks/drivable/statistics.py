# SPDX-License-Identifier: Apache-2.0
"""How many masks a data set has, and how much of its pictures is drivable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from shared_encoder_perception.tasks.contract.labels import Panel
from shared_encoder_perception.tasks.masks.statistics import MaskCounts, share_panel

__all__ = ["NOTE", "Counts", "panels"]

NOTE: Final = ""
Counts = MaskCounts


def panels(by_source: Mapping[str, Counts]) -> Sequence[Panel]:
    """Return how much of the pictures is drivable."""
    return [share_panel("drivable share of a picture", by_source)]
