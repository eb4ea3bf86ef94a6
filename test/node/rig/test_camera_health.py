# SPDX-License-Identifier: Apache-2.0
"""What is said of each camera of a rig: one state, one line, and what to do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared_encoder_perception.node.input_health import TopicState
from shared_encoder_perception.node.rig.camera_counts import Attendance, CameraCounts
from shared_encoder_perception.node.rig.camera_health import CameraHealth
from shared_encoder_perception.node.rig.moment import Timing
from shared_encoder_perception.node.watchdogs import WatchdogOptions
from shared_encoder_perception.tasks.status import Level, Status

TOPIC = TopicState("/left/image", 1)
OPTIONS = WatchdogOptions(window_s=1.0, input_timeout_s=1.0)


class Told:
    """A camera that is watched, and the time."""

    def __init__(self) -> None:
        self.health = CameraHealth("left", 0.0)
        self.counts, self.attendance = CameraCounts(), Attendance(anchor="front")

    def at(
        self, now_s: float, topic: TopicState = TOPIC, more: dict[str, Any] | None = None, **n: Any
    ) -> Status:
        """Count images and moments, and return what is told then."""
        seen = {name: n.pop(name) for name in ("moments", "missing", "apart_moments") if name in n}
        for name, count in n.items():
            self.counts = replace(self.counts, **{name: getattr(self.counts, name) + count})
        received = sum(n.values())
        self.counts = replace(self.counts, received=self.counts.received + received)
        if received:
            self.health.received(now_s)
        self.attendance = replace(
            self.attendance,
            moments=self.attendance.moments + seen.get("moments", 0),
            missing=self.attendance.missing + seen.get("missing", 0),
            apart=self.attendance.apart + seen.get("apart_moments", 0),
        )
        return self.health.status(
            now_s, self.counts, self.attendance, topic, Timing(), OPTIONS, **(more or {})
        )


def test_a_camera_that_works_is_active_with_its_rate() -> None:
    told = Told()
    told.at(0.5, used=5, moments=5)
    status = told.at(1.0, used=5, moments=5)
    assert (status.level, status.message) == (Level.OK, "active: 10.0 Hz on /left/image")
    assert status.values["state"] == "active" and status.values["used_hz"] == "10.0"
    assert status.values["received"] == status.values["used"] == "10"
    assert status.values["skew_ms"] == "unknown"


def test_before_the_first_image_it_waits_and_says_why() -> None:
    nobody = TopicState("/left/image", 0, hint="set the transport to compressed")
    told = Told()
    assert told.at(0.5, nobody).level is Level.OK
    status = told.at(3.0, nobody)
    assert status.level is Level.WARN
    assert (
        status.message == "waiting: nobody publishes /left/image: set the transport to compressed"
    )


def test_a_camera_that_stops_is_dead_a_warning_and_then_an_error() -> None:
    told = Told()
    told.at(0.5, used=5, moments=5)
    assert told.at(1.4).values["state"] == "active"
    warned, failed = told.at(2.0, moments=5, missing=5), told.at(4.0, moments=5, missing=5)
    assert warned.values["state"] == failed.values["state"] == "dead"
    assert (warned.level, failed.level) == (Level.WARN, Level.ERROR)
    assert "no image for 1.5 s: /left/image has 1 publisher" in warned.message
    assert told.at(4.1, used=1, moments=1).values["state"] != "dead"


@pytest.mark.parametrize(("skew_s", "side"), [(0.2, "after"), (-0.2, "before")])
def test_stamps_that_are_apart_name_both_cameras(skew_s: float, side: str) -> None:
    told = Told()
    told.attendance = replace(told.attendance, skew_s=skew_s)
    status = told.at(0.5, apart=5, moments=5, missing=5, apart_moments=5)
    assert status.level is Level.ERROR and status.values["state"] == "late"
    assert f"missing in 5 of 5 moments: its images are stamped 200 ms {side} those of front" in (
        status.message
    )
    assert status.values["skew_ms"] == f"{skew_s * 1e3:.1f}"


def test_a_camera_that_is_often_late_is_a_warning() -> None:
    told = Told()
    status = told.at(0.5, used=3, moments=5, missing=2)
    assert status.level is Level.WARN and "come more than rig.wait_s = 0.05 s after" in (
        status.message
    )
    status = Told().at(0.5, late=5, moments=5, missing=5)
    assert status.level is Level.ERROR and "it repeats images" in status.message


def test_bad_images_are_an_error_when_none_is_good() -> None:
    told = Told()
    told.health.last_problem = "image rejected: encoding"
    status = told.at(0.5, rejected=5, moments=5)
    assert (status.level, status.message) == (
        Level.ERROR,
        "rejected: no image can be used: image rejected: encoding",
    )
    status = told.at(0.6, used=5, moments=5)
    assert status.level is Level.WARN and status.message.startswith("rejected: 5 rejected: ")
    assert told.at(0.7, used=100, moments=100).level is Level.OK


def test_the_calibration_comes_first() -> None:
    told = Told()
    waits = told.at(1.0, uncalibrated=5, moments=5, more={"waits": "camera left waits for TF"})
    assert (waits.level, waits.message) == (Level.OK, "waiting: camera left waits for TF")
    waits = told.at(3.0, uncalibrated=5, moments=5, more={"waits": "camera left waits for TF"})
    assert waits.level is Level.WARN and waits.values["calibration"] == "camera left waits for TF"
    refused = told.at(3.1, uncalibrated=5, moments=5, more={"refused": "camera left: k is NaN"})
    assert (refused.level, refused.message) == (Level.ERROR, "rejected: camera left: k is NaN")


def test_all_numbers_are_shown_and_add_up() -> None:
    told = Told()
    names = ("used", "replaced", "late", "apart", "rejected", "uncalibrated", "few", "lost", "left")
    counted: dict[str, Any] = dict.fromkeys(names, 2)
    status = told.at(0.5, **counted, disabled=3)
    assert told.counts.accounted == told.counts.received == 2 * len(names) + 3
    assert all(status.values[name] == "2" for name in names)
    assert status.values["disabled"] == "3" and status.values["waiting"] == "0"
