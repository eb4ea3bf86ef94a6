# SPDX-License-Identifier: Apache-2.0
"""Clouds and the answers to images near them: which, and how long they wait for it."""

from __future__ import annotations

from threading import Thread
from time import perf_counter

from patience import PATIENCE_S

from shared_encoder_perception.node.pairing import ANSWERS, CLOUDS, Pairing


def test_the_nearest_counts_on_either_side() -> None:
    """Decided at once: there is an answer from later."""
    pairing = Pairing()
    pairing.max_wait_s = PATIENCE_S
    for stamp in (1000, 2000, 3000):
        pairing.add_answer(stamp * 10**6, f"at {stamp}")
    for stamp, answer, skew in ((1600, "at 2000", 0.4), (1400, "at 1000", -0.4), (3000, None, 0)):
        assert not pairing.add_cloud(stamp * 10**6, stamp)
        pair = pairing.take()
        assert pair is not None and pair.cloud == stamp
        assert pair.answer == (answer or "at 3000") and abs(pair.skew_s - skew) < 1e-9


def test_a_cloud_waits_for_what_was_taken_after_it() -> None:
    """The answer from before is nearer than nothing, and further than what comes."""
    pairing, found = Pairing(), []
    pairing.max_wait_s = PATIENCE_S
    pairing.add_answer(0, "before")
    pairing.add_cloud(10, "cloud")
    thread = Thread(target=lambda: found.append(pairing.take()))
    thread.start()
    thread.join(0.2)
    assert not found
    pairing.add_answer(12, "after")
    thread.join(PATIENCE_S)
    assert found[0].answer == "after"


def test_it_waits_no_longer_than_it_may() -> None:
    """Then it takes what there is, or nothing."""
    pairing, start_s = Pairing(), perf_counter()
    pairing.max_wait_s = 0.05
    pairing.add_cloud(10, "cloud")
    pair = pairing.take()
    assert pair is not None and pair.answer is None and perf_counter() - start_s >= 0.05
    pairing.add_answer(7, "before")
    pairing.add_cloud(10, "next")
    pair = pairing.take()
    assert pair is not None and (pair.cloud, pair.answer) == ("next", "before")


def test_of_too_many_clouds_the_oldest_goes() -> None:
    """And the memory for answers ends somewhere."""
    pairing = Pairing()
    given_up = [pairing.add_cloud(number, number) for number in range(CLOUDS + 2)]
    assert given_up == [False] * CLOUDS + [True] * 2
    for stamp in range(10 * ANSWERS):
        pairing.add_answer(stamp, stamp)
    assert len(pairing._answers) == ANSWERS
    pair = pairing.take()
    assert pair is not None and pair.cloud == 2


def test_closing_wakes_who_waits_and_says_who_is_left() -> None:
    """Nothing is taken in any more."""
    pairing, found = Pairing(), []
    pairing.max_wait_s = PATIENCE_S
    pairing.add_cloud(5, "left")
    thread = Thread(target=lambda: found.append(pairing.take()))
    thread.start()
    assert pairing.close() == 1
    thread.join(PATIENCE_S)
    assert found == [None] and not pairing.add_cloud(6, "late") and pairing.close() == 0


def test_a_jump_in_time_takes_the_answers_along() -> None:
    """A bag that begins again: the answers of its end are in the future of its beginning."""
    pairing = Pairing()
    pairing.add_answer(9_000, "end")
    pairing.forget()
    pairing.add_cloud(1_000, "cloud")
    pair = pairing.take()
    assert pair is not None and pair.answer is None
