# SPDX-License-Identifier: Apache-2.0
"""Images that are too old, too many, or not wanted: dropped, and counted as such."""

from __future__ import annotations

import threading
from math import isnan
from time import perf_counter
from typing import Any

import pytest
from worker_bench import PATIENCE_S, at, bench, image_of

from shared_encoder_perception.images.counts import Counts
from shared_encoder_perception.images.stamps import Limits


def test_old_image_is_stale_by_the_nodes_clock() -> None:
    with bench(now_ns=at(100.0), limits=Limits(max_age_s=0.2)) as b:
        assert b.ask(image_of(99.7)) == Counts(received=1, stale=1)
        assert "0.300 s old" in b.reports[0] and "input.max_age_s is 0.2" in b.reports[0]
        assert b.ask(image_of(99.9)).perceived == 1
        assert b.published[0].age_s == pytest.approx(0.1)
        assert b.backend.calls == 1
        b.worker.limits = Limits(max_age_s=0.05)
        assert b.ask(image_of(99.91)).stale == 2
        b.worker.limits = Limits()
        assert b.ask(image_of(99.92)).perceived == 2


def test_image_that_waited_too_long_is_stale() -> None:
    """Its age counts when its turn comes, not when it came."""
    now = [100.0]
    with bench(now_ns=lambda: round(now[0] * 1e9), limits=Limits(max_age_s=0.2)) as b:
        b.backend.gate.clear()
        b.submit(image_of(100.0))
        assert b.backend.entered.wait(PATIENCE_S)
        b.submit(image_of(100.05))
        now[0] = 100.5
        b.backend.gate.set()
        assert b.settle() == Counts(received=2, perceived=1, stale=1)


@pytest.mark.parametrize("clock_s", [None, 0.0])
def test_without_a_clock_no_image_is_stale(clock_s: float | None) -> None:
    """A simulated clock shows zero before it runs."""
    now_ns = None if clock_s is None else at(clock_s)
    with bench(now_ns=now_ns, limits=Limits(max_age_s=0.1)) as b:
        assert b.ask(image_of(1.0)).perceived == 1
        assert isnan(b.published[0].age_s)


def test_image_without_a_stamp_is_never_stale() -> None:
    with bench(now_ns=at(100.0), limits=Limits(max_age_s=0.1)) as b:
        b.ask(image_of(0.0))
        assert b.ask(image_of(0.0)).perceived == 2
        assert b.worker.stamps.zero == 2
        assert len(b.warnings) == 1 and "no stamp" in b.warnings[0] and not b.reports


def test_images_beyond_the_rate_cost_nothing() -> None:
    with bench(limits=Limits(max_rate_hz=10.0)) as b:
        for number in range(60):
            b.submitted += 1
            b.worker.submit(image_of(1 + number / 30), 1000.0 + number / 30)
            b.settle()
        counts = b.settle()
        assert counts.limited == pytest.approx(40, abs=2)
        assert counts.perceived == 60 - counts.limited == b.backend.calls
        b.worker.limits = Limits()
        assert b.ask(image_of(4)).limited == counts.limited


def test_late_image_is_dropped() -> None:
    with bench() as b:
        b.ask(image_of(10.0))
        assert b.ask(image_of(9.9)) == Counts(received=2, perceived=1, late=1)
        assert "stamped before the last one" in b.reports[0]
        assert b.ask(image_of(10.1)).perceived == 2
        b.worker.limits = Limits(reorder_window_s=0.0)
        assert b.ask(image_of(10.0)).perceived == 3


def test_time_jump_is_told_before_the_image_is_refined() -> None:
    """Trackers must forget before they see what comes after."""
    order: list[Any] = []

    def refine(header: Any, perception: Any) -> Any:
        order.append(header.stamp.sec)
        return perception

    with bench(on_time_jump=order.append, refine=refine) as b:
        for stamp_s in (50, 51, 3, 4):
            b.ask(image_of(stamp_s))
        assert order == [50, 51, -48.0, 3, 4]
        assert b.settle().perceived == 4 and b.worker.stamps.jumps == 1
        assert len(b.warnings) == 1 and "time jumped by -48.000 s" in b.warnings[0]


def test_disabled_worker_drops_until_it_is_enabled() -> None:
    with bench(enabled=False) as b:
        assert not b.worker.enabled
        assert b.ask(image_of(1)) == Counts(received=1, disabled=1)
        b.worker.set_enabled(True)
        assert b.ask(image_of(2)).perceived == 1
        b.backend.gate.clear()
        b.backend.entered.clear()
        b.submit(image_of(3))
        assert b.backend.entered.wait(PATIENCE_S)
        b.submit(image_of(4))
        b.worker.set_enabled(False)
        b.backend.gate.set()
        assert b.settle() == Counts(received=4, perceived=2, disabled=2), "the waiting one, too"


def test_watchdogs_see_what_the_thread_does() -> None:
    with bench() as b:
        assert b.worker.busy_since_s() is None and b.worker.last_perceived_s is None
        before = perf_counter()
        b.backend.gate.clear()
        b.submit(image_of(1))
        assert b.backend.entered.wait(PATIENCE_S)
        since = b.worker.busy_since_s()
        assert since is not None and before <= since <= perf_counter()
        assert b.worker.last_perceived_s is None
        b.backend.gate.set()
        b.settle()
        assert b.worker.busy_since_s() is None
        assert since <= b.worker.last_perceived_s <= perf_counter()


def test_stop_finishes_the_image_in_work_and_discards_the_one_that_waits() -> None:
    with bench() as b:
        b.backend.gate.clear()
        b.submit(image_of(1))
        assert b.backend.entered.wait(PATIENCE_S)
        b.submit(image_of(2))
        threading.Timer(0.05, b.backend.gate.set).start()
        assert b.worker.stop(PATIENCE_S)
        assert b.worker.counts == Counts(received=2, perceived=1, discarded=1)
        b.submit(image_of(3))
        assert b.worker.counts == Counts(received=3, perceived=1, discarded=2)
