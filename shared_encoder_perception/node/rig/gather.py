# SPDX-License-Identifier: Apache-2.0
"""Images of several cameras in, moments out: which belong together, and who is missing.

On the mailbox's principle: of each camera only the newest waits. Nothing here needs ROS.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import inf
from threading import Condition
from time import perf_counter
from typing import Final, Generic, TypeVar

from shared_encoder_perception.node.rig.camera_counts import CameraCounts
from shared_encoder_perception.node.rig.moment import (
    APART,
    DEAD,
    LATE,
    Arrived,
    Missing,
    Moment,
    Timing,
    later_s,
)

T = TypeVar("T")

REORDER_S: Final = 0.5
"""An image stamped less than this before its camera's last one is late; further back, time jumped
(a bag that starts again)."""
MOST_WAITS: Final = 2
"""A moment waits at most so many times ``wait_s``, however often its first image is replaced."""


class Gather(Generic[T]):
    """Collects the newest image of each camera, and hands them to one thread, moment by moment.

    The first camera of the rig is the anchor. A moment is complete when every camera that is not
    dead has an image within the skew of the anchor's, or one of after that time, because none of
    before will follow; or when the anchor's has waited long enough. An image that is too old for
    the moment is dropped, and one that is too new waits for the next.

    Attributes:
        names: Of the cameras, in the rig's order.
        timing: May be replaced at any time.
    """

    def __init__(
        self, names: Sequence[str], timing: Timing | None = None, now_s: float | None = None
    ) -> None:
        """Start open and empty.

        No camera is dead for ``dead_s`` seconds, counted once more from the first image of any:
        drivers of a rig start together, maybe long after us.

        Args:
            names: Of the cameras, in the rig's order.
            timing: What belongs together.
            now_s: The time, ``perf_counter`` by default.
        """
        self.names = tuple(names)
        self.timing = timing or Timing()
        self._changed = Condition()
        self._slots: dict[str, Arrived[T]] = {}
        self._seen_ns: dict[str, int] = {}
        self._alive_s = dict.fromkeys(self.names, perf_counter() if now_s is None else now_s)
        self._begun_s = inf
        self._tallies: dict[str, Counter[str]] = {name: Counter() for name in self.names}
        self._in_work: tuple[str, ...] = ()
        self._closed = self._given_up = False

    @property
    def counts(self) -> dict[str, CameraCounts]:
        """What became of each camera's images, all at the same instant."""
        with self._changed:
            return {
                name: CameraCounts(
                    **self._tallies[name],
                    waiting=int(name in self._slots),
                    in_work=int(name in self._in_work),
                )
                for name in self.names
            }

    @property
    def given_up(self) -> bool:
        """Whether ``give_up`` was called."""
        return self._given_up

    # ---- for those who bring images -------------------------------------------------------------

    def put(self, name: str, item: T, stamp_ns: int, received_s: float) -> None:
        """Leave an image, in place of one that still waits; never blocks.

        Args:
            name: The camera's.
            item: The image.
            stamp_ns: When it was taken; 0 = unknown, which is a time of its own.
            received_s: When it came, ``perf_counter``.
        """
        with self._changed:
            tally = self._tallies[name]
            tally["received"] += 1
            if self._closed:
                tally["left"] += 1
            elif self._is_late(name, stamp_ns):
                tally["late"] += 1
            else:
                tally["replaced"] += name in self._slots
                if not self._seen_ns:
                    self._alive_s = dict.fromkeys(self.names, received_s)
                self._slots[name] = Arrived(item, stamp_ns, received_s)
                self._seen_ns[name], self._alive_s[name] = stamp_ns, received_s
                self._changed.notify_all()

    def refuse(self, name: str, outcome: str) -> None:
        """Count an image that is dropped for one of ``OUTCOMES`` before it could wait."""
        with self._changed:
            self._tallies[name].update(("received", outcome))

    # ---- for the one who takes them -------------------------------------------------------------

    def take(self) -> Moment[T] | None:
        """Wait for the next moment, whose images are in work until ``finish``; ``None`` at the end.

        For one thread.
        """
        with self._changed:
            while not self._closed:
                now_s = perf_counter()
                if (moment := self._next(now_s)) is not None:
                    return moment
                due_s = self._due_s(now_s)
                self._changed.wait(None if due_s == inf else max(due_s - now_s, 0.0) + 1e-4)
            return None

    def poll(self, now_s: float) -> Moment[T] | None:
        """Return the next moment as ``take`` does, without waiting; ``None`` for none yet."""
        with self._changed:
            return None if self._closed else self._next(now_s)

    def due_s(self, now_s: float) -> float:
        """Return when ``poll`` may have a moment without another image; infinity for never."""
        with self._changed:
            return self._due_s(now_s)

    def finish(self, outcomes: Mapping[str, str]) -> bool:
        """Count the end of the images in work.

        Args:
            outcomes: One of ``OUTCOMES`` for each camera of the moment.

        Returns:
            False if they were given up, and counted, before.
        """
        with self._changed:
            if self._given_up:
                return False
            assert set(outcomes) == set(self._in_work), "each image in work ends once"
            for name, outcome in outcomes.items():
                self._tallies[name][outcome] += 1
            self._in_work = ()
            return True

    # ---- for the end ----------------------------------------------------------------------------

    def close(self) -> None:
        """Wake who waits and accept nothing more; images that wait are left."""
        with self._changed:
            for name in list(self._slots):
                self._drop(name, "left")
            self._closed = True
            self._changed.notify_all()

    def give_up(self) -> None:
        """Count the images in work as lost, whatever becomes of them."""
        with self._changed:
            for name in self._in_work:
                self._tallies[name]["lost"] += 1
            self._in_work, self._given_up = (), True

    # ---- inside, with the lock ------------------------------------------------------------------

    def _is_late(self, name: str, stamp_ns: int) -> bool:
        """Whether an image is of before the camera's last one, or that one again."""
        seen_ns = self._seen_ns.get(name)
        if seen_ns is None or not stamp_ns:
            return False
        if stamp_ns == seen_ns:
            return name not in self._slots
        return 0 < seen_ns - stamp_ns < REORDER_S * 1e9

    def _is_alive(self, name: str, now_s: float) -> bool:
        return now_s < self._alive_s[name] + self.timing.dead_s

    def _next(self, now_s: float) -> Moment[T] | None:
        """Take the next moment, if there is one now."""
        for anchor in self.names:
            alive = self._is_alive(anchor, now_s)
            if anchor not in self._slots:
                if alive:
                    return None  # its image will come, and the others wait for it
                continue
            moment = self._moment(anchor, now_s)
            if moment is not None:
                self._take(moment)
                return moment
            if alive:
                return None
            # Its image found nobody, and must not stand in the others' way.
        return None

    def _moment(self, anchor: str, now_s: float) -> Moment[T] | None:
        """Return what belongs to an image, if it need not wait any longer."""
        missing = dict(self._missing(anchor, now_s))
        images = {name: self._slots[name] for name in self.names if name not in missing}
        if len(images) < self.timing.min_cameras:
            self._begun_s = inf
            return None
        self._begun_s = min(self._begun_s, now_s)
        awaited = [
            name
            for name, one in missing.items()
            if self._is_alive(name, now_s) and not one.skew_s > 0  # NaN is not
        ]
        if awaited and now_s < self._deadline_s(anchor):
            return None
        return Moment(anchor, images, missing)

    def _missing(self, anchor: str, now_s: float) -> Iterator[tuple[str, Missing]]:
        """Yield the cameras that have no image for the anchor's, and why."""
        first, timing = self._slots[anchor], self.timing
        for name in self.names:
            one = self._slots.get(name)
            if one is None:
                yield name, Missing(LATE if self._is_alive(name, now_s) else DEAD)
                continue
            skew_s = later_s(one, first)
            # One that came that long ago waits only because its clock is wrong.
            outdated = first.received_s - one.received_s > timing.dead_s
            if outdated or abs(skew_s) > timing.max_skew_s:
                yield name, Missing(APART, skew_s)

    def _deadline_s(self, anchor: str) -> float:
        """Return when the anchor's image has waited long enough."""
        longest_s = self._begun_s + MOST_WAITS * self.timing.wait_s
        return min(self._slots[anchor].received_s + self.timing.wait_s, longest_s)

    def _due_s(self, now_s: float) -> float:
        """See ``due_s``."""
        waiting = [name for name in self.names if name in self._slots]
        if not waiting:
            return inf
        times = [self._alive_s[name] + self.timing.dead_s for name in self.names]
        times += [self._deadline_s(name) for name in waiting]
        return min((time for time in times if time > now_s), default=inf)

    def _take(self, moment: Moment[T]) -> None:
        """Take the images of a moment out, and drop those that no later one can use."""
        for name in moment.images:
            del self._slots[name]
        for name, one in moment.missing.items():
            if name in self._slots and not one.skew_s > self.timing.max_skew_s:
                self._drop(name, "apart")
        self._in_work, self._begun_s = tuple(moment.images), inf

    def _drop(self, name: str, outcome: str) -> None:
        """Let go of an image that waits."""
        del self._slots[name]
        self._tallies[name][outcome] += 1
