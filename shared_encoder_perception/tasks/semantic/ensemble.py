# SPDX-License-Identifier: Apache-2.0
"""Classes of mirrored and resized pictures, made one: a vote in which confidence is the weight.

The graph says of each cell one class and its probability, so the mean of all classes' probabilities
is not to be had. A class gets the sum of the probabilities with which it won, over the looks that
show the cell; the largest sum wins, of equal ones the lowest id. Divided by the number of those
looks, the sum is what that mean is at least: in the looks that said another class, the winner's own
probability is not known and counts as none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.looks import Look
from shared_encoder_perception.tasks.semantic.spec import OUTPUT_CONFIDENCE, OUTPUT_IDS, Block

NAMES: Final = (OUTPUT_IDS, OUTPUT_CONFIDENCE)
_IDS: Final = 256


def merge(
    looks: Sequence[Look], outputs: Sequence[Mapping[str, NDArray]], block: Block
) -> dict[str, NDArray]:
    """Return ``semantic`` and ``semantic_confidence``; each look is read in its nearest cell."""
    stride = block.semantic_stride
    seen = np.stack([look.seen(stride) for look in looks])
    ids, confidence = (_read(looks, [output[name] for output in outputs], stride) for name in NAMES)
    confidence *= seen
    votes = sum(np.where(ids == one, much, 0) for one, much in zip(ids, confidence, strict=True))
    rank = np.where(seen, votes * _IDS + (_IDS - 1 - ids), -1)
    best = rank.max(axis=0)
    sums, counts = best // _IDS, seen.sum(axis=0)
    return {
        OUTPUT_IDS: (_IDS - 1 - best % _IDS).astype(np.uint8),
        OUTPUT_CONFIDENCE: ((2 * sums + counts) // (2 * counts)).astype(np.uint8),
    }


def _read(looks: Sequence[Look], grids: Sequence[NDArray], stride: int) -> NDArray[np.int32]:
    """Return (looks, rows, columns): what each look says of the cells of the plain grid."""
    values = [look.nearest(grid, stride) for look, grid in zip(looks, grids, strict=True)]
    return np.stack(values).astype(np.int32)
