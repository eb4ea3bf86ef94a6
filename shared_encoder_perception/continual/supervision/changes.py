# SPDX-License-Identifier: Apache-2.0
"""The same pictures otherwise: mirrored, larger, in another light; decided by a seed."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shared_encoder_perception.training.augment import AugmentConfig, other_look

MIRRORED = 0.5
"""Probability of a mirror image."""


@dataclass(frozen=True, eq=False)
class Changed:
    """Pictures, and what was done to them.

    Attributes:
        images: uint8 (N, H, W, 3) BGR.
        window: float32 (N, 3), as ``warping.enlarged`` takes it.
        mirrored: bool (N,), whether that part was then mirrored.
    """

    images: Tensor
    window: Tensor
    mirrored: Tensor


def change(
    images: NDArray[np.uint8], look: AugmentConfig, scale: float, seed: tuple[int, ...]
) -> Changed:
    """Change pictures, each otherwise.

    Args:
        images: (N, H, W, 3) BGR.
        look: How often light, weather, lens and sensor are others; what it says of geometry does
            not count.
        scale: Largest factor of enlargement, 1 or more.
        seed: Decides everything; nobody else's random numbers are used up.
    """
    rng = np.random.default_rng(seed)
    pictures, windows, flips = [], [], []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**31)))
        for image in images:
            part = float(np.exp(-rng.uniform(0, np.log(scale)))) if scale > 1 else 1.0
            left, top = rng.uniform(0, 1, 2) * (1 - part)
            picture = window_of(image, part, left, top)
            flips.append(bool(rng.random() < MIRRORED))
            if flips[-1]:
                picture = np.ascontiguousarray(picture[:, ::-1])
            pictures.append(other_look(picture, look, rng))
            windows.append((part, left, top))
    return Changed(
        torch.from_numpy(np.stack(pictures)),
        torch.tensor(windows, dtype=torch.float32),
        torch.tensor(flips),
    )


def window_of(image: NDArray[np.uint8], part: float, left: float, top: float) -> NDArray[np.uint8]:
    """Return a part of a picture at the picture's size, bilinear.

    Args:
        image: (H, W, 3).
        part: Of each side, 0 to 1.
        left: Share of the picture left of it.
        top: Share of the picture above it.
    """
    if part == 1:
        return image
    height, width = image.shape[:2]
    # Pixel centres are at integers.
    corner = (left * width + part / 2 - 0.5, top * height + part / 2 - 0.5)
    matrix = np.array([[part, 0, corner[0]], [0, part, corner[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen = cv2.warpAffine(
        image, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(seen, np.uint8)
