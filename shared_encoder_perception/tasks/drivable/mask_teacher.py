# SPDX-License-Identifier: Apache-2.0
"""The drivable surface that any other network painted, as a label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.tasks.contract.labels import Option
from shared_encoder_perception.tasks.drivable.labels import Label
from shared_encoder_perception.tasks.drivable.teacher import Doubt, mask_confidence, sure_mask
from shared_encoder_perception.tasks.masks.values import NO, NOT_KNOWN, YES

MASK: Final = "drivable"
HELP: Final = "drivable surface"
MARKINGS: Final = "markings"
ALSO: Final = (MARKINGS,)
BORDER: Final = 0.015
"""Of the image's width: how far from the drivable area a teacher's negatives are ignored."""


@dataclass(frozen=True)
class Config:
    """How masks are read.

    Attributes:
        border_px: How far from the drivable area, in pixels of the image, what is not drivable is
            ignored; 0 for not at all, ``None`` for a share of the width (``BORDER``).
    """

    border_px: float | None = None

    def __post_init__(self) -> None:
        """Refuse a border that is none."""
        if self.border_px is not None and not self.border_px >= 0:
            raise ValueError(f"the border is {self.border_px} pixels, expected 0 or more")


OPTIONS: Final = (
    Option(
        "--border",
        "border_px",
        "PIXELS",
        "pixels around the drivable masks in which not drivable is ignored (1.5 %% of width)",
    ),
)


def of_masks(
    masks: Mapping[str, NDArray[np.uint8]], doubt: Doubt, config: Config, had: Label | None
) -> tuple[Label, None]:
    """Believe the teacher where it is sure, and its negatives only away from the border."""
    probability = masks[MASK]
    if MARKINGS in masks:  # many teachers cut paint out of the surface
        probability = np.maximum(probability, masks[MARKINGS])
    width = probability.shape[1]
    border_px = BORDER * width if config.border_px is None else config.border_px
    mask = without_border(sure_mask(probability, doubt), border_px)
    return Label(mask, mask_confidence(probability)), None


def without_border(mask: NDArray[np.uint8], border_px: float) -> NDArray[np.uint8]:
    """Ignore what is not drivable near the drivable area.

    Args:
        mask: (H, W) uint8 of 255 / 0 / 127.
        border_px: How near, in pixels; 0 changes nothing.
    """
    drivable = mask == YES
    if border_px <= 0 or not drivable.any():
        return mask
    away = cv2.distanceTransform((~drivable).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    near = (mask == NO) & (away <= border_px)
    return np.where(near, np.uint8(NOT_KNOWN), mask)
