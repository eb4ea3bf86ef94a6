# SPDX-License-Identifier: Apache-2.0
"""Labelled depth -> what the network is to say of each pixel."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.depth.answer import METRIC, RELATIVE
from shared_encoder_perception.tasks.depth.label import Label
from shared_encoder_perception.tasks.depth.spec import OUTPUT_DEPTH, OUTPUT_SIGMA, Block

NOTHING, METRES, BEYOND, NEARER = range(4)
"""What is known of a pixel: nothing; its canonical depth; that it is farther than the network has
to tell; its inverse depth but for scale and shift."""
SURE: Final = 0.01


def encode(label: Label | None, size: Size, block: Block) -> dict[str, NDArray]:
    """Return the targets of one view.

    Returns:
        ``depth_said`` (H, W) float32: logarithm of the canonical depth, or the inverse depth
        without a scale, 0 where neither is known; ``depth_known`` (H, W) uint8, as above.
    """
    said, known = np.zeros(size, np.float32), np.full(size, NOTHING, np.uint8)
    if label is None:
        return {"depth_said": said, "depth_known": known}
    finite = np.isfinite(label.depth)
    if label.kind == RELATIVE:
        said[finite], known[finite] = 1 / label.depth[finite], NEARER
    elif block.kind == METRIC and not math.isnan(label.focal_px):
        canonical = label.depth * np.float32(block.focal_px / label.focal_px)
        known[finite] = METRES
        known[canonical >= block.max_m] = BEYOND
        near = np.log(np.maximum(canonical, np.float32(block.min_m)), where=finite, out=said)
        said = np.where(known == METRES, near, np.float32(0))
    return {"depth_said": said, "depth_known": known}


def ideal(targets: Mapping[str, NDArray], size: Size, block: Block) -> dict[str, NDArray]:
    """Return the outputs of a network that says just what the targets of one view ask for.

    Where nothing is known it says the farthest.
    """
    stride = block.depth_stride
    grid = (size[1] // stride, size[0] // stride)
    said, known = (
        np.asarray(cv2.resize(targets[name], grid, interpolation=cv2.INTER_NEAREST_EXACT))
        for name in ("depth_said", "depth_known")
    )
    depth = np.where(known == METRES, np.exp(said), np.float32(block.max_m)).astype(np.float32)
    return {OUTPUT_DEPTH: depth, OUTPUT_SIGMA: np.full(depth.shape, SURE, np.float32)}
