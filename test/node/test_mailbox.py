# SPDX-License-Identifier: Apache-2.0
"""The newest item wins, and every other one is counted."""

from __future__ import annotations

from threading import Event, Thread
from time import monotonic, sleep

from patience import PATIENCE_S

from shared_encoder_perception.node.mailbox import Mailbox, MailboxCounts


def test_newest_wins() -> None:
    """Three put, one taken: the last one, and two counted as replaced."""
    box: Mailbox[int] = Mailbox()
    assert [box.put(item) for item in (1, 2, 3)] == [True, True, True]
    assert box.take() == 3
    assert box.replaced == 2
    assert box.take(timeout_s=0.0) is None


def test_taken_items_are_not_replaced() -> None:
    """In lockstep nothing gets lost."""
    box: Mailbox[int] = Mailbox()
    for item in range(10):
        box.put(item)
        assert box.take() == item
    assert box.replaced == 0


def test_timeout() -> None:
    """An empty mailbox gives up after the time asked for."""
    start = monotonic()
    assert Mailbox[int]().take(timeout_s=0.05) is None
    assert 0.04 < monotonic() - start < 2.0


def test_close_wakes_and_refuses() -> None:
    """A waiting taker wakes up with nothing, and nothing can be put any more."""
    box: Mailbox[int] = Mailbox()
    results: list[int | None] = []
    started = Event()

    def wait() -> None:
        started.set()
        results.append(box.take())

    thread = Thread(target=wait)
    thread.start()
    started.wait()
    assert box.close() is False
    thread.join(timeout=PATIENCE_S)
    assert results == [None]
    assert box.put(1) is False
    assert box.take() is None


def test_close_discards() -> None:
    """An item that waits at closing time is thrown away, and the caller learns of it."""
    box: Mailbox[int] = Mailbox()
    box.put(1)
    assert box.close() is True
    assert box.take() is None
    assert box.replaced == 0


def test_counts_are_exact_between_threads() -> None:
    """Every item put is taken or replaced, whatever the timing, and order is kept."""
    box: Mailbox[int] = Mailbox()
    taken: list[int] = []

    def consume() -> None:
        while (item := box.take()) is not None:
            taken.append(item)
            sleep(0.0001 * (item % 3))

    thread = Thread(target=consume)
    thread.start()
    for item in range(1, 2001):
        box.put(item)
        if item % 50 == 0:
            sleep(0.001)
    waiting = box.close()
    thread.join(timeout=PATIENCE_S)
    assert not thread.is_alive()
    assert len(taken) + box.replaced + waiting == 2000
    assert taken == sorted(taken) and len(taken) > 10 and box.replaced > 10


def test_every_item_is_in_one_number_while_threads_run() -> None:
    """Whoever looks, and whenever: what was put is taken, replaced, discarded or waits."""
    box: Mailbox[int] = Mailbox()
    seen: list[MailboxCounts] = []
    done = Event()

    def consume() -> None:
        while box.take() is not None:
            sleep(0.0002)

    def watch() -> None:
        while not done.is_set():
            seen.append(box.counts)

    threads = [Thread(target=consume), Thread(target=watch)]
    for thread in threads:
        thread.start()
    for item in range(1, 1001):
        box.put(item)
        if item % 20 == 0:
            sleep(0.0005)
    box.close()
    done.set()
    for thread in threads:
        thread.join(timeout=PATIENCE_S)
    for counts in (*seen, box.counts):
        assert counts.put == counts.taken + counts.replaced + counts.discarded + counts.waiting
        assert counts.waiting in (0, 1) and counts.discarded in (0, 1)
    assert box.counts.put == 1000 and box.counts.waiting == 0
    assert len({counts.put for counts in seen}) > 5, "nobody looked in between"
