# SPDX-License-Identifier: Apache-2.0
"""How the road bends, as the labelled lanes show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.scores import UNKNOWN
from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.lanes.labels import Label

STRAIGHT, GENTLE, SHARP = "straight", "gentle curve", "sharp curve"
GENTLE_FROM, SHARP_FROM = 0.015, 0.05
"""Sagitta of a lane as a share of the image's width."""
RULES: Final = {
    "curvature": (
        "how far the labelled ego line (without one, a neighbour's) bends away from the straight "
        f"line between its ends, as a share of the image's width: {STRAIGHT} below "
        f"{GENTLE_FROM:.1%}, {SHARP} from {SHARP_FROM:.1%} on"
    )
}
ORDER: Final = (STRAIGHT, GENTLE, SHARP)


def slices_of(label: Label, image_size: Size) -> dict[str, str]:
    """Return how the road bends."""
    return {"curvature": curvature_of(label.lines, image_size[1])}


def curvature_of(lanes: Mapping[LaneId, NDArray | None], image_width: int) -> str:
    """Tell a bend from a straight road; on a flat, straight one lines are straight in the image.

    Args:
        lanes: As ``Label.lines``.
        image_width: Pixels.
    """
    for lane in (LaneId.EGO, LaneId.LEFT_EGO, LaneId.RIGHT_EGO):
        points = lanes.get(lane)
        if points is not None:
            sagitta = _sagitta(points) / image_width
            return (
                SHARP if sagitta >= SHARP_FROM else GENTLE if sagitta >= GENTLE_FROM else STRAIGHT
            )
    return UNKNOWN


def _sagitta(points: NDArray) -> float:
    """Largest horizontal distance, pixels, of a line from the one between its ends."""
    x, y = np.asarray(points, np.float64).T
    chord = x[0] + (x[-1] - x[0]) * (y - y[0]) / (y[-1] - y[0])
    return float(np.abs(x - chord).max())
