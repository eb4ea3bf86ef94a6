# SPDX-License-Identifier: Apache-2.0
"""How the road bends follows the written rule."""

import numpy as np
import pytest

from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.lanes.labels import Label
from shared_encoder_perception.tasks.lanes.slices import RULES, curvature_of, slices_of


def bent(share, width=320):
    """A line with a bend of that share of the image's width."""
    y = np.arange(180.0, 59.0, -2.0)
    along = (y - 120.0) / 60.0
    return np.stack((100 + share * width * (1 - along**2), y), axis=1).astype(np.float32)


@pytest.mark.parametrize(
    ("share", "curvature"),
    [(0.0, "straight"), (0.014, "straight"), (-0.016, "gentle curve"), (0.051, "sharp curve")],
)
def test_curvature_is_the_bend_of_the_ego_line(share, curvature):
    assert curvature_of({LaneId.EGO: bent(share)}, 320) == curvature
    assert curvature_of({LaneId.EGO: bent(share, 640)}, 640) == curvature


def test_a_neighbour_tells_where_there_is_no_ego_line():
    assert curvature_of({LaneId.EGO: None, LaneId.RIGHT_EGO: bent(0.1)}, 320) == "sharp curve"
    assert curvature_of({LaneId.EGO: None, LaneId.LEFT_SPLIT_EGO: bent(0.1)}, 320) == "unknown"
    assert curvature_of({}, 320) == "unknown"


def test_every_way_has_a_rule():
    found = slices_of(Label({LaneId.EGO: bent(0.1)}), (180, 320))
    assert found == {"curvature": "sharp curve"}
    assert list(found) == list(RULES)
