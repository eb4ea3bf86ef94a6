# SPDX-License-Identifier: Apache-2.0
"""Work in threads beside the main one: reading before it, writing behind it; in order."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

POLL_S: Final = 0.1
"""How often a waiting thread looks whether it is still needed."""


class _Ended:
    """The last item of a queue: the work is done, or failed."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def read_ahead(items: Generator[T], depth: int) -> Generator[T]:
    """Yield ``items``, made in a thread of their own while the last one is being used.

    Args:
        items: Iterated, and closed, in that thread only.
        depth: How many wait at most.

    Raises:
        Exception: What ``items`` raises, in its turn.
    """
    box: Queue[T | _Ended] = Queue(depth)
    stop = Event()

    def put(item: T | _Ended) -> bool:
        while not stop.is_set():
            try:
                box.put(item, timeout=POLL_S)
            except Full:
                continue
            return True
        return False

    def make() -> None:
        try:
            with closing(items):
                for item in items:
                    if not put(item):
                        break
        except BaseException as error:  # raised again where the items are used
            put(_Ended(error))
        else:
            put(_Ended())

    thread = Thread(target=make, name="read-ahead", daemon=True)
    thread.start()
    try:
        while not isinstance(item := box.get(), _Ended):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stop.set()
        thread.join()


class WriteBehind(Generic[T]):
    """Calls a function on items in a thread of its own, in their order.

    Use as a context manager: leaving it waits for the last item; leaving it by an error does not.
    """

    def __init__(self, write: Callable[[T], Any], depth: int) -> None:
        """Start the thread; ``depth`` items wait at most, then ``put`` does."""
        self._write = write
        self._box: Queue[T | _Ended] = Queue(depth)
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, name="write-behind", daemon=True)
        self._thread.start()

    def __enter__(self) -> WriteBehind[T]:
        """Begin."""
        return self

    def put(self, item: T) -> None:
        """Hand over an item.

        Raises:
            BaseException: What became of an earlier one.
        """
        self._check()
        self._box.put(item)

    def wait(self) -> None:
        """Return when everything handed over is written.

        Raises:
            BaseException: What became of it.
        """
        self._box.join()
        self._check()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """End the thread."""
        if kind is not None:
            self._drop()
        self._box.put(_Ended())
        self._thread.join()
        if kind is None:
            self._check()

    def _check(self) -> None:
        """Raise what the thread met."""
        if self._error is not None:
            raise self._error

    def _drop(self) -> None:
        """Forget what waits."""
        try:
            while True:
                self._box.get_nowait()
                self._box.task_done()
        except Empty:
            pass

    def _run(self) -> None:
        """Write until the end; after an error only take, so that nobody waits for ever."""
        while not isinstance(item := self._box.get(), _Ended):
            try:
                if self._error is None:
                    self._write(item)
            except BaseException as error:  # raised again in ``put``, ``wait`` or at the end
                self._error = error
            finally:
                self._box.task_done()
