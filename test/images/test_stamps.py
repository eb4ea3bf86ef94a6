# SPDX-License-Identifier: Apache-2.0
"""Stamps: what is late, what is a jump, what is from the future, and how many images may pass."""

from __future__ import annotations

from math import isnan, nan
from types import SimpleNamespace

import numpy as np
import pytest

from shared_encoder_perception.images.stamps import (
    FUTURE_TOLERANCE_S,
    JUMP_QUIET_IMAGES,
    OTHER_CLOCK_S,
    RateLimit,
    StampCounts,
    StampVerdict,
    StampWatch,
    off_clock,
    stamp_ns,
)

WINDOW_S = 0.5
START_S = 1_700_000_000.0


class Watched:
    """A watch that is asked in seconds since ``START_S``."""

    def __init__(self) -> None:
        self.watch = StampWatch()

    def __call__(self, stamp_s: float, now_s: float | None = None) -> StampVerdict:
        """Check an image; by default it is 50 ms old."""
        now_s = stamp_s + 0.05 if now_s is None else now_s
        image_ns, clock_ns = (round((START_S + time_s) * 1e9) for time_s in (stamp_s, now_s))
        return self.watch.check(image_ns, clock_ns, WINDOW_S)

    @property
    def counts(self) -> StampCounts:
        """What was counted."""
        return self.watch.counts


def test_a_steady_camera_raises_nothing() -> None:
    watched = Watched()
    for number in range(100):
        verdict = watched(number / 30)
        assert verdict.age_s == pytest.approx(0.05, abs=1e-6)
        assert not verdict.is_late and verdict.jump_s == 0.0 and verdict.warning == ""
    assert watched.counts == StampCounts(age_s=watched.counts.age_s)


def test_images_without_a_stamp_pass_and_are_told_of_once() -> None:
    watched = Watched()
    watched(10.0)
    verdicts = [watched.watch.check(0, round(START_S * 1e9), WINDOW_S) for _ in range(3)]
    assert [bool(verdict.warning) for verdict in verdicts] == [True, False, False]
    assert "no stamp" in verdicts[0].warning
    assert all(isnan(verdict.age_s) and not verdict.is_late for verdict in verdicts)
    assert watched.counts.zero == 3 and watched.counts.jumps == 0
    # They say nothing about time: the order of the others is as before.
    assert not watched(10.1).jump_s and watched(10.0).is_late


@pytest.mark.parametrize(
    ("back_s", "late", "jump"),
    [(0.001, True, False), (0.499, True, False), (0.5, False, True), (3600.0, False, True)],
)
def test_a_little_back_is_late_and_far_back_is_a_jump(
    back_s: float, late: bool, jump: bool
) -> None:
    watched = Watched()
    watched(10.0)
    verdict = watched(10.0 - back_s)
    assert verdict.is_late is late
    assert (verdict.jump_s < 0.0) is jump
    assert (watched.counts.late, watched.counts.jumps) == (late, jump)
    if jump:
        assert verdict.jump_s == pytest.approx(-back_s, abs=1e-6)
        assert "time jumped by -" in verdict.warning


def test_every_loop_of_a_bag_is_one_jump() -> None:
    """After it, the new time counts; and each is told, for each forgets the tracks."""
    watched = Watched()
    verdicts = [watched(second / 10) for _ in range(4) for second in range(50)]
    jumps = [index for index, verdict in enumerate(verdicts) if verdict.jump_s]
    assert jumps == [50, 100, 150]
    assert [index for index, verdict in enumerate(verdicts) if verdict.warning] == jumps
    assert not any(verdict.is_late for verdict in verdicts)
    assert watched.counts.jumps == 3


def test_two_clocks_on_one_topic_do_not_fill_the_log() -> None:
    watched = Watched()
    verdicts = [watched(number / 15 + 100 * (number % 2)) for number in range(300)]
    told = [verdict for verdict in verdicts if "jumped" in verdict.warning]
    assert watched.counts.jumps == 149
    assert len(told) == pytest.approx(300 / JUMP_QUIET_IMAGES, abs=1)


def test_one_wild_stamp_does_no_lasting_harm() -> None:
    """A stamp of the year 2100 is not believed for longer than one image."""
    watched = Watched()
    watched(1.0)
    watched(3e9, now_s=1.1)
    after = [watched(1.2), watched(1.3)]
    assert after[0].jump_s < 0.0 and not any(verdict.is_late for verdict in after)
    assert after[1].jump_s == 0.0


def test_late_images_do_not_move_the_time() -> None:
    watched = Watched()
    watched(10.0)
    assert [watched(10.0 - step).is_late for step in (0.4, 0.3, 0.2)] == [True] * 3
    assert not watched(10.01).is_late


def test_without_a_window_every_step_back_is_a_jump() -> None:
    watch = StampWatch()
    watch.check(2_000_000_000, 0, 0.0)
    verdict = watch.check(1_999_999_999, 0, 0.0)
    assert not verdict.is_late and verdict.jump_s == pytest.approx(-1e-9)


def test_two_images_of_one_stamp_are_both_processed() -> None:
    watched = Watched()
    verdicts = [watched(1.0), watched(1.0), watched(1.0), watched(1.1)]
    assert not any(verdict.is_late or verdict.jump_s for verdict in verdicts)
    assert [bool(verdict.warning) for verdict in verdicts] == [False, True, False, False]
    assert watched.counts.duplicate == 2


def test_images_from_the_future_are_told_of() -> None:
    watched = Watched()
    assert watched(1.0, now_s=1.0 - FUTURE_TOLERANCE_S / 2).warning == ""
    verdict = watched(2.0, now_s=1.0)
    assert verdict.age_s == pytest.approx(-1.0, abs=1e-6)
    assert "1.000 s ahead" in verdict.warning
    assert watched.counts.future == 1
    assert watched.counts.age_s == pytest.approx(-1.0, abs=1e-6)


def test_a_jump_does_not_hide_that_images_come_from_the_future() -> None:
    watched = Watched()
    watched(50.0)
    assert "jumped" in watched(20.0, now_s=10.0).warning
    assert "ahead" in watched(20.1, now_s=10.1).warning


def test_a_simulated_clock_that_does_not_run_yet_makes_no_ages() -> None:
    watch = StampWatch()
    verdict = watch.check(round(START_S * 1e9), 0, WINDOW_S)
    assert isnan(verdict.age_s) and verdict.warning == ""
    assert watch.counts.future == 0


def test_nanoseconds_are_not_lost() -> None:
    """A float would round them; bags are compared by them."""
    header = SimpleNamespace(stamp=SimpleNamespace(sec=1_700_000_000, nanosec=123_456_789))
    assert stamp_ns(header) == 1_700_000_000_123_456_789


@pytest.mark.parametrize("sent_hz", [30.0, 60.0, 29.97])
@pytest.mark.parametrize("limit_hz", [1.0, 10.0, 20.0, 25.0, 29.0])
def test_the_rate_is_kept_on_average(sent_hz: float, limit_hz: float) -> None:
    """A limit of 20 lets 20 of 30 images a second pass, not 15."""
    rng = np.random.default_rng(0)
    times = np.arange(0.0, 60.0, 1 / sent_hz)
    times = np.sort(times + rng.uniform(-0.004, 0.004, times.size))
    limit = RateLimit()
    passed = np.array([time for time in times if limit.admits(time, limit_hz)])
    assert len(passed) == pytest.approx(60 * limit_hz, rel=0.02, abs=1)
    for width_s in (0.5, 1.0, 5.0):
        most = max(np.sum((passed >= time) & (passed < time + width_s)) for time in passed)
        assert most <= 2 + width_s * limit_hz


def test_jitter_costs_nothing_at_the_limit() -> None:
    rng = np.random.default_rng(1)
    limit = RateLimit()
    times = np.arange(300) / 30 + rng.uniform(-0.008, 0.008, 300)
    assert all(limit.admits(time, 30.0) for time in times)


def test_a_pause_saves_nothing_up() -> None:
    """After ten silent seconds, a burst is limited as ever."""
    limit = RateLimit()
    assert limit.admits(0.0, 10.0)
    assert sum(limit.admits(10.0 + n / 1000, 10.0) for n in range(100)) == 2


def test_no_limit_and_a_limit_that_is_changed() -> None:
    limit = RateLimit()
    assert all(limit.admits(0.001 * n, 0.0) for n in range(100))
    assert [limit.admits(time, 1.0) for time in (1.0, 1.1, 1.2)] == [True, True, False]
    # What was booked under another limit is no debt once it is off.
    assert limit.admits(1.3, 0.0) and limit.admits(1.4, 1.0)


@pytest.mark.parametrize(
    ("age_s", "shown"),
    [
        (1.7e9, "53.9 years old"),
        (3 * 86400.0, "3.0 days old"),
        (7200.0, "2.0 hours old"),
        (42.0, "42.0 s old"),
        (-1.7e9, "53.9 years ahead"),
        (-30.0, "30.0 s ahead"),
    ],
)
def test_images_of_another_clock_are_told_of_once_in_either_direction(
    age_s: float, shown: str
) -> None:
    watch, now_s = StampWatch(), 1.8e9
    verdicts = [
        watch.check(round((now_s - age_s + number) * 1e9), round((now_s + number) * 1e9), WINDOW_S)
        for number in range(5)
    ]
    assert [bool(verdict.warning) for verdict in verdicts] == [True] + [False] * 4
    assert shown in verdicts[0].warning and "use_sim_time?" in verdicts[0].warning
    assert not any(verdict.is_late for verdict in verdicts), "they are perceived all the same"


@pytest.mark.parametrize("age_s", [0.0, 2.0, OTHER_CLOCK_S, -OTHER_CLOCK_S, nan])
def test_what_a_queue_or_an_unknown_clock_explains_is_no_other_clock(age_s: float) -> None:
    assert off_clock(age_s) == ""
    assert StampWatch().check(1000 * 10**9, 0, WINDOW_S).warning == "", "a clock that stands"
