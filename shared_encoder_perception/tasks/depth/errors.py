# SPDX-License-Identifier: Apache-2.0
"""How wrong depths are: sums over pixels, numbers of an image.

As Eigen et al. (2014) and KITTI have them: of an image, the mean over its labelled pixels of
``|p - y| / y`` (AbsRel), of ``(p - y)^2 / y`` (SqRel), the root of that of ``(p - y)^2`` (RMSE) and
of ``(ln p - ln y)^2`` (RMSE log), the share of pixels with ``max(p / y, y / p)`` below 1.25, 1.25^2
and 1.25^3 (delta 1 to 3); SILog is ``100 sqrt(mean d^2 - mean(d)^2)``, ``d = ln p - ln y``.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

NAMES: Final = (
    "absrel",
    "sqrel",
    "rmse",
    "rmse_log",
    "silog",
    "delta1",
    "delta2",
    "delta3",
)
"""Numbers of an image, metres for ``sqrel`` and ``rmse``, percent for ``silog``."""
STEP: Final = 1.25


def of_image(said: NDArray[np.float32], truth: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return (8,) of ``NAMES``.

    Args:
        said: (N,) depths, above 0.
        truth: (N,) likewise; at least one.
    """
    off = said.astype(np.float64) - truth
    logs = np.log(said.astype(np.float64) / truth)
    share = np.abs(off) / truth
    steps = np.abs(logs)
    numbers = [
        share.mean(),
        (off * off / truth).mean(),
        math.sqrt((off * off).mean()),
        math.sqrt((logs * logs).mean()),
        100.0 * math.sqrt(max((logs * logs).mean() - logs.mean() ** 2, 0.0)),
        *((steps < power * math.log(STEP)).mean() for power in (1, 2, 3)),
    ]
    return np.array(numbers, np.float64)


def scaled(said: NDArray[np.float32], truth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring the median of what is said to that of the truth: then only the shape counts."""
    return np.asarray(said * np.float32(np.median(truth) / np.median(said)), np.float32)


def aligned(said: NDArray[np.float32], truth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring inverse depth to the truth's by the best scale and shift (least squares)."""
    inverse = 1 / said.astype(np.float64)
    design = np.stack((inverse, np.ones_like(inverse)), axis=1)
    (scale, shift), *_ = np.linalg.lstsq(design, 1 / truth.astype(np.float64), rcond=None)
    return np.asarray(1 / np.maximum(scale * inverse + shift, 1e-6), np.float32)
