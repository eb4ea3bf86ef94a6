# SPDX-License-Identifier: Apache-2.0
"""How two cameras of a rig agree on the ground that both see, over the moments of a drive.

What stands on the ground contradicts, too, but at each moment elsewhere; a wrong pose contradicts
at the same place in all of them. So each two cameras are judged by what most moments say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from shared_encoder_perception.rig.mosaic import GroundView, Overlap, overlaps

FEWEST_MOMENTS: Final = 4
"""From which on moments are judged together; fewer are weak evidence."""
UNRELATED, CONTRAST, ENOUGH = 0.1, 0.15, 50
"""In one moment two views show different places if their correlation is lower, where both have the
contrast (as a share of their brightness) and the cells to tell. Of right rigs it is 0.5 and more.
This finds in the dark, and on even ground, what is few grey levels apart."""
SELDOM_RELATED: Final = 0.25
"""In several moments they do if the upper quartile of their correlations is lower: chosen by 40
rendered worlds, of which one right rig came below it."""
FAINT: Final = 0.05
"""Contrast that a moment needs to count among several: they make up for what one lacks."""
LEVELS: Final = 4.0
"""Standard deviation, grey levels, that it needs in any case: less is noise of a dark picture."""


@dataclass(frozen=True)
class Agreement:
    """How two cameras agree.

    Attributes:
        names: Of the two.
        moments: In each moment in which both have a picture and share enough ground.
        limit: Disagreement from which they contradict each other, grey levels.
    """

    names: tuple[str, str]
    moments: tuple[Overlap, ...]
    limit: float

    @property
    def cells(self) -> int:
        """How many both see; the most of any moment."""
        return max(one.cells for one in self.moments)

    @cached_property
    def disagreement(self) -> float:
        """Mean absolute difference of what they see, grey levels; the median of moments."""
        return float(np.median([one.disagreement for one in self.moments]))

    @cached_property
    def gain(self) -> float:
        """How much brighter the first one's pictures are; the median of moments."""
        return float(np.median([one.gain for one in self.moments]))

    @cached_property
    def telling(self) -> tuple[Overlap, ...]:
        """The moments in which both have the contrast to tell."""
        few = len(self.moments) < FEWEST_MOMENTS
        return tuple(one for one in self.moments if _tells(one, CONTRAST if few else FAINT))

    @cached_property
    def correlation(self) -> float:
        """The upper quartile of moments, those that can tell, if enough can; NaN for none.

        Not the mean: it is enough that a part of the moments shows the same ground.
        """
        of = self.telling if len(self.telling) >= FEWEST_MOMENTS else self.moments
        found = [one.correlation for one in of if not np.isnan(one.correlation)]
        return float(np.percentile(found, 75)) if found else float("nan")

    @cached_property
    def contradicting(self) -> int:
        """In how many moments they contradict each other, each judged alone."""
        return sum(_contradicts(one, self.limit) for one in self.moments)

    @cached_property
    def is_apart(self) -> bool:
        """Whether they show different ground: in all of a few moments, or by most of several."""
        if len(self.moments) < FEWEST_MOMENTS:
            return self.contradicting == len(self.moments)
        can_tell = len(self.telling) >= FEWEST_MOMENTS
        return self.disagreement > self.limit or (can_tell and self.correlation < SELDOM_RELATED)


def agreements(
    moments: Iterable[Sequence[GroundView]], fewest: int, limit: float
) -> list[Agreement]:
    """Return how each two cameras agree, of those that share enough ground.

    Args:
        moments: What the cameras see of the ground in each.
        fewest: Cells that two must share in a moment.
        limit: Of their disagreement, grey levels.
    """
    found: dict[tuple[str, str], list[Overlap]] = {}
    for views in moments:
        for pair in overlaps(views, fewest):
            found.setdefault(pair.names, []).append(pair)
    return [Agreement(names, tuple(pairs), limit) for names, pairs in found.items()]


def unlikeness(pairs: Sequence[Agreement]) -> float:
    """Return by how much views contradict each other, weighted by the cells that they share.

    In several moments 1 less their correlation, of those that can tell; NaN where none can. In a
    few, grey levels.
    """
    if any(len(pair.moments) >= FEWEST_MOMENTS for pair in pairs):
        told = [pair for pair in pairs if len(pair.telling) >= FEWEST_MOMENTS]
        values = [1.0 - pair.correlation for pair in told]
    else:
        told = list(pairs)
        values = [pair.disagreement for pair in told]
    return float(np.average(values, weights=[pair.cells for pair in told])) if told else np.nan


def _contradicts(one: Overlap, limit: float) -> bool:
    """Whether two cameras contradict each other in a single moment."""
    can_tell = _tells(one, CONTRAST) and one.cells >= ENOUGH
    return one.disagreement > limit or (can_tell and one.correlation < UNRELATED)


def _tells(one: Overlap, contrast: float) -> bool:
    """Whether both views have enough contrast, relative and in grey levels."""
    return one.contrast > contrast and one.levels > LEVELS
