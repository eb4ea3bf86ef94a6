# SPDX-License-Identifier: Apache-2.0
"""Numbers over seeds: their mean, and how far it may be off; by Student's t.

What is drawn by chance is the seed; the tests are the same for all. So the interval tells what
other seeds would give, not what other places would.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

CONFIDENCE: Final = 0.95
_GREATEST_T: Final = 1e6


@dataclass(frozen=True)
class Interval:
    """A mean over seeds.

    Attributes:
        mean: NaN without any number.
        half: The mean of all seeds lies within ``mean - half`` to ``mean + half`` with the
            confidence asked for; NaN of fewer than two numbers, which tell nothing of that.
        count: Numbers that it is the mean of.
    """

    mean: float
    half: float
    count: int

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 lies outside; ``False`` where that is not known."""
        return abs(self.mean) > self.half


def interval(values: Iterable[float], confidence: float = CONFIDENCE) -> Interval:
    """Return mean and interval of those values that are numbers, of as many seeds.

    Raises:
        ValueError: A confidence that is not between 0 and 1.
    """
    found = [value for value in values if not math.isnan(value)]
    count = len(found)
    mean = math.fsum(found) / count if count else math.nan
    if count < 2:
        return Interval(mean, math.nan, count)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in found) / (count - 1))
    return Interval(mean, student_t(count - 1, confidence) * deviation / math.sqrt(count), count)


def paired(
    values: Mapping[int, float], others: Mapping[int, float], confidence: float = CONFIDENCE
) -> Interval:
    """Return the difference ``values - others`` over the seeds that both have.

    What a seed does to both, such as an easy start, is not held against the difference.

    Args:
        values: By seed.
        others: By seed.
        confidence: Of the interval.
    """
    both = sorted(set(values) & set(others))
    return interval((values[seed] - others[seed] for seed in both), confidence)


def student_t(freedom: int, confidence: float = CONFIDENCE) -> float:
    """Return t so that Student's distribution has ``confidence`` between -t and t.

    Args:
        freedom: Degrees of freedom, 1 or more.
        confidence: Above 0, below 1.

    Raises:
        ValueError: Out of these ranges.
    """
    if freedom < 1 or not 0 < confidence < 1:
        raise ValueError(
            f"{freedom} degrees of freedom and confidence {confidence}, expected 1 or more, and "
            "between 0 and 1"
        )
    low, high = 0.0, _GREATEST_T
    while low < (middle := (low + high) / 2) < high:
        if _within(middle, freedom) < confidence:
            low = middle
        else:
            high = middle
    return middle


def _within(t: float, freedom: int) -> float:
    """Return the probability between -t and t (Abramowitz and Stegun, 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(freedom))
    sine, square = math.sin(angle), math.cos(angle) ** 2
    odd = freedom % 2
    term = total = 0.0 if freedom == 1 else math.cos(angle) if odd else 1.0
    for step in range(2 + odd, freedom - 1, 2):
        term *= square * (step - 1) / step
        total += term
    return 2 / math.pi * (angle + sine * total) if odd else sine * total
