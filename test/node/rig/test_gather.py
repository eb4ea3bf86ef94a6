# SPDX-License-Identifier: Apache-2.0
"""Images of several cameras become moments, and every image ends in exactly one number."""

from __future__ import annotations

from math import inf, isnan
from threading import Thread
from time import perf_counter

import numpy as np
import pytest
from patience import PATIENCE_S

from shared_encoder_perception.node.rig.camera_counts import CameraCounts
from shared_encoder_perception.node.rig.gather import MOST_WAITS, Gather
from shared_encoder_perception.node.rig.moment import APART, DEAD, LATE, Moment, Timing

NAMES = ("front", "left", "rear", "right")
TIMING = Timing(max_skew_s=0.05, wait_s=0.05, min_cameras=1, dead_s=0.5)


def gathered(timing: Timing = TIMING, names: tuple[str, ...] = NAMES) -> Gather[int]:
    """Return a gather that was opened at 0 s."""
    return Gather(names, timing, now_s=0.0)


def put(gather: Gather[int], name: str, stamp_s: float, at_s: float | None = None) -> None:
    """Leave an image that was taken, and came, at a time."""
    came_s = stamp_s if at_s is None else at_s
    gather.put(name, 0, round((1000 + stamp_s) * 1e9), came_s)


def rest(counts: CameraCounts) -> dict[str, int]:
    """Return what is not 0."""
    return {name: n for name, n in vars(counts).items() if n}


def test_a_moment_comes_as_soon_as_all_cameras_have_an_image() -> None:
    gather = gathered()
    for index, name in enumerate(NAMES):
        assert gather.poll(0.1) is None
        put(gather, name, 0.1 + 0.01 * index, 0.1)
    moment = gather.poll(0.1)
    assert moment is not None
    assert (moment.anchor, tuple(moment.images), dict(moment.missing)) == ("front", NAMES, {})
    assert moment.skew_s("right") == pytest.approx(0.03) and moment.skew_s("front") == 0
    assert gather.finish(dict.fromkeys(NAMES, "used"))
    assert {rest(one)["used"] for one in gather.counts.values()} == {1}


@pytest.mark.parametrize("order", [NAMES, NAMES[::-1]])
def test_the_order_in_which_they_come_does_not_matter(order: tuple[str, ...]) -> None:
    gather = gathered()
    for name in order:
        put(gather, name, 0.1)
    moment = gather.poll(0.1)
    assert moment is not None and tuple(moment.images) == NAMES


def test_the_newest_of_each_camera_counts() -> None:
    gather = gathered(names=("front", "left"))
    put(gather, "left", 0.02)
    put(gather, "left", 0.06)
    put(gather, "front", 0.05)
    moment = gather.poll(0.06)
    assert moment is not None and moment.skew_s("left") == pytest.approx(0.01)
    assert rest(gather.counts["left"]) == {"received": 2, "replaced": 1, "in_work": 1}


def test_a_camera_that_is_late_is_waited_for_and_then_missing() -> None:
    gather = gathered()
    for name in NAMES[:3]:
        put(gather, name, 0.1)
    assert gather.poll(0.149) is None and gather.due_s(0.149) == pytest.approx(0.15)
    moment = gather.poll(0.151)
    assert moment is not None and tuple(moment.images) == NAMES[:3]
    assert moment.missing["right"].why == LATE and isnan(moment.skew_s("right"))


def test_a_dead_camera_is_not_waited_for_until_it_sends_again() -> None:
    gather = gathered()
    put(gather, "front", 0.0)
    assert gather.poll(0.06) is not None
    gather.finish({"front": "used"})
    for name in NAMES[:3]:
        put(gather, name, 0.6)  # the fourth has sent nothing since 0 s
    moment = gather.poll(0.6)
    assert moment is not None and moment.missing["right"].why == DEAD
    gather.finish(dict.fromkeys(NAMES[:3], "used"))
    put(gather, "right", 0.7)
    for name in NAMES[:2]:
        put(gather, name, 0.7)
    assert gather.poll(0.7) is None, "the rear camera is waited for"
    put(gather, "rear", 0.7)
    moment = gather.poll(0.7)
    assert moment is not None and tuple(moment.images) == NAMES


def test_cameras_that_start_together_long_after_us_are_not_dead() -> None:
    gather = gathered()
    put(gather, "left", 60.0)
    assert gather.poll(60.0) is None, "the anchor may come"
    for name in ("right", "rear", "front"):
        put(gather, name, 60.01)
    moment = gather.poll(60.01)
    assert moment is not None and tuple(moment.images) == NAMES


def test_a_dead_anchor_is_followed_by_the_next_camera_after_half_a_second() -> None:
    gather = gathered()
    put(gather, "front", 0.0)
    assert gather.poll(0.05) is not None
    gather.finish({"front": "used"})
    for stamp_s in (0.1, 0.2, 0.3, 0.4):
        for name in NAMES[1:]:
            put(gather, name, stamp_s)
        assert gather.poll(stamp_s + 0.09) is None
    assert gather.due_s(0.49) == pytest.approx(0.5)
    moment = gather.poll(0.501)
    assert moment is not None and moment.anchor == "left"
    assert moment.missing["front"].why == DEAD and tuple(moment.images) == NAMES[1:]
    gather.finish(dict.fromkeys(NAMES[1:], "used"))
    for name in NAMES[1:]:
        put(gather, name, 0.6)
    moment = gather.poll(0.6)
    assert moment is not None and moment.anchor == "left", "at once, from now on"
    gather.finish(dict.fromkeys(NAMES[1:], "used"))
    for name in NAMES:
        put(gather, name, 0.7)
    moment = gather.poll(0.7)
    assert moment is not None and moment.anchor == "front", "it is back"


@pytest.mark.parametrize(("skew_s", "together"), [(0.03, True), (-0.03, True), (0.2, False)])
def test_the_skew_decides(skew_s: float, together: bool) -> None:
    gather = gathered(names=("front", "left"))
    put(gather, "front", 0.3)
    put(gather, "left", 0.3 + skew_s, 0.3)
    moment = gather.poll(0.3)
    assert moment is not None and moment.skew_s("left") == pytest.approx(skew_s)
    assert ("left" in moment.images) == together
    assert together or moment.missing["left"].why == APART


def test_an_image_that_is_too_old_is_waited_beyond_and_dropped() -> None:
    gather = gathered(names=("front", "left"))
    put(gather, "left", 0.1)
    put(gather, "front", 0.3)
    assert gather.poll(0.3) is None, "a newer one may come"
    moment = gather.poll(0.351)
    assert moment is not None and moment.missing["left"].why == APART
    assert moment.skew_s("left") == pytest.approx(-0.2)
    assert rest(gather.counts["left"]) == {"received": 1, "apart": 1}


def test_an_image_that_is_too_new_is_not_waited_for_and_kept() -> None:
    """No older one will come of that camera; this one belongs to the next moment."""
    gather = gathered(names=("front", "left"))
    put(gather, "front", 0.1, 0.2)
    put(gather, "left", 0.2, 0.2)
    moment = gather.poll(0.2)
    assert moment is not None and moment.missing["left"].why == APART
    gather.finish({"front": "used"})
    put(gather, "front", 0.2, 0.3)
    moment = gather.poll(0.3)
    assert moment is not None and tuple(moment.images) == ("front", "left")


def test_one_that_was_left_over_long_ago_belongs_to_nothing() -> None:
    """The clock of its camera was an hour ahead, and then it died."""
    gather = gathered(names=("front", "left"))
    put(gather, "left", 3600.0, 0.1)
    put(gather, "front", 3600.0, 3600.0)
    moment = gather.poll(3600.0)
    assert moment is not None and moment.missing["left"].why == APART
    assert rest(gather.counts["left"]) == {"received": 1, "apart": 1}


def test_with_too_few_cameras_there_is_no_moment() -> None:
    gather = gathered(Timing(min_cameras=3))
    for name in NAMES[:2]:
        put(gather, name, 0.1)
    assert gather.poll(0.4) is None
    for name in NAMES[:2]:
        put(gather, name, 0.45)
    put(gather, "right", 0.45)
    assert gather.poll(0.45) is None, "the fourth is alive, and has its time from now on"
    moment = gather.poll(0.501)
    assert moment is not None and tuple(moment.images) == ("front", "left", "right")


def test_a_moment_that_was_given_up_costs_the_next_none_of_its_time() -> None:
    gather = gathered(Timing(min_cameras=2), NAMES[:3])
    put(gather, "front", 0.1)
    put(gather, "left", 0.1)
    assert gather.poll(0.1) is None, "the rear camera is waited for"
    put(gather, "front", 0.19)
    assert gather.poll(0.19) is None, "and now the left one, too"
    put(gather, "left", 0.21)
    assert gather.poll(0.21) is None, "the rear one has its whole time"
    assert gather.poll(0.241) is not None


def test_an_anchor_that_died_alone_does_not_stand_in_the_way() -> None:
    gather = gathered(Timing(min_cameras=2))
    put(gather, "front", 0.0)
    assert gather.poll(0.05) is None
    for stamp_s in (0.3, 0.6):
        for name in NAMES[1:]:
            put(gather, name, stamp_s)
        moment = gather.poll(stamp_s)
        assert (moment is None) == (stamp_s == 0.3)
    assert rest(gather.counts["front"]) == {"received": 1, "apart": 1}


def test_a_fast_anchor_does_not_put_the_moment_off_for_ever() -> None:
    gather = gathered(names=("front", "left"))
    put(gather, "left", 0.0)
    gather.poll(0.0)
    for step in range(1, 100):
        put(gather, "front", 0.3 + 0.01 * step)
        put(gather, "left", 0.01 * step, 0.3 + 0.01 * step)  # alive, and always too old
        if gather.poll(0.3 + 0.01 * step) is not None:
            break
    assert step * 0.01 == pytest.approx(MOST_WAITS * TIMING.wait_s + 0.015, abs=0.006)


def test_stamps_that_go_back_a_little_are_late_and_further_a_new_time() -> None:
    gather = gathered(names=("front",))
    for stamp_s, outcome in ((10.0, 1), (9.8, 0), (10.0, 0), (5.0, 1), (5.0, 0), (5.1, 1)):
        put(gather, "front", stamp_s, 1.0)
        moment = gather.poll(1.0)
        assert (moment is not None) == bool(outcome), stamp_s
        if moment:
            gather.finish({"front": "used"})
    assert rest(gather.counts["front"]) == {"received": 6, "used": 3, "late": 3}


def test_a_camera_that_repeats_one_image_counts_as_dead() -> None:
    gather = gathered(names=("front", "left"))
    for at_s in np.arange(0.1, 1.0, 0.1):
        put(gather, "front", 0.1, at_s)
        put(gather, "left", at_s)
        if moment := gather.poll(at_s):
            gather.finish(dict.fromkeys(moment.images, "used"))
    assert moment is not None and moment.anchor == "left"
    assert gather.counts["front"].late == 8


def test_images_without_a_stamp_are_never_late() -> None:
    gather = gathered(names=("front",))
    for _ in range(3):
        gather.put("front", 0, 0, 0.1)
        assert gather.poll(0.1) is not None
        gather.finish({"front": "used"})


def test_what_waits_at_the_end_is_left_and_what_is_in_work_may_be_given_up() -> None:
    gather = gathered(names=("front", "left"))
    put(gather, "front", 0.1)
    put(gather, "left", 0.1)
    assert gather.poll(0.1) is not None
    put(gather, "left", 0.2)
    gather.close()
    put(gather, "front", 0.3)
    assert gather.poll(0.3) is None and gather.take() is None
    gather.give_up()
    assert not gather.finish({"front": "used", "left": "used"})
    assert rest(gather.counts["front"]) == {"received": 2, "lost": 1, "left": 1}
    assert rest(gather.counts["left"]) == {"received": 2, "lost": 1, "left": 1}


def test_the_taker_wakes_up_when_the_wait_is_over_and_at_the_end() -> None:
    gather: Gather[int] = Gather(("front", "left"), Timing(wait_s=0.02, dead_s=PATIENCE_S))
    moments: list[Moment[int] | None] = []

    def work() -> None:
        while (moment := gather.take()) is not None:
            moments.append(moment)
            gather.finish(dict.fromkeys(moment.images, "used"))
        moments.append(None)

    thread = Thread(target=work)
    thread.start()
    gather.put("front", 0, 10, perf_counter())
    deadline_s = perf_counter() + PATIENCE_S
    while not moments and perf_counter() < deadline_s:
        thread.join(0.01)
    gather.close()
    thread.join(PATIENCE_S)
    assert len(moments) == 2 and moments[0] is not None and moments[0].missing["left"].why == LATE
    assert gather.due_s(0.0) == inf
