"""How far two answers to one image are apart, whoever is right."""

from __future__ import annotations

import numpy as np

from shared_encoder_perception.evaluation.metrics import rows_within_tolerance
from shared_encoder_perception.evaluation.scorer import inside
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.lanes.answer import LaneId

MASK = "mask"


def apart(one: Perception, other: Perception, crop: Crop) -> dict[str, float]:
    """Compare two answers, lane by lane and the masks.

    Args:
        one: The answer whose lines are taken for right.
        other: The answer that is held against it; of an image of the same size.
        crop: What the network saw.

    Returns:
        Lane -> share of the rows of ``one``'s line that ``other`` misses by more than
        ``metrics.ROW_TOLERANCE_PX``; 1 for a lane that only one of them found, 0 for one that none
        found. ``"mask"`` -> one minus the IoU of the masks, where there are two.
    """
    parts = {}
    for lane in LaneId:
        here, there = one.lane(lane), other.lane(lane)
        if here.detected and there.detected:
            close = rows_within_tolerance(there, here.points_px, one.image_size[1])
            parts[lane.label] = float(1 - close.mean())
        else:
            parts[lane.label] = float(here.detected != there.detected)
    if one.mask is not None and other.mask is not None:
        seen = inside(crop)
        said, too = (answer.mask.binary()[seen] > 0 for answer in (one, other) if answer.mask)
        union = np.count_nonzero(said | too)
        parts[MASK] = float(1 - np.count_nonzero(said & too) / union) if union else 0.0
    return parts
