# SPDX-License-Identifier: Apache-2.0
"""Labels of lanes: what is for people alone, how they are joined, what a crop leaves of them."""

import numpy as np
import pytest

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.labels.frame import LabelledFrame, constant
from shared_encoder_perception.tasks.lanes import labels, teacher
from shared_encoder_perception.tasks.lanes.answer import LaneId, LaneLine, Lanes, LaneStatus
from shared_encoder_perception.tasks.lanes.labels import Label

SIZE = (100, 200)
BOUNDARY = np.array([[10.0, 90.0], [40.0, 50.0]], np.float32)


def line(x):
    rows = np.arange(95.0, 40.0, -5.0)
    return np.stack((np.full(len(rows), float(x)), rows), axis=1).astype(np.float32)


def frame(label, pseudo=()):
    return LabelledFrame("a.jpg", "a.jpg", SIZE, {"lanes": constant(label)}, pseudo=pseudo)


def test_boundaries_alone_are_for_people():
    for_people = frame(Label({}, {}, (BOUNDARY,)))
    assert for_people.known() == ()
    assert frame(Label({LaneId.EGO: None})).known() == ("lanes",)


def test_boundaries_outlive_the_lanes_of_a_teacher():
    taught = frame(Label({LaneId.EGO: line(100)}, {LaneId.EGO: 0.5}, (BOUNDARY,)), ("lanes",))
    people = taught.without("lanes")
    assert (people.known(), people.pseudo) == ((), ())
    left = people.labels["lanes"]()
    assert (left.lines, left.confidence, left.boundaries) == ({}, {}, (BOUNDARY,))
    assert "lanes" not in frame(Label({LaneId.EGO: line(100)})).without("lanes").labels


def test_a_teacher_keeps_the_boundaries_of_people():
    found = [
        LaneLine(
            lane,
            LaneStatus.DETECTED,
            0.7 if lane is LaneId.EGO else 0.5,
            line(100),
            np.full(11, np.nan, np.float32),
        )
        for lane in LaneId
    ]
    had, crop = Label({}, {}, (BOUNDARY,)), Crop(0, 0, 200, 100)
    label = teacher.of_answer(Lanes(tuple(found)), teacher.Doubt(0.6), SIZE, crop, had)
    assert list(label.lines) == [LaneId.EGO]
    assert label.confidence == {LaneId.EGO: 0.7}
    assert label.boundaries == (BOUNDARY,)
    nothing = teacher.of_answer(Lanes(tuple(found)), teacher.Doubt(0.9), SIZE, crop, had)
    assert nothing is None


def test_joined_labels_know_what_either_knows():
    first = Label({LaneId.EGO: line(100), LaneId.LEFT_EGO: None}, {LaneId.EGO: 0.5})
    second = Label(
        {LaneId.EGO: line(103), LaneId.LEFT_EGO: None, LaneId.RIGHT_EGO: line(150)},
        {LaneId.EGO: 0.9, LaneId.RIGHT_EGO: 0.8},
    )
    joined, conflicts = labels.merge(first, second)
    assert set(joined.lines) == {LaneId.EGO, LaneId.LEFT_EGO, LaneId.RIGHT_EGO}
    assert np.array_equal(joined.lines[LaneId.EGO], line(100))
    assert joined.confidence == {LaneId.EGO: 0.5, LaneId.RIGHT_EGO: 0.8}
    assert conflicts == [("lane ego", line(103).tolist())]
    same, none = labels.merge(first, Label({LaneId.EGO: line(100.1)}))
    assert same is first and none == []


def test_the_mirror_swaps_weights_with_their_lanes():
    label = Label({LaneId.LEFT_EGO: line(20)}, {LaneId.LEFT_EGO: 0.5}, (BOUNDARY,))
    mirrored = labels.mirror(label, SIZE[1])
    assert mirrored.confidence == {LaneId.RIGHT_EGO: 0.5}
    assert np.allclose(mirrored.lines[LaneId.RIGHT_EGO], line(179))


def test_a_crop_leaves_what_lies_in_it():
    label = Label({LaneId.EGO: line(100), LaneId.LEFT_EGO: line(20), LaneId.RIGHT_EGO: None})
    seen = labels.inside(label, Crop(50, 50, 100, 40))
    assert set(seen.lines) == {LaneId.EGO, LaneId.RIGHT_EGO}
    assert seen.lines[LaneId.EGO][:, 1].tolist() == list(np.arange(85.0, 45.0, -5.0))


def test_a_moved_label_is_true_while_ego_runs_up_the_middle():
    label = Label({LaneId.EGO: line(100), LaneId.RIGHT_EGO: line(150)})
    assert labels.still_true(label, SIZE)
    shifted = labels.warp(label, np.array([[1.0, 0, -60], [0, 1, 0]]), SIZE)
    assert not labels.still_true(shifted, SIZE)
    upside_down = labels.warp(label, np.array([[1.0, 0, 0], [0, -1, 99]]), SIZE)
    assert not labels.still_true(upside_down, SIZE)


@pytest.mark.parametrize(
    ("lanes", "rare", "complete"),
    [
        (None, False, False),
        ([], False, False),
        ({"ego": [1], "left_ego": [1], "right_ego": None}, False, False),
        ({"ego": [1], "left_ego": [1], "right_ego": [1]}, False, True),
        ({"left_split_ego": [1], "right_split_ego": None}, True, False),
        ({"left_split_ego": None}, False, False),
    ],
)
def test_lines_that_are_rare_or_complete(lanes, rare, complete):
    assert labels.rare({"lanes": lanes}) == rare
    assert labels.complete({"lanes": lanes}) == complete
