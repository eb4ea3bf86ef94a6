# SPDX-License-Identifier: Apache-2.0
"""Steadiness over a drive: nothing for a line that stands, and each fault in its own number."""

import math

import numpy as np
import pytest

from shared_encoder_perception.tasks.lanes.answer import LaneId, LaneLine, Lanes, LaneStatus
from shared_encoder_perception.tasks.lanes.metrics.temporal import MAX_GAP_S, TemporalMetric

SIZE = (101, 200)
Y = np.arange(100.0, 39.0, -10.0)
TRUTH = np.stack((np.full_like(Y, 100.0), Y), axis=1)
HZ = 10.0
NO, YES, HELD = LaneStatus.NOT_DETECTED, LaneStatus.DETECTED, LaneStatus.PREDICTED


def frame(status=YES, shift=0.0, track=0, lane=LaneId.EGO, points=TRUTH):
    line = LaneLine(lane, track_id=track)
    if status is not NO:
        moved = points + (shift, 0)
        line = LaneLine(lane, status, 0.9, moved, np.zeros(len(moved)), track_id=track)
    return Lanes(tuple(line if i is lane else LaneLine(i) for i in LaneId))


def drive(frames, labels=None, physical=None, metric=None, lane=LaneId.EGO):
    """Run frames at HZ through a metric; labels and physical lanes are those of one lane."""
    metric = metric or TemporalMetric()
    metric.end_drive()
    for index, seen in enumerate(frames):
        unknown = labels is None or isinstance(labels[index], str)
        known = {} if unknown else {lane: labels[index]}
        names = {} if physical is None or physical[index] is None else {lane: physical[index]}
        metric.update(index / HZ, seen, SIZE, known, names)
    return metric


def ego(metric, score):
    return metric.compute()[f"ego/{score}"]


@pytest.mark.parametrize("speed", [0.0, 1.5, -4.0])
def test_a_line_that_stands_or_drifts_evenly_does_not_jitter(speed):
    metric = drive(frame(shift=speed * index) for index in range(9))
    assert ego(metric, "jitter_px") == pytest.approx(0, abs=1e-5)
    assert ego(metric, "flicker_hz") == 0.0


@pytest.mark.parametrize("size", [0.5, 3.0])
def test_a_line_that_goes_to_and_fro_jitters_by_four_times_its_swing(size):
    metric = drive(frame(shift=size * (-1) ** index) for index in range(9))
    assert ego(metric, "jitter_px") == pytest.approx(4 * size)


def test_jitter_of_a_single_jump_by_hand():
    """0 0 0 5 5 5: second differences 0, 5, -5, 0."""
    metric = drive(frame(shift=5.0 * (index > 2)) for index in range(6))
    assert ego(metric, "jitter_px") == pytest.approx(10 / 4)


def test_jitter_does_not_change_when_time_or_image_is_reversed():
    shifts = np.random.default_rng(0).normal(0, 3, 12)
    forth = drive(frame(shift=shift) for shift in shifts)
    back = drive(frame(shift=shift) for shift in shifts[::-1])
    mirrored = drive(frame(shift=-shift) for shift in shifts)
    for other in (back, mirrored):
        assert ego(other, "jitter_px") == pytest.approx(ego(forth, "jitter_px"), rel=1e-5)


def test_rows_that_the_line_does_not_reach_do_not_jitter():
    """The far half swings; it is watched only where a watched row is."""
    rng = np.random.default_rng(1)
    shifts = [np.where(Y < 65, rng.normal(0, 5), 0.0) for _ in range(8)]
    frames = [frame(points=TRUTH + np.stack((shift, 0 * Y), axis=1)) for shift in shifts]
    near = drive(frames, metric=TemporalMetric(jitter_rows=(0.75, 0.95)))
    far = drive(frames, metric=TemporalMetric(jitter_rows=(0.3, 0.55)))
    beyond = drive(frames, metric=TemporalMetric(jitter_rows=(0.2, 0.3)))
    assert ego(near, "jitter_px") == pytest.approx(0, abs=1e-5)
    assert ego(far, "jitter_px") > 1
    assert math.isnan(ego(beyond, "jitter_px"))


def test_a_frame_without_the_line_breaks_the_jitter():
    """Three frames in a row are needed: a jump while the line is away is not seen."""
    frames = [frame(), frame(), frame(), frame(NO), *[frame(shift=50.0) for _ in range(3)]]
    assert ego(drive(frames), "jitter_px") == 0.0
    assert math.isnan(ego(drive([frame(), frame(), frame(NO), frame()]), "jitter_px"))


def test_flicker_is_changes_per_second():
    metric = drive(frame(status) for status in (YES, NO, YES, YES, HELD, HELD, NO, NO, NO, NO, NO))
    assert ego(metric, "flicker_hz") == pytest.approx(4 / 1.0)
    assert metric.compute()["left_ego/flicker_hz"] == 0.0
    assert metric.compute()["all/flicker_hz"] == pytest.approx(4 / 5.0)


def test_a_blinking_line_flickers_at_the_frame_rate():
    metric = drive(frame(YES if index % 2 else NO) for index in range(31))
    assert ego(metric, "flicker_hz") == pytest.approx(HZ)


@pytest.mark.parametrize("breaks", ["pause", "new_drive"])
def test_nothing_is_compared_across_a_pause_or_with_another_drive(breaks):
    metric = TemporalMetric()
    for index in range(3):
        metric.update(index / HZ, frame(track=1), SIZE, {}, {LaneId.EGO: 7})
    start = 2 / HZ + MAX_GAP_S + 0.01
    if breaks == "new_drive":
        metric.end_drive()
        start = 0.0
    metric.update(start, frame(NO), SIZE, {}, {LaneId.EGO: 7})
    for index in range(1, 4):
        metric.update(start + index / HZ, frame(shift=40.0, track=2), SIZE, {}, {LaneId.EGO: 7})
    assert ego(metric, "jitter_px") == 0.0
    assert ego(metric, "flicker_hz") == pytest.approx(1 / 0.5)
    assert ego(metric, "id_switches") == 0


def test_frames_out_of_order_are_refused():
    metric = drive([frame(), frame()])
    for stamp in (0.05, 1 / HZ, math.nan):
        with pytest.raises(ValueError, match="sort the frames"):
            metric.update(stamp, frame(), SIZE)


@pytest.mark.parametrize(
    ("tracks", "physical", "switches", "tracked"),
    [
        ([1, 1, 1, 1], [7, 7, 7, 7], 0, 3),
        ([1, 1, 2, 2], [7, 7, 7, 7], 1, 3),
        ([1, 2, 1, 2], [7, 7, 7, 7], 3, 3),
        ([1, 1, 2, 2], [7, 7, 8, 8], 0, 2),  # the vehicle changed lane, the id went along
        ([1, 0, 0, 1], [7, 7, 7, 7], 0, 1),  # lost and found again
        ([1, 0, 0, 2], [7, 7, 7, 7], 1, 1),
        ([1, 2, 3, 4], [None] * 4, 0, 0),  # unknown lanes: no verdict
    ],
    ids=["steady", "once", "always", "lane_change", "refound", "renamed", "unknown"],
)
def test_an_id_switch_is_a_new_name_for_the_same_lane(tracks, physical, switches, tracked):
    metric = drive([frame(track=track) for track in tracks], physical=physical)
    assert ego(metric, "id_switches") == switches
    assert ego(metric, "tracked") == tracked


@pytest.mark.parametrize("late", [0, 1, 4])
def test_latency_is_frames_from_the_first_label_to_the_first_right_line(late):
    labels = [None, None] + [TRUTH] * 6
    seen = [frame(NO)] * (2 + late) + [frame()] * (6 - late)
    metric = drive(seen, labels)
    assert ego(metric, "latency_frames") == late
    assert ego(metric, "never_found") == 0
    assert ego(metric, "appearances") == 1


def test_a_wrong_line_is_not_a_detection():
    metric = drive([frame(shift=90.0)] * 3 + [frame()], [TRUTH] * 4)
    assert ego(metric, "latency_frames") == 3


def test_losing_the_lane_again_is_no_new_appearance():
    metric = drive([frame(), frame(NO), frame(NO), frame()], [TRUTH] * 4)
    assert ego(metric, "appearances") == 1
    assert ego(metric, "latency_frames") == 0


def test_appearances_that_end_without_a_right_line_were_never_found():
    labels = [TRUTH, TRUTH, None, TRUTH, TRUTH]
    metric = drive([frame(NO), frame(NO), frame(), frame(NO), frame()], labels)
    assert ego(metric, "appearances") == 2
    assert ego(metric, "never_found") == 0.5
    assert ego(metric, "latency_frames") == 1
    assert ego(drive([frame(NO)] * 3, [TRUTH] * 3), "never_found") == 1.0


def test_frames_without_a_label_take_time_but_say_nothing():
    metric = drive([frame(NO), frame(), frame(NO), frame()], [TRUTH, "?", "?", TRUTH])
    assert ego(metric, "appearances") == 1
    assert ego(metric, "latency_frames") == 3
    assert ego(drive([frame()] * 3, ["?"] * 3), "appearances") == 0


def test_lanes_do_not_mix():
    left = LaneId.LEFT_EGO
    metric = drive([frame(lane=left)] * 4, [TRUTH] * 4, lane=left)
    scores = metric.compute()
    assert scores["left_ego/latency_frames"] == 0
    assert scores["ego/appearances"] == 0
    assert scores["all/appearances"] == 1


def random_drive(rng):
    count = 12
    seen = [
        frame([NO, YES, HELD][rng.integers(3)], rng.normal(0, 4), int(rng.integers(0, 3)))
        for _ in range(count)
    ]
    labels = [[TRUTH, TRUTH, None, "?"][rng.integers(4)] for _ in range(count)]
    return seen, labels, [int(rng.integers(1, 3)) for _ in range(count)]


def test_merged_drives_equal_one_metric_of_all_and_reset_forgets():
    rng, whole, parts = np.random.default_rng(2), TemporalMetric(), []
    for _ in range(3):
        one = random_drive(rng)
        drive(*one, metric=whole)
        parts.append(drive(*one))
    parts[0].merge(parts[1])
    parts[0].merge(parts[2])
    scores = whole.compute()
    assert parts[0].compute() == pytest.approx(scores, nan_ok=True)
    for name in ("jitter_px", "flicker_hz", "id_switches", "appearances"):
        assert scores[f"ego/{name}"] > 0
    whole.reset()
    assert whole.compute()["all/appearances"] == 0


def test_nothing_seen_is_not_a_number():
    scores = TemporalMetric().compute()
    for name in ("jitter_px", "flicker_hz", "latency_frames", "never_found"):
        assert math.isnan(scores[f"all/{name}"])


@pytest.mark.parametrize("options", [{"jitter_rows": (0.5, 1.5)}, {"jitter_rows": ()}])
def test_rows_outside_the_image_are_refused(options):
    with pytest.raises(ValueError, match="jitter_rows is"):
        TemporalMetric(**options)


def test_other_options_are_refused():
    with pytest.raises(ValueError, match="max_gap_s is 0"):
        TemporalMetric(max_gap_s=0)
    with pytest.raises(ValueError, match="other jitter_rows"):
        TemporalMetric().merge(TemporalMetric(jitter_rows=(0.5,)))
