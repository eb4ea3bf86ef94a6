# SPDX-License-Identifier: Apache-2.0
"""Lanes are taken up when sure, kept while they are seen at all, and predicted for a while."""

from dataclasses import replace

import numpy as np
import pytest
from ground_world import SIZE
from tracking_drives import HZ, ON, START_S, columns, lateral, parallel, perceive, scene, without
from tracking_world import track

from shared_encoder_perception.tasks.lanes.answer import LaneId, Lanes, LaneStatus
from shared_encoder_perception.tasks.lanes.tracking.options import TrackingOptions
from shared_encoder_perception.tasks.lanes.tracking.tracker import LaneTracker

EGO = LaneId.EGO
ROAD = pytest.mark.parametrize("on_road", [True, False], ids=["road", "image"])


def seen(on_road=True, confidence=0.9, offset_m=0.0):
    lanes = perceive(parallel(offset_m), confidence=confidence)
    return scene().project(lanes) if on_road else lanes


def statuses(images, lane=EGO):
    return [each[lane].status for each in images]


@ROAD
def test_hysteresis_takes_up_at_one_confidence_and_lets_go_at_another(on_road):
    confidences = [0.31, 0.49, 0.5, 0.31, 0.45, 0.3, 0.29, 0.29, 0.49, 0.49]
    options = replace(ON, max_coasting_s=0.0)
    got = track([seen(on_road, each) for each in confidences], options)
    followed = [status is LaneStatus.DETECTED for status in statuses(got)]
    assert followed == [False, False, True, True, True, True, False, False, False, False]
    assert [each[EGO].confidence for each in got] == pytest.approx(confidences)


def test_a_line_that_is_not_taken_up_carries_neither_points_nor_id():
    line = track([seen(confidence=0.4)])[0][EGO]
    assert line.status is LaneStatus.NOT_DETECTED and line.track_id == 0
    assert line.ground is None and np.isnan(line.coasting_s)


def test_the_decoder_is_told_to_let_weak_lines_through_only_while_tracking():
    own = (0.72, 0.2)
    assert TrackingOptions(enabled=False).decode_thresholds(own) == own
    assert ON.decode_thresholds(own) == (0.3, 0.2)


def test_a_hysteresis_upside_down_is_refused_in_words():
    with pytest.raises(
        ValueError, match=r"off_confidence is 0\.6, expected at most .* which is 0\.5"
    ):
        TrackingOptions(off_confidence=0.6)


@ROAD
def test_an_unseen_lane_is_predicted_less_and_less_surely_then_it_ends(on_road):
    before, unseen = 40, 20
    tracker = LaneTracker(ON)
    got = track(
        [seen(on_road)] * before + [without(seen(on_road), EGO, confidence=0.0)] * unseen,
        tracker=tracker,
    )
    lines = [each[EGO] for each in got]
    last = round(ON.max_coasting_s * HZ)
    coasting = lines[before : before + last]
    assert {line.status for line in coasting} == {LaneStatus.PREDICTED}
    assert {line.track_id for line in coasting} == {lines[0].track_id}
    for index, line in enumerate(coasting):
        assert line.coasting_s == pytest.approx((index + 1) / HZ)
    one_more = lines[before - 1 : before + last]
    assert np.all(np.diff([line.x_std_px for line in one_more], axis=0) > 0)
    assert np.all(np.diff([line.confidence for line in one_more]) < 0)
    if on_road:
        assert np.all(np.diff([line.ground.y_std_m for line in one_more], axis=0) > 0)
        spread = np.array([np.diag(line.ground.covariance) for line in one_more])
        assert np.all(np.diff(spread, axis=0) > 0)
    else:
        assert all(line.ground is None for line in coasting)
    assert {line.status for line in lines[before + last :]} == {LaneStatus.NOT_DETECTED}
    assert {line.track_id for line in lines[before + last :]} == {0}
    assert tracker.status().values["tracks ended"] == "1"


@ROAD
def test_a_lane_that_moved_is_predicted_to_move_on(on_road):
    """0.2 s after it was last seen it is where it would be seen, within a tenth of its way."""
    images = [seen(on_road, offset_m=0.6 * index / HZ) for index in range(66)]
    blind = [*images[:60], *(without(each, EGO) for each in images[60:])]
    got, true = track(blind)[-1][EGO], images[-1][EGO]
    assert got.status is LaneStatus.PREDICTED
    way = columns(images[-1][EGO]) - columns(images[59][EGO])
    assert np.nanmax(np.abs(columns(got) - columns(true)) / np.abs(way)) < 0.1
    if on_road:
        assert np.abs(lateral(got) - lateral(true)).max() < 0.1 * 0.6 * 6 / HZ


@ROAD
def test_what_was_seen_briefly_is_predicted_no_longer_than_that(on_road):
    """Followed for 0.15 s: predicted after 0.133 s, no longer after 0.167 s."""
    images = [seen(on_road)] * 5 + [without(seen(on_road), EGO)] * 6
    images.insert(2, images[0])
    predicted = [status is LaneStatus.PREDICTED for status in statuses(track(images))]
    assert predicted[6:10] == [True] * 4 and predicted[-1] is False


@ROAD
def test_a_lane_that_returns_within_the_time_has_its_id_again_and_later_a_new_one(on_road):
    gap, lost = without(seen(on_road), *LaneId), without(seen(on_road), *LaneId)
    got = track([seen(on_road)] * 30 + [gap] * 12 + [seen(on_road)] * 30 + [lost] * 17)
    first = {line.lane_id: line.track_id for line in got[0]}
    assert {line.lane_id: line.track_id for line in got[71]} == first
    again = track([*[seen(on_road)] * 30, *[lost] * 17, seen(on_road)])[-1]
    assert min(again[lane].track_id for lane in list(LaneId)[:3]) > max(first.values())


@ROAD
def test_unknown_deviations_are_followed_like_any_other(on_road):
    lanes = Lanes(
        tuple(
            replace(line, x_std_px=np.full(len(line.points_px), np.nan))
            for line in perceive(parallel())
        )
    )
    images = [scene().project(lanes) if on_road else lanes] * 10
    line = track(images)[-1][EGO]
    assert line.track_id and np.isfinite(line.x_std_px).all()
    assert line.x_std_px.min() >= ON.pixel_std_px
    assert columns(line) == pytest.approx(columns(images[0][EGO]), abs=1e-3, nan_ok=True)


def test_ground_that_comes_and_goes_is_followed_in_the_image_meanwhile():
    both = [seen(on_road=index % 40 < 20) for index in range(100)]
    tracker = LaneTracker(ON)
    got = track(both, tracker=tracker)
    assert {each[EGO].track_id for each in got} == {1}
    assert [each[EGO].ground is None for each in got] == [each[EGO].ground is None for each in both]
    assert tracker.status().values["geometry"] == "road"
    tracker.update(seen(on_road=False), SIZE, START_S + 101 / HZ)
    assert tracker.status().values["geometry"] == "image"


def test_what_is_predicted_to_be_outside_of_the_image_is_cut_off():
    """The right lane leaves the image at its near end while nobody looks."""
    images = [seen(offset_m=1.5 * index / HZ) for index in range(60)]
    got = track([*images[:45], *(without(each, *LaneId) for each in images[45:])])[-1]
    line = got[LaneId.RIGHT_EGO]
    assert line.status is LaneStatus.PREDICTED
    assert line.points_px[:, 0].min() >= -0.5 and line.points_px[:, 0].max() <= 1279.5
    assert len(line.ground.points_m) == len(line.points_px) == len(line.x_std_px)
