# SPDX-License-Identifier: Apache-2.0
"""What breaks the thread, and what does not: time, size, frames, options, and who asks."""

from dataclasses import replace

import numpy as np
import pytest
from ground_world import SIZE
from tracking_drives import HZ, ON, START_S, parallel, perceive, scene, without

from shared_encoder_perception.tasks.lanes.answer import LaneId, LaneLine, Lanes, LaneStatus
from shared_encoder_perception.tasks.lanes.tracking.options import TrackingOptions, tracking_options
from shared_encoder_perception.tasks.lanes.tracking.tracker import LaneTracker
from shared_encoder_perception.tasks.status import Level

EGO = LaneId.EGO
SEEN = scene().project(perceive(parallel()))


def followed(options=ON, images=30):
    """Return a tracker that follows three lanes, and the stamp of its last image."""
    tracker = LaneTracker(options)
    for index in range(images):
        tracker.update(SEEN, SIZE, START_S + index / HZ)
    return tracker, START_S + (images - 1) / HZ


def resets(tracker):
    values = tracker.status().values
    return int(values["resets"]), values["last reset"]


@pytest.mark.parametrize(
    ("step_s", "reason"),
    [(-5.0, "time jumped back by 5.000 s"), (1.2, "no image for 1.200 s")],
)
def test_after_a_jump_of_time_all_begins_anew_with_new_ids(step_s, reason):
    tracker, last = followed()
    line = tracker.update(SEEN, SIZE, last + step_s)[EGO]
    assert line.track_id == 4 and line.status is LaneStatus.DETECTED
    assert resets(tracker) == (1, reason)
    assert np.allclose(line.points_px, SEEN[EGO].points_px)


@pytest.mark.parametrize("step_s", [0.0, 1e-4, 0.2, 0.99])
def test_odd_steps_of_time_do_not_break_the_thread(step_s):
    tracker, last = followed()
    for _ in range(3):
        line = tracker.update(SEEN, SIZE, last + step_s)[EGO]
        assert line.track_id == 1
        assert np.allclose(line.points_px, SEEN[EGO].points_px, atol=1e-2)
    assert resets(tracker) == (0, "none")


def test_images_of_another_size_begin_anew():
    tracker, last = followed()
    size = (360, 640)
    half = tuple(
        LaneLine(line.lane_id, line.status, line.confidence, line.points_px / 2, line.x_std_px / 2)
        for line in SEEN
    )
    line = tracker.update(Lanes(half), size, last + 1 / HZ)[EGO]
    assert line.track_id == 4 and resets(tracker)[0] == 1
    assert "(720, 1280) to (360, 640)" in resets(tracker)[1]


def test_a_change_of_the_vehicle_s_frame_begins_anew():
    tracker, last = followed()
    other = scene(frame_id="rear_axle").project(perceive(parallel()))
    assert tracker.update(other, SIZE, last + 1 / HZ)[EGO].track_id == 4
    assert resets(tracker) == (1, "the ground's frame changed from base_link to rear_axle")


def test_lanes_that_are_not_there_do_not_change_the_frame():
    tracker, last = followed()
    tracker.update(without(SEEN, *LaneId), SIZE, last + 1 / HZ)
    assert tracker.update(SEEN, SIZE, last + 2 / HZ)[EGO].track_id == 1


def test_who_asks_for_it_gets_new_ids():
    tracker, last = followed()
    tracker.reset()
    assert resets(tracker) == (1, "asked for")
    assert tracker.update(SEEN, SIZE, last + 1 / HZ)[EGO].track_id == 4


def test_without_stamps_nothing_is_followed_and_weak_lines_are_not_let_through():
    tracker, last = followed()
    weak = tuple(
        replace(line, confidence=0.4) if line.lane_id is LaneId.RIGHT_EGO else line for line in SEEN
    )
    got = tracker.update(Lanes(weak), SIZE, 0.0)
    assert got[EGO] is SEEN[EGO]
    assert got[LaneId.RIGHT_EGO].status is LaneStatus.NOT_DETECTED
    status = tracker.status()
    assert status.level is Level.WARN and "no stamp" in status.message
    assert tracker.update(SEEN, SIZE, last + 1 / HZ)[EGO].track_id == 4
    assert tracker.status().level is Level.OK


def test_switched_off_it_changes_nothing_and_says_so():
    tracker = LaneTracker(TrackingOptions(enabled=False))
    assert tracker.update(SEEN, SIZE, START_S) is SEEN
    assert tracker.status().level is Level.OK and "tracking.enabled" in tracker.status().message


def test_switched_off_and_on_it_begins_anew():
    tracker, last = followed()
    tracker.options = replace(ON, enabled=False)
    tracker.options = ON
    assert tracker.update(SEEN, SIZE, last + 1 / HZ)[EGO].track_id == 4


def test_thresholds_that_change_while_it_runs_count_from_the_next_image():
    tracker, last = followed()
    tracker.options = replace(ON, on_confidence=1.0, off_confidence=0.95, max_coasting_s=0.05)
    line = tracker.update(SEEN, SIZE, last + 1 / HZ)[EGO]
    assert (line.track_id, line.status) == (1, LaneStatus.PREDICTED)
    assert tracker.update(SEEN, SIZE, last + 2 / HZ)[EGO].status is LaneStatus.NOT_DETECTED
    tracker.options = ON
    assert tracker.update(SEEN, SIZE, last + 3 / HZ)[EGO].track_id == 4


def test_the_status_counts_what_is_followed():
    tracker, last = followed()
    values = tracker.status().values
    assert (values["tracks"], values["tracks not seen"], values["geometry"]) == ("3", "0", "road")
    tracker.update(without(SEEN, EGO), SIZE, last + 1 / HZ)
    values = tracker.status().values
    assert (values["tracks"], values["tracks not seen"]) == ("3", "1")
    assert tracker.status().message == "3 lanes followed"


def test_the_options_come_from_the_parameters_of_their_names():
    asked = []

    def value(name):
        asked.append(name)
        return {"tracking.enabled": True, "tracking.gate_m": 0.7}.get(name, 0.4)

    options = tracking_options(value)
    assert options.enabled and options.gate_m == 0.7 and options.agility == 0.4
    assert "tracking.max_coasting_s" in asked
