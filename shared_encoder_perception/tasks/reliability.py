# SPDX-License-Identifier: Apache-2.0
"""Does stated confidence come true? Expected calibration error (Naeini et al., AAAI 2015).

Of everything said with 80 % confidence, 80 % should be right. What a statement is, and when it is
right, each task says itself; here is the arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

BINS: Final = 15
"""Of equal width; Guo et al. (ICML 2017) use as many."""


class Bin(NamedTuple):
    """Statements of about the same confidence.

    Attributes:
        statements: How many.
        stated: Their mean confidence, 0 to 1.
        right: Share of them that was right, 0 to 1.
    """

    statements: int
    stated: float
    right: float


@dataclass(frozen=True)
class Reliability:
    """How far stated confidence is from what came true.

    Attributes:
        ece: Expected calibration error, mean of ``|stated - right|`` over all statements; NaN
            without any.
        count: Statements.
        bins: In rising order of confidence, empty ones left out.
    """

    ece: float
    count: int
    bins: tuple[Bin, ...]


def bin_of(confidence: NDArray | float) -> NDArray[np.int64]:
    """Return in which of the ``BINS`` a confidence from 0 to 1 is."""
    return np.minimum((np.asarray(confidence) * BINS).astype(np.int64), BINS - 1)


def reliability_of(count: NDArray, stated: NDArray, right: NDArray) -> Reliability:
    """Compare stated confidence with what came true.

    Args:
        count: (BINS,) statements.
        stated: (BINS,) sum of their confidence.
        right: (BINS,) how many of them were right.
    """
    total = float(count.sum())
    return Reliability(
        ece=float(np.abs(stated - right).sum() / total) if total else float("nan"),
        count=int(total),
        bins=tuple(
            Bin(int(n), float(said / n), float(true / n))
            for n, said, true in zip(count, stated, right, strict=True)
            if n
        ),
    )
