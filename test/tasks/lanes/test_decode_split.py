# SPDX-License-Identifier: Apache-2.0
"""A lane that splits: where it leaves, and that it does."""

from dataclasses import replace

import numpy as np
import pytest
from test_decode import BLOCK, decode, road

from shared_encoder_perception.tasks.lanes.answer import LaneId


def split(leaves_by, top=60):
    """Ego's path, and one that leaves it by so many pixels at the far end."""
    ego = road(top=top)
    away = np.clip((160 - ego[:, 1]) / (160 - top), 0, None) ** 2 * leaves_by
    return {LaneId.EGO: ego, LaneId.RIGHT_SPLIT_EGO: ego + np.stack((away, 0 * away), axis=1)}


@pytest.mark.parametrize(("leaves_by", "detected"), [(0.0, False), (0.5, False), (12.0, True)])
def test_a_split_that_never_leaves_ego_is_none(leaves_by, detected):
    lanes = split(leaves_by)
    block = replace(BLOCK, holds_to_evidence=True)
    found = decode(lanes, block)
    assert found[LaneId.EGO].detected
    assert found[LaneId.RIGHT_SPLIT_EGO].detected == detected
    assert found[LaneId.RIGHT_SPLIT_EGO].confidence > 0.4
    assert decode(lanes)[LaneId.RIGHT_SPLIT_EGO].detected  # older models answer as they did


def test_a_split_that_goes_on_where_ego_ends_is_one():
    lanes = {LaneId.EGO: road(top=160), LaneId.RIGHT_SPLIT_EGO: road(top=60)}
    found = decode(lanes, replace(BLOCK, holds_to_evidence=True))
    assert found[LaneId.RIGHT_SPLIT_EGO].detected
