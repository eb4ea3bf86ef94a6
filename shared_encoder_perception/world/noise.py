# SPDX-License-Identifier: Apache-2.0
"""Noise that is made once and looked up: octaves for surfaces, grain for sensors."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

TILE: Final = 512
TILES: Final = 6
GRAIN: Final = (480, 1280)


def noise_tile(seed: int) -> NDArray[np.float32]:
    """(512, 512) float32 noise of several octaves, mean 0, about [-1, 1], tileable."""
    return _tile(seed % TILES)


@lru_cache(maxsize=TILES)
def _tile(variant: int) -> NDArray[np.float32]:
    """One of a few tiles: making them takes longer than a picture."""
    rng = np.random.default_rng(variant)
    total = np.zeros((TILE, TILE), np.float32)
    for octave in range(2, 9):
        cells = 2**octave
        coarse = np.pad(rng.standard_normal((cells, cells)).astype(np.float32), 1, mode="wrap")
        scale = TILE // cells
        fine = cv2.resize(coarse, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
        total += fine[scale : scale + TILE, scale : scale + TILE] * np.float32(0.75**octave)
    return total / total.std() / 2.5


def noise_at(
    seed: int,
    across: NDArray[np.float32],
    along: NDArray[np.float32],
    cells_per_m: float,
    stretch: float,
) -> NDArray[np.float32]:
    """Look noise up at places on the ground; ``stretch`` > 1 draws it out along the road."""
    return cv2.remap(
        noise_tile(seed),
        across * np.float32(cells_per_m),
        along * np.float32(cells_per_m / stretch),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_WRAP,
    )


@lru_cache(maxsize=1)
def _grain() -> NDArray[np.float32]:
    """Sensor noise, standard deviation 1; neighbours share some, as after demosaicing."""
    rng = np.random.default_rng(5)
    grey = rng.standard_normal((*GRAIN, 1)).astype(np.float32)
    colour = rng.standard_normal((*GRAIN, 3)).astype(np.float32)
    mixed = cv2.GaussianBlur(0.7 * grey + 0.9 * colour, (3, 3), 0.6)
    return mixed / mixed.std()


def grain(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float32]:
    """(H, W, 3) of noise, from a random place of the stock."""
    stock = _grain()
    reps = [-(-side // (have - 64)) for side, have in zip(shape, GRAIN, strict=True)]
    # A picture larger than the stock is cut from copies of it side by side, which nobody makes.
    copies = [have * (rep + 1) for have, rep in zip(GRAIN, reps, strict=True)]
    whole = GRAIN if max(reps) == 1 else copies
    y, x = (int(rng.integers(0, have - side)) for side, have in zip(shape, whole, strict=True))
    if max(reps) == 1:
        return stock[y : y + shape[0], x : x + shape[1]]
    rows, columns = (
        (start + np.arange(side)) % have
        for start, side, have in zip((y, x), shape, GRAIN, strict=True)
    )
    return stock[rows[:, None], columns]
