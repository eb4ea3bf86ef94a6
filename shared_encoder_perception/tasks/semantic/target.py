# SPDX-License-Identifier: Apache-2.0
"""Labelled classes -> what the network is to say of each pixel, and how much it counts."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.semantic.classes import UNLABELLED
from shared_encoder_perception.tasks.semantic.label import Label, in_table
from shared_encoder_perception.tasks.semantic.spec import OUTPUT_CONFIDENCE, OUTPUT_IDS, Block


def encode(label: Label | None, size: Size, block: Block) -> dict[str, NDArray]:
    """Return the targets of one view.

    Returns:
        ``ids`` (H, W) uint8 of the model's table, 255 for what is not labelled or what the model
        has no class for; ``class_weight`` (H, W) uint8, how much a pixel counts: 0 to 255.
    """
    if label is None:
        nothing = np.full(size, UNLABELLED, np.uint8)
        return {"ids": nothing, "class_weight": np.zeros(size, np.uint8)}
    ids = in_table(label, block.classes)
    weight = np.where(ids == UNLABELLED, 0, 255).astype(np.uint8)
    if label.confidence is not None:
        weight = np.minimum(weight, label.confidence)
    return {"ids": ids, "class_weight": weight}


def class_pixels(targets: Mapping[str, NDArray]) -> dict[int, int]:
    """Return how many labelled pixels of a view each class has that it shows."""
    ids = targets["ids"][targets["class_weight"] > 0]
    numbers, counts = np.unique(ids, return_counts=True)
    return dict(zip(numbers.tolist(), counts.tolist(), strict=True))


def ideal(targets: Mapping[str, NDArray], size: Size, block: Block) -> dict[str, NDArray]:
    """Return the outputs of a network that says just what the targets of one view ask for.

    Where nothing is labelled it says the first class, unsure.
    """
    stride = block.semantic_stride
    grid = (size[1] // stride, size[0] // stride)
    ids, weight = (
        np.asarray(cv2.resize(targets[name], grid, interpolation=cv2.INTER_NEAREST_EXACT))
        for name in ("ids", "class_weight")
    )
    known = ids != UNLABELLED
    return {
        OUTPUT_IDS: np.where(known, ids, np.uint8(0)),
        OUTPUT_CONFIDENCE: np.where(known & (weight > 0), np.uint8(255), np.uint8(0)),
    }
