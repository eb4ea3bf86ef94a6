# SPDX-License-Identifier: Apache-2.0
"""Kinds of image that depth depends on: how long the camera's lens is."""

from __future__ import annotations

import math
from typing import Final

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.scores import UNKNOWN
from shared_encoder_perception.tasks.depth.label import Label

FOCAL: Final = "focal length"
SHORT, MIDDLE, LONG = "short lens", "middle lens", "long lens"
RULES: Final = {
    FOCAL: "the focal length is below 0.75 widths of the picture (short), from 1.05 on (long)"
}
ORDER: Final = (SHORT, MIDDLE, LONG)


def slices_of(label: Label, image_size: Size) -> dict[str, str]:
    """Return how long the lens is."""
    if math.isnan(label.focal_px):
        return {FOCAL: UNKNOWN}
    widths = label.focal_px / image_size[1]
    return {FOCAL: SHORT if widths < 0.75 else MIDDLE if widths < 1.05 else LONG}
