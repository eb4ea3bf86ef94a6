# SPDX-License-Identifier: Apache-2.0
"""Labelled images of lanes and mask, as tests write them down."""

from typing import Any

from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.tasks.drivable.labels import Label as MaskLabel
from shared_encoder_perception.tasks.lanes.labels import Label as LaneLabel


def sample_of(
    image: Any,
    lanes: Any,
    mask: Any = None,
    name: str = "",
    lane_confidence: Any = None,
    mask_confidence: Any = None,
) -> Sample:
    """Return a Sample; ``lanes`` as ``Label.lines``, ``mask`` ``None`` for unknown."""
    labels: dict[str, Any] = {}
    if lanes or lane_confidence:
        labels["lanes"] = LaneLabel(lanes, lane_confidence or {})
    if mask is not None:
        labels["drivable_surface"] = MaskLabel(mask, mask_confidence)
    return Sample(image, labels, name)
