# SPDX-License-Identifier: Apache-2.0
"""The rules by which lane centres come out of boundaries."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from straight_road import GEOMETRY, SIZE, THREE, error_px, straight

from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.lanes.labelling.boundaries import Boundary
from shared_encoder_perception.tasks.lanes.labelling.centres import derive_centres


def derive(*boundaries, geometry=GEOMETRY):
    return derive_centres(boundaries, SIZE, geometry)


def mirrored(boundaries):
    flip = [Boundary(b.points * (-1, 1) + (1280, 0), b.is_edge) for b in boundaries]
    return derive_centres(flip, SIZE, GEOMETRY)


@pytest.mark.parametrize("geometry", [GEOMETRY, None])
def test_centres_lie_in_the_middle(geometry):
    found = derive(*THREE, geometry=geometry)
    for lane, place in ((LaneId.EGO, 0), (LaneId.LEFT_EGO, -1), (LaneId.RIGHT_EGO, 1)):
        assert error_px(found.lanes[lane], place) < 0.6, lane
        assert (np.diff(found.lanes[lane][:, 1]) < 0).all()
    assert found.lanes[LaneId.LEFT_SPLIT_EGO] is None
    assert found.notes == []


def test_the_mirror_image_has_mirrored_lanes():
    there, here = mirrored(THREE[1:]), derive(*THREE[1:])
    assert set(there.lanes) == {LaneId.EGO, LaneId.LEFT_EGO, *list(LaneId)[3:]}
    left, right = there.lanes[LaneId.LEFT_EGO], here.lanes[LaneId.RIGHT_EGO]
    assert np.allclose(1280 - left[:, 0], right[:, 0], atol=1.0)


def test_neighbour_without_a_line_is_unknown_unless_the_road_ends():
    assert LaneId.LEFT_EGO not in derive(*THREE[1:]).lanes
    edge = derive(straight(-0.5, is_edge=True), *THREE[2:])
    assert edge.lanes[LaneId.LEFT_EGO] is None


def test_a_missing_divider_leaves_ego_unknown():
    found = derive(straight(-0.5), straight(1.5))
    assert LaneId.EGO not in found.lanes
    assert "ego: too wide" in found.notes


def test_a_line_under_the_vehicle_is_a_lane_change():
    assert derive(straight(-1.05), straight(-0.05), straight(0.95)).ambiguous
    assert not derive(*THREE).ambiguous


def test_one_line_or_none_is_no_lane():
    assert derive(straight(0.5)).lanes == {}
    assert derive().notes == ["ego: boundary missing"]


def test_extension_below_the_visible_end_is_capped():
    found = derive(straight(-0.5), straight(0.5, near=450))
    assert found.lanes[LaneId.EGO][0, 1] == pytest.approx(600, abs=10)
    assert error_px(found.lanes[LaneId.EGO], 0) < 0.6


GORE = [straight(-0.5), straight(0.5, near=420), straight(1.5), straight(-1.5)]


def test_a_line_that_begins_ahead_splits_the_lane():
    """A gore between the vehicle's lane and the one that leaves to the right."""
    found = derive(*GORE)
    assert error_px(found.lanes[LaneId.EGO], 0) < 1
    branch = found.lanes[LaneId.RIGHT_SPLIT_EGO]
    above = branch[branch[:, 1] < 420]
    assert error_px(above, 1) < 1
    assert found.lanes[LaneId.LEFT_SPLIT_EGO] is None
    assert error_px(found.lanes[LaneId.LEFT_EGO], -1) < 1
    other = mirrored(GORE)
    assert other.lanes[LaneId.RIGHT_SPLIT_EGO] is None
    assert len(other.lanes[LaneId.LEFT_SPLIT_EGO]) == len(branch)
