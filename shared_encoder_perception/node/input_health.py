# SPDX-License-Identifier: Apache-2.0
"""How the input is doing: waiting, active, stale or rejected, and why no image comes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import nan
from typing import Final

from shared_encoder_perception.images.stamps import off_clock
from shared_encoder_perception.node.watchdogs import (
    GRACE_S,
    CountWindow,
    Finding,
    WatchdogOptions,
    level_above,
    shown,
    worst,
)
from shared_encoder_perception.tasks.status import Level, Status

INACTIVE, WAITING, ACTIVE = "inactive", "waiting", "active"
STALE, REJECTED = "stale", "rejected"

UNASKED_DROPS: Final = ("replaced", "rejected", "lost", "stale", "late")
"""Counters of dropped images that nobody asked to drop, unlike those of limits and switches."""

COUNTERS: Final = ("received", "perceived", *UNASKED_DROPS)
"""Counters that are watched; others, such as images in work, also go down."""

PATIENCE: Final = 3.0
"""A silence that lasts so many timeouts is an error."""


@dataclass(frozen=True)
class TopicState:
    """What the ROS graph says about the input's topic.

    Attributes:
        topic: Its resolved name.
        publishers: How many publish it.
        mismatch: Why those that do not reach us do not; empty when all do.
        hint: Where images may be found instead; empty for no idea.
    """

    topic: str
    publishers: int
    mismatch: str = ""
    hint: str = ""

    def silence(self) -> str:
        """Say why no image comes from here."""
        if self.mismatch:
            return self.mismatch
        if self.publishers:
            plural = "s" if self.publishers > 1 else ""
            return (
                f"{self.topic} has {self.publishers} publisher{plural}, but no image comes: does "
                "the camera's driver have the Fast DDS profile, too?"
            )
        hint = self.hint or "start the camera, or remap the topic to the camera's"
        return f"nobody publishes {self.topic}: {hint}"


class InputHealth:
    """Watches what the camera does. For one thread, but for ``last_problem``."""

    def __init__(self, options: WatchdogOptions) -> None:
        """Start inactive."""
        self.options = options
        self.last_problem = ""
        """Why an image was not used, or what was odd about it; may be set by any thread."""
        self._window = CountWindow()
        self._since_s: float | None = None
        self._received_s: float | None = None
        self._stamp_ns = 0
        self._off_clock = ""

    def start(self, now_s: float) -> None:
        """Listen from now on, without a past."""
        self._window.start(now_s)
        self._since_s, self._received_s = now_s, None
        self._stamp_ns, self.last_problem = 0, ""

    def settle(self) -> None:
        """Forget what was counted: something was exchanged on purpose (any thread)."""
        self._window.restart()

    def stop(self) -> None:
        """Listen no more."""
        self._since_s = None

    def received(self, now_s: float, stamp_ns: int) -> None:
        """Note that an image came, with this stamp in nanoseconds; 0 = none."""
        self._received_s, self._stamp_ns = now_s, stamp_ns

    def status(
        self,
        now_s: float,
        counts: Mapping[str, int],
        stamps: Mapping[str, float],
        topic: TopicState,
        clock_ns: int,
        sim_time: bool = False,
    ) -> Status:
        """Judge the input.

        Args:
            now_s: The time, as in the other methods.
            counts: What became of the images by name, as in ``worker.Counts``.
            stamps: What was odd about their stamps by name, as in ``stamps.StampCounts``.
            topic: Where they should come from.
            clock_ns: The node's clock in nanoseconds; 0 = it does not run.
            sim_time: Whether the node takes its time from /clock.
        """
        if self._since_s is None:
            return Status(Level.STALE, "inactive: not listening", {"state": INACTIVE})
        odd = {f"stamps_{name}": int(n) for name, n in stamps.items() if name != "age_s"}
        watched = {name: counts[name] for name in COUNTERS if name in counts}
        self._window.add(now_s, {**watched, **odd}, self.options.window_s)
        self._off_clock = off_clock(stamps.get("age_s", nan))
        if sim_time and not clock_ns:
            self._off_clock = "use_sim_time is set, but nothing comes on /clock: ages are not known"
        state, (level, message) = self._judge(now_s, topic)
        values = {
            "state": state,
            "topic": topic.topic,
            "publishers": str(topic.publishers),
            "mismatch": topic.mismatch,
            "rate_hz": shown(self._window.rate_hz("received")),
            "silent_s": shown(self._silent_s(now_s), 2),
            "newest_age_ms": shown(self._age_ms(clock_ns)),
            "processed_age_ms": shown(stamps.get("age_s", nan) * 1e3),
            "drop_ratio": shown(self._drop_ratio(), 3),
            **{name: str(count) for name, count in counts.items()},
            **{name: str(count) for name, count in odd.items()},
            "last_problem": self.last_problem,
        }
        return Status(level, f"{state}: {message}", values)

    def _judge(self, now_s: float, topic: TopicState) -> tuple[str, Finding]:
        """Return state, level and message."""
        timeout_s, silent_s = self.options.input_timeout_s, self._silent_s(now_s)
        silent = level_above(silent_s, timeout_s, PATIENCE * timeout_s)
        if self._received_s is None:
            level = max(silent, Level.WARN) if silent_s >= GRACE_S else Level.OK
            return WAITING, (level, topic.silence())
        if silent:
            return STALE, (silent, f"no image for {silent_s:.1f} s: {topic.silence()}")
        grown, perceived = self._window.growth, self._window.growth("perceived")
        if grown("rejected") and not perceived:
            return REJECTED, (Level.ERROR, f"no image can be used: {self.last_problem}")
        if grown("stale") and not perceived:
            age = "images are too old when they come: look at the camera driver, the network and "
            far = f" ({self._off_clock})" if self._off_clock else ""
            return STALE, (Level.ERROR, f"{age}the clocks, or raise input.max_age_s{far}")
        rate = f"{self._window.rate_hz('received'):.1f} Hz on {topic.topic}"
        return ACTIVE, worst([*self._doubts(), (Level.OK, rate)])

    def _doubts(self) -> Iterator[Finding]:
        """Yield what is odd about images that come and are used."""
        grown, span_s = self._window.growth, self._window.span_s
        if rejected := grown("rejected"):
            yield (
                Level.WARN,
                f"{rejected} rejected in the last {span_s:.1f} s: {self.last_problem}",
            )
        if jumps := grown("stamps_jumps"):
            yield Level.WARN, f"stamps jumped back in the last {span_s:.1f} s: {jumps}x"
        if grown("stamps_zero"):
            yield Level.WARN, "images have no stamp: let the camera driver stamp them"
        if self._off_clock:
            yield Level.WARN, self._off_clock
        elif grown("stamps_future"):
            yield (
                Level.WARN,
                "images are stamped ahead of the node's clock: synchronise the clocks, or set "
                "use_sim_time on both sides or none",
            )
        ratio = self._drop_ratio()
        if ratio > self.options.drop_warn_ratio:
            yield (
                Level.WARN,
                f"{ratio:.0%} of the images of the last {span_s:.1f} s dropped, mostly "
                f"{max(UNASKED_DROPS, key=grown)}",
            )

    def _silent_s(self, now_s: float) -> float:
        """Return the seconds since the last image, or since the node listens."""
        last_s = self._since_s if self._received_s is None else self._received_s
        return 0.0 if last_s is None else now_s - last_s

    def _age_ms(self, clock_ns: int) -> float:
        """Return how old the newest image is by the node's clock; NaN where unknown."""
        return (clock_ns - self._stamp_ns) / 1e6 if clock_ns and self._stamp_ns else nan

    def _drop_ratio(self) -> float:
        """Return the share of the window's images that was dropped unasked."""
        dropped = self._window.growth(*UNASKED_DROPS)
        return dropped / (dropped + self._window.growth("perceived")) if dropped else 0.0
