# SPDX-License-Identifier: Apache-2.0
"""The inference thread beside others: hangs, swaps, the gate, overload; books always balance."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from itertools import pairwise
from random import Random
from time import perf_counter, sleep
from typing import Any

import numpy as np
import pytest
from worker_bench import PATIENCE_S, FakeBackend, at, bench, image_of, wait_for

from shared_encoder_perception.images.counts import DROP_REASONS, Counts
from shared_encoder_perception.images.stamps import Limits
from shared_encoder_perception.node.gate import Gate
from shared_encoder_perception.node.ledger import Ledger
from shared_encoder_perception.node.mailbox import Mailbox
from shared_encoder_perception.predictor import Predictor


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Let Python change threads nearly after every instruction, to find gaps between two."""
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval_s)


def test_hung_image_counts_as_lost_and_is_never_published() -> None:
    refined: list[Any] = []
    with bench(refine=lambda *seen: refined.append(seen)) as b:
        b.backend.gate.clear()
        b.submit(image_of(1))
        assert b.backend.entered.wait(PATIENCE_S)
        b.submit(image_of(2))
        assert not b.worker.stop(0.05)
        expected = Counts(received=2, lost=1, discarded=1)
        assert b.worker.counts == expected
        b.backend.gate.set()
        wait_for(lambda: not b.worker.is_alive)
        assert b.worker.counts == expected
        assert not b.published and not refined and not b.reports


def test_swapped_predictor_takes_the_next_image_and_the_old_one_none() -> None:
    with bench() as b:
        b.ask(image_of(1))
        old = b.worker._predictor
        fresh = FakeBackend()
        assert b.worker.swap(Predictor(fresh)) is old  # type: ignore[arg-type]
        b.ask(image_of(2))
        assert (b.backend.calls, fresh.calls) == (1, 1)


def test_swap_waits_for_the_image_in_work_and_that_is_still_published() -> None:
    with bench() as b:
        b.backend.gate.clear()
        b.submit(image_of(1))
        assert b.backend.entered.wait(PATIENCE_S)
        threading.Timer(0.05, b.backend.gate.set).start()
        b.worker.swap(Predictor(FakeBackend()))  # type: ignore[arg-type]
        assert len(b.published) == 1


def test_swap_behind_a_hung_backend_gives_up_and_changes_nothing() -> None:
    with bench() as b:
        b.backend.gate.clear()
        b.submit(image_of(1))
        assert b.backend.entered.wait(PATIENCE_S)
        fresh = FakeBackend()
        with pytest.raises(TimeoutError, match=r"not finished after 0\.05 s"):
            b.worker.swap(Predictor(fresh), 0.05)  # type: ignore[arg-type]
        b.backend.gate.set()
        b.settle()
        assert b.ask(image_of(2)).perceived == 2
        assert (b.backend.calls, fresh.calls) == (2, 0)


def test_swaps_under_load_starve_nobody_and_mix_nothing_up() -> None:
    """Two threads swap while images come as fast as they can; an old engine is never used again."""
    retired: set[int] = set()
    misuse: list[int] = []

    class Watched(FakeBackend):
        def infer(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            if id(self) in retired:
                misuse.append(id(self))
            return super().infer(inputs)

    kept: list[Any] = []

    def swap() -> None:
        for _ in range(30):
            fresh = Watched(0.001)
            kept.append(fresh)
            retired.add(id(b.worker.swap(Predictor(fresh)).backend))
            sleep(0.01)

    with bench(backend=Watched(0.001)) as b:
        kept.append(b.backend)
        swappers = [threading.Thread(target=swap) for _ in range(2)]
        for thread in swappers:
            thread.start()
        number = 0
        while any(thread.is_alive() for thread in swappers):
            number += 1
            b.submit(image_of(number))
            sleep(0.0002)
        assert not misuse and len(retired) == 60
        assert b.settle().perceived > 20


def test_gate_holds_the_thread_while_others_change_things() -> None:
    with bench() as b:
        with b.worker.between_images():
            b.submit(image_of(1))
            sleep(0.05)
            assert b.worker.busy_since_s() is None and b.worker.counts.in_work == 1
            assert not b.published
        assert b.settle().perceived == 1


def test_gate_opens_after_an_error_and_one_at_a_time_may_hold_it() -> None:
    gate = Gate()
    with pytest.raises(KeyError), gate.closed(1.0):
        raise KeyError
    with gate.closed(1.0), pytest.raises(TimeoutError, match="others"), gate.closed(0.02):
        pytest.fail("two hold it")
    with gate.turn():
        assert gate.busy_since_s is not None
    assert gate.busy_since_s is None


def test_stop_while_the_gate_is_held_uses_no_engine_afterwards() -> None:
    with bench() as b:
        with b.worker.between_images():
            b.submit(image_of(1))
            wait_for(lambda: b.worker.counts.in_work)
            assert not b.worker.stop(0.05)
        wait_for(lambda: not b.worker.is_alive)
        assert b.backend.calls == 0
        assert b.worker.counts == Counts(received=1, lost=1)


@pytest.mark.parametrize("rate_hz", [60.0, 200.0])
def test_overload_keeps_the_age_below_two_inferences(rate_hz: float) -> None:
    """A slow engine costs images, not time; and every one of them is in the books."""
    inference_s, margin_s = 0.05, 0.02
    with bench(backend=FakeBackend(inference_s)) as b:
        start_s = perf_counter()
        sent = round(1.5 * rate_hz)
        for number in range(sent):
            sleep(max(0.0, start_s + number / rate_hz - perf_counter()))
            b.submit(image_of(1 + number / rate_hz))
        counts = b.settle()
        assert counts.perceived + counts.replaced == sent == counts.received
        assert 10 <= counts.perceived <= 32
        times = b.worker.stage_times()
        # What the machine made of the 50 ms: others may run on it while this test does.
        slowest_s = max(stages["total"] - stages["waiting"] for stages in times) / 1e3
        ages_s = [
            arrived_s - image.received_s
            for arrived_s, image in zip(b.arrived_s, b.published, strict=True)
        ]
        assert max(ages_s) <= 2 * slowest_s + margin_s
        assert np.median(ages_s) <= 2 * inference_s + margin_s
        assert b.published[-1].header.stamp == image_of(1 + (sent - 1) / rate_hz).header.stamp


@pytest.mark.parametrize("seed", range(20))
def test_books_balance_after_every_step_of_any_interleaving(seed: int) -> None:
    """Random steps of all parties against a model that keeps a list of fates."""
    random = Random(seed)
    box: Mailbox[int] = Mailbox()
    ledger = Ledger(box)
    fates: dict[int, str] = {}
    in_work: int | None = None
    is_closed = False

    def waiting() -> list[int]:
        return [item for item, fate in fates.items() if fate == "waiting"]

    for item in range(300):
        step = random.random()
        if step < 0.45:
            for old in waiting() if not is_closed else []:
                fates[old] = "replaced"
            ledger.put(item)
            fates[item] = "discarded" if is_closed else "waiting"
        elif step < 0.55:
            fates[item] = random.choice(["limited", "disabled"])
            ledger.refuse(fates[item])
        elif step < 0.75 and in_work is None:
            taken = box.take(timeout_s=0.0)
            assert ([] if taken is None else [taken]) == waiting()
            in_work = taken
            if taken is not None:
                fates[taken] = "in_work"
        elif step < 0.95 and in_work is not None:
            outcome = random.choice(["perceived", "rejected", "lost", "stale", "late", "disabled"])
            expected = fates[in_work] == "in_work"
            assert ledger.finish(outcome) is expected
            if expected:
                fates[in_work] = outcome
            in_work = None
        elif step > 0.998:
            box.close()
            is_closed = True
            for old in waiting():
                fates[old] = "discarded"
            if in_work is not None and random.random() < 0.5:
                ledger.give_up()
                fates[in_work] = "lost"
        counts = ledger.counts
        tally = list(fates.values())
        assert counts.received == len(tally) == counts.perceived + counts.dropped + counts.pending
        for fate in ("perceived", "waiting", "in_work", *DROP_REASONS):
            assert getattr(counts, fate) == tally.count(fate), fate


@pytest.mark.parametrize("seed", range(4))
def test_books_balance_at_any_instant_whatever_the_threads_do(
    seed: int, hasty_threads: None
) -> None:
    """Several cameras' worth of images, a failing engine, switches: somebody always looks."""
    random = Random(seed)
    seen: list[Counts] = []
    done = threading.Event()
    with bench(backend=FakeBackend(0.0005), limits=Limits(max_age_s=5.0), now_ns=at(100.0)) as b:
        lock = threading.Lock()

        def watch() -> None:
            while not done.is_set():
                seen.append(b.worker.counts)

        def send(numbers: range) -> None:
            for number in numbers:
                message = image_of(random.choice([0.0, 94.0, 99.0 + number / 1000, 99.5]))
                if random.random() < 0.2:
                    message.encoding = "?"
                with lock:
                    b.submitted += 1
                b.worker.submit(message, perf_counter())
                sleep(random.choice([0.0, 0.0005, 0.002]))

        def meddle() -> None:
            while not done.is_set():
                b.worker.set_enabled(random.random() < 0.8)
                b.worker.limits = Limits(5.0, random.choice([0.0, 300.0]), 0.3)
                b.backend.errors += [RuntimeError()] * (random.random() < 0.3)
                b.publish_error = RuntimeError() if random.random() < 0.2 else None
                sleep(0.003)

        senders = [threading.Thread(target=send, args=(range(200),)) for _ in range(3)]
        others = [threading.Thread(target=task) for task in (watch, meddle)]
        for thread in (*senders, *others):
            thread.start()
        for thread in senders[:2]:
            thread.join(PATIENCE_S)
        b.worker.stop(PATIENCE_S)  # while the last one still sends
        senders[2].join(PATIENCE_S)
        done.set()
        for thread in others:
            thread.join(PATIENCE_S)
    for counts in (*seen, b.worker.counts):
        assert counts.received == counts.perceived + counts.dropped + counts.pending
        assert counts.waiting in (0, 1) and counts.in_work in (0, 1)
        assert min(counts.dropped_by_reason().values()) >= 0
    assert all(a.received <= c.received for a, c in pairwise(seen))
    assert b.worker.counts.received == 600
    assert len({counts.received for counts in seen}) > 50, "nobody looked in between"
    final = b.worker.counts.dropped_by_reason()
    assert sum(number > 0 for number in final.values()) >= 5, final
