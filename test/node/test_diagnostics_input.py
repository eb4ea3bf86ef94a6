# SPDX-License-Identifier: Apache-2.0
"""What diagnostics say about the input, at times made up by the tests."""

from __future__ import annotations

import pytest

from shared_encoder_perception.node.input_health import InputHealth, TopicState
from shared_encoder_perception.node.watchdogs import GRACE_S, WatchdogOptions
from shared_encoder_perception.tasks.status import Level, Status

OPTIONS = WatchdogOptions()
TOPIC = TopicState("/front/image", 1)
S = 1_000_000_000


def judged(
    topic: TopicState = TOPIC,
    stamps: dict[str, float] | None = None,
    silent_s: float = 0.0,
    images: int = 30,
    **counts: int,
) -> Status:
    """Return the status of an input that had a second of images, and then this silence."""
    health = InputHealth(OPTIONS)
    health.start(10.0)
    health.last_problem = "the reason"
    for number in range(images):
        health.received(10.0 + (number + 1) / images, 100 * S)
    now_s = (11.0 if images else 10.0) + silent_s
    filled = {"received": images, "perceived": images, **counts}
    return health.status(now_s, filled, stamps or {}, topic, 100 * S + 20_000_000)


def test_an_input_without_trouble_is_active() -> None:
    """With its rate, the newest image's age, and all counts."""
    status = judged()
    assert (status.level, status.message) == (Level.OK, "active: 30.0 Hz on /front/image")
    values = status.values
    assert values["state"] == "active" and values["rate_hz"] == "30.0"
    assert values["newest_age_ms"] == "20.0" and values["publishers"] == "1"
    assert values["received"] == values["perceived"] == "30" and values["drop_ratio"] == "0.000"


def test_before_activation_the_input_is_not_judged() -> None:
    """And after deactivation neither."""
    health = InputHealth(OPTIONS)
    assert health.status(1.0, {}, {}, TOPIC, 0).level is Level.STALE
    health.start(1.0)
    assert health.status(1.0, {}, {}, TOPIC, 0).level is Level.OK
    assert health.status(1.0 + GRACE_S, {}, {}, TOPIC, 0).level is Level.WARN
    health.stop()
    assert health.status(2.0, {}, {}, TOPIC, 0).values == {"state": "inactive"}


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        (TopicState("/front/image", 0), "nobody publishes /front/image: start the camera"),
        (TopicState("/i", 0, hint="/i/compressed is published"), "/i/compressed is published"),
        (
            TopicState("/i", 2),
            "/i has 2 publishers, but no image comes: does the camera's driver have the Fast DDS "
            "profile, too?",
        ),
        (TopicState("/i", 1, "RELIABILITY does not fit"), "RELIABILITY does not fit"),
    ],
)
@pytest.mark.parametrize("images", [0, 30])
def test_a_silent_input_says_why(topic: TopicState, expected: str, images: int) -> None:
    """Waiting for the first image, or stale after the last: a warning, then an error."""
    state = "stale" if images else "waiting"
    for silent_s, level in ((2.9, Level.WARN), (3.1, Level.ERROR)):
        status = judged(topic, silent_s=silent_s, images=images)
        assert status.level is level and status.values["state"] == state
        assert status.message.startswith(f"{state}: ") and expected in status.message


def test_an_input_is_stale_only_after_its_timeout() -> None:
    """The threshold is the parameter's."""
    assert judged(silent_s=OPTIONS.input_timeout_s - 0.01).level is Level.OK
    assert judged(silent_s=OPTIONS.input_timeout_s + 0.01).level is Level.WARN


def test_images_that_are_all_rejected_are_an_error_with_the_reason() -> None:
    """Some of them are a warning."""
    status = judged(perceived=0, rejected=30)
    assert status.level is Level.ERROR and status.values["state"] == "rejected"
    assert status.message == "rejected: no image can be used: the reason"
    status = judged(perceived=28, rejected=2)
    assert status.level is Level.WARN and status.values["state"] == "active"
    assert "2 rejected in the last 1.0 s: the reason" in status.message


def test_images_that_are_all_too_old_make_the_input_stale() -> None:
    """They come, but nothing may be said about now."""
    status = judged(perceived=0, stale=30)
    assert status.level is Level.ERROR and status.message.startswith("stale: images are too old")


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        ({"zero": 30}, "images have no stamp"),
        ({"jumps": 2}, "stamps jumped back in the last 1.0 s: 2x"),
        ({"future": 1}, "ahead of the node's clock"),
    ],
)
def test_odd_stamps_are_warned_of(stamps: dict[str, float], expected: str) -> None:
    """The images are used all the same."""
    status = judged(stamps={**stamps, "age_s": 0.25})
    assert status.level is Level.WARN and expected in status.message
    assert status.values["state"] == "active" and status.values["processed_age_ms"] == "250.0"
    (name, count), *_ = stamps.items()
    assert status.values[f"stamps_{name}"] == str(count)


def test_what_happened_before_the_window_is_forgotten() -> None:
    """A bag that started again a minute ago is no reason to warn for ever."""
    health = InputHealth(OPTIONS)
    health.start(0.0)
    for second in range(1, 20):
        health.received(float(second), S)
        counts = {"received": second, "perceived": second}
        jumps = {"jumps": float(second >= 3)}
        status = health.status(float(second), counts, jumps, TOPIC, 0)
        assert status.level is (Level.WARN if 3 <= second <= 7 else Level.OK), second
    assert status.values["stamps_jumps"] == "1" and status.values["newest_age_ms"] == "unknown"


def test_overload_is_warned_of_but_not_limits_that_were_asked_for() -> None:
    """Newest frame wins: the share of the others is the measure of overload."""
    status = judged(perceived=15, replaced=15)
    assert status.level is Level.WARN and status.values["drop_ratio"] == "0.500"
    assert "50% of the images of the last 1.0 s dropped, mostly replaced" in status.message
    assert judged(perceived=15, limited=15).level is Level.OK
    assert judged(perceived=28, replaced=2).level is Level.OK


def test_an_image_in_work_and_then_done_leaves_the_rate_alone() -> None:
    """Such numbers go up and down: they must not look like counters that began anew."""
    health = InputHealth(OPTIONS)
    health.start(0.0)
    for second in range(1, 5):
        health.received(float(second), S)
        counts = {"received": 30 * second, "perceived": 30 * second, "in_work": second % 2}
        status = health.status(float(second), counts, {}, TOPIC, 0)
        assert status.values["rate_hz"] == "30.0" and status.values["in_work"] == str(second % 2)


@pytest.mark.parametrize(
    ("age_s", "expected"),
    [(1.7e9, "53.9 years old by this node's clock"), (-40.0, "40.0 s ahead of the node's clock")],
)
def test_images_of_another_clock_are_warned_of_while_they_come(age_s: float, expected: str) -> None:
    """In both directions; where that drops all of them, the error says so, too."""
    status = judged(stamps={"age_s": age_s, "future": 30 if age_s < 0 else 0})
    assert status.level is Level.WARN and expected in status.message
    assert "use_sim_time?" in status.message and status.values["state"] == "active"
    dropped = judged(stamps={"age_s": age_s}, perceived=0, stale=30)
    assert dropped.level is Level.ERROR and expected in dropped.message


def test_a_simulated_clock_that_stands_is_warned_of() -> None:
    """The ages are unknown then; a clock of the system never stands."""
    health = InputHealth(OPTIONS)
    health.start(10.0)
    health.received(10.5, 100 * S)
    counts = {"received": 1, "perceived": 1}
    assert health.status(10.6, counts, {}, TOPIC, 0).level is Level.OK
    status = health.status(10.6, counts, {}, TOPIC, 0, sim_time=True)
    assert status.level is Level.WARN and "nothing comes on /clock" in status.message
    assert health.status(10.6, counts, {"age_s": 0.1}, TOPIC, S, sim_time=True).level is Level.OK
