# SPDX-License-Identifier: Apache-2.0
"""Ids follow the physical lane: through lane changes, side by side, and never twice."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from tracking_drives import (
    DRIVES,
    ON,
    Drive,
    lane_change,
    parallel,
    perceive,
    scene,
    stripped,
    without,
)
from tracking_world import followed, track

from shared_encoder_perception.tasks.lanes.answer import LaneId, Lanes, LaneStatus
from shared_encoder_perception.tasks.lanes.tracking.tracker import LaneTracker
from shared_encoder_perception.tasks.lanes.tracking.tracks import CAPACITY

EGO, LEFT, RIGHT = LaneId.EGO, LaneId.LEFT_EGO, LaneId.RIGHT_EGO
NOISE_PX = 1.5
ROAD = pytest.mark.parametrize("on_road", [True, False], ids=["road", "image"])
SIDE = pytest.mark.parametrize("side", [1, -1], ids=["left", "right"])
CHANGES = {1: DRIVES["lane change"], -1: Drive(partial(lane_change, side=-1))}
BESIDE_SIDE = {1: (LEFT, RIGHT), -1: (RIGHT, LEFT)}


def ids(lanes):
    return {line.lane_id: line.track_id for line in lanes if line.track_id}


@SIDE
@ROAD
def test_in_a_lane_change_the_lanes_change_names_and_keep_their_ids(side, on_road):
    _, seen, _ = followed(CHANGES[side], NOISE_PX, on_road=on_road)
    tracker = LaneTracker(ON)
    got = track(seen, tracker=tracker)
    before, after = ids(got[0]), ids(got[-1])
    ahead, behind = BESIDE_SIDE[side]
    assert after[EGO] == before[ahead]
    assert after[behind] == before[EGO]
    assert after[ahead] not in before.values()
    status = tracker.status().values
    assert (status["hand-overs"], status["tracks begun"]) == ("2", "4")


@SIDE
@ROAD
def test_nothing_is_lost_or_predicted_in_the_image_in_which_the_names_change(side, on_road):
    _, _, got = followed(CHANGES[side], NOISE_PX, on_road=on_road)
    swap = next(index for index, each in enumerate(got) if ids(each)[EGO] != ids(got[0])[EGO])
    assert {line.status for line in got[swap].lines[:3]} == {LaneStatus.DETECTED}


@SIDE
@ROAD
def test_a_lane_unseen_while_the_names_change_takes_part_in_the_change(side, on_road):
    """The lane that is left is not seen around the middle: it is predicted as the one behind."""
    behind = BESIDE_SIDE[side][1]
    _, images, whole = followed(CHANGES[side], NOISE_PX, on_road=on_road)
    swap = next(index for index, each in enumerate(whole) if ids(each)[EGO] != ids(whole[0])[EGO])
    hidden = dict.fromkeys(range(swap - 5, swap), EGO)
    hidden |= dict.fromkeys(range(swap, swap + 5), behind)
    blind = [
        without(each, hidden[index]) if index in hidden else each
        for index, each in enumerate(images)
    ]
    got = track(blind)
    assert got[swap - 1][EGO].status is LaneStatus.PREDICTED
    assert got[swap][behind].status is LaneStatus.PREDICTED
    assert got[swap][behind].track_id == ids(got[0])[EGO]
    assert ids(got[-1]) == ids(whole[-1])


@ROAD
@pytest.mark.parametrize("name", ["winding", "dropouts", "lane change", "unsure"])
def test_two_lanes_never_have_the_same_id_and_an_id_never_returns(name, on_road):
    gone, last = set(), {}
    for each in followed(DRIVES[name], NOISE_PX, on_road=on_road)[-1]:
        now = ids(each)
        assert len(set(now.values())) == len(now)
        gone |= set(last.values()) - set(now.values())
        assert not gone & set(now.values())
        last = now


@ROAD
@pytest.mark.parametrize("name", ["winding", "dropouts", "unsure"])
def test_a_physical_lane_has_one_id_all_along(name, on_road):
    _, _, tracked = followed(DRIVES[name], NOISE_PX, on_road=on_road)
    for lane in (EGO, LEFT, RIGHT):
        assert len({each[lane].track_id for each in tracked} - {0}) == 1


@ROAD
def test_the_neighbour_does_not_inherit_the_id_of_a_lane_that_vanishes(on_road):
    """A lane width away it is another one, however little is known of the first."""
    options = replace(ON, max_coasting_s=5.0, agility=5.0)
    whole = scene().project(perceive(parallel()))
    whole = whole if on_road else stripped(whole)
    one, other = without(whole, LEFT, RIGHT), without(whole, EGO, RIGHT)
    got = track([one] * 160 + [without(whole, *LaneId)] * 145 + [other], options)
    assert got[-2][EGO].status is LaneStatus.PREDICTED
    assert ids(got[-1])[LEFT] != ids(got[0])[EGO]


@ROAD
def test_with_more_lanes_than_can_be_remembered_one_that_returns_is_not_the_one_forgotten(on_road):
    """The one unseen for longest comes back in the very image in which room must be made."""

    def at(**beside):
        lanes = {EGO: parallel()[EGO]}
        lanes |= {LaneId[name]: parallel(-metres)[EGO] for name, metres in beside.items()}
        seen = scene().project(perceive(lanes))
        return seen if on_road else stripped(seen)

    left, right, splits = "LEFT_EGO", "RIGHT_EGO", ("LEFT_SPLIT_EGO", "RIGHT_SPLIT_EGO")
    first = at(**{left: 4.0, right: -4.0, splits[0]: 8.0, splits[1]: -8.0})
    second = at(**{left: 12.0, right: -12.0, splits[0]: 16.0, splits[1]: -16.0})
    images = [first] * 60 + [without(first, RIGHT)] + [second] * 20 + [at(**{left: 20.0})] * 5
    images.append(at(**{left: -20.0, right: -4.0}))
    tracker = LaneTracker(replace(ON, max_coasting_s=5.0))
    got = track(images, tracker=tracker)
    status = tracker.status().values
    assert (status["tracks"], status["tracks begun"]) == (str(CAPACITY), str(CAPACITY + 1))
    assert ids(got[-1])[RIGHT] == ids(got[0])[RIGHT]
    assert ids(got[-1])[LEFT] == CAPACITY + 1


def test_a_split_keeps_its_id_and_its_branch():
    curve = parallel()[EGO]
    lanes = {EGO: curve, LaneId.LEFT_SPLIT_EGO: lambda x: curve(x) + np.maximum(x - 25, 0) * 0.08}
    seen = scene().project(perceive(lanes))
    split = replace(seen[LaneId.LEFT_SPLIT_EGO], branch_index=40)
    seen = Lanes(tuple(split if line.lane_id is split.lane_id else line for line in seen))
    got = track([seen] * 10 + [without(seen, LaneId.LEFT_SPLIT_EGO)] * 3)
    lines = [each[LaneId.LEFT_SPLIT_EGO] for each in got]
    assert len({line.track_id for line in lines}) == 1 and lines[0].track_id
    assert {line.branch_index for line in lines} == {40}
