# SPDX-License-Identifier: Apache-2.0
"""Perceptions of lanes and mask, as tests write them down."""

from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.lanes.answer import Lanes


def perception(size, lines, mask=None, stage_ms=None):
    """Return a Perception of five lines and, unless it is ``None``, a mask."""
    answers = {"lanes": Lanes(tuple(lines))}
    if mask is not None:
        answers["drivable_surface"] = mask
    return Perception(size, answers, stage_ms or {})
