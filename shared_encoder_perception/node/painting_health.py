# SPDX-License-Identifier: Apache-2.0
"""How the painting of clouds is doing; nothing here needs ROS."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from math import nan
from threading import Lock
from typing import Final

from shared_encoder_perception.node.watchdogs import (
    GRACE_S,
    CountWindow,
    Finding,
    shown,
    spreads,
    worst,
)
from shared_encoder_perception.tasks.painting import (
    BAD_CLOUD,
    NO_CAMERA_INFO,
    NO_IMAGE,
    NO_TRANSFORM,
)
from shared_encoder_perception.tasks.status import Level, Status

PAINTING: Final = "painting"
"""Name of the status."""
RECEIVED, PAINTED = "received", "painted"
UNHEARD, REPLACED, LOST = "unheard", "replaced", "lost"
"""Clouds for which nobody listened; that a newer one pushed out; that ended with the node or by an
error of the painting itself."""
REASONS: Final = (NO_IMAGE, NO_TRANSFORM, NO_CAMERA_INFO, BAD_CLOUD, REPLACED, LOST)
"""Why clouds that somebody wanted are not painted."""
HISTORY: Final = 200
"""Clouds whose times are kept."""


@dataclass(frozen=True)
class Painted:
    """One painted cloud.

    Attributes:
        painting_ms: What it took.
        skew_ms: How much later its image was taken.
        known: Share of its points that have a class.
    """

    painting_ms: float
    skew_ms: float
    known: float


class PaintingHealth:
    """Counts clouds, and judges. ``status`` is for one thread, the rest for any.

    Attributes:
        topic: Where clouds come from; empty while inactive.
    """

    def __init__(self) -> None:
        """Start inactive."""
        self.topic = ""
        self._lock = Lock()
        self._window = CountWindow()
        self._since_s = 0.0
        self._forget()

    def _forget(self) -> None:
        """Begin to count."""
        self._tally: Counter[str] = Counter(dict.fromkeys((RECEIVED, PAINTED, UNHEARD), 0))
        self._tally.update(dict.fromkeys(REASONS, 0))
        self._last: deque[Painted] = deque(maxlen=HISTORY)
        self._problem = ""

    def start(self, now_s: float, topic: str) -> None:
        """Count from now on, without a past."""
        with self._lock:
            self._forget()
        self._window.start(now_s)
        self.topic, self._since_s = topic, now_s

    def stop(self) -> None:
        """Judge no more."""
        self.topic = ""

    def received(self) -> None:
        """Count a cloud that came."""
        with self._lock:
            self._tally[RECEIVED] += 1

    def painted(self, cloud: Painted) -> None:
        """Count a cloud that was published."""
        with self._lock:
            self._tally[PAINTED] += 1
            self._last.append(cloud)

    def drop(self, reason: str, text: str = "", count: int = 1) -> None:
        """Count clouds that are not painted, and remember why."""
        with self._lock:
            self._tally[reason] += count
            self._problem = text or self._problem

    def status(
        self,
        now_s: float,
        window_s: float,
        *,
        publishers: int,
        subscribers: int,
        misfits: Sequence[str] = (),
    ) -> Status:
        """Judge.

        Args:
            now_s: The time, as in ``start``.
            window_s: Over how long.
            publishers: Of the clouds' topic.
            subscribers: Of the painted clouds.
            misfits: Who subscribes in vain, and why.
        """
        if not self.topic:
            return Status(Level.STALE, "inactive: no cloud is painted")
        with self._lock:
            tally, last, problem = dict(self._tally), list(self._last), self._problem
        self._window.add(now_s, tally, window_s)
        recent = self._window.growth(PAINTED)
        times = spreads([asdict(one) for one in last[-recent:]] if recent else ())
        findings = self._findings(now_s, publishers, subscribers, problem)
        level, message = worst([*((Level.WARN, one) for one in misfits), *findings])
        values = {
            "topic": self.topic,
            "publishers": str(publishers),
            "subscribers": str(subscribers),
            "rate_hz": shown(self._window.rate_hz(PAINTED)),
            **{name: str(count) for name, count in tally.items()},
            "skew_ms": shown(last[-1].skew_ms if last else nan),
            "known_ratio": shown(last[-1].known if last else nan, 3),
            "last_problem": problem,
        }
        if spread := times.get("painting_ms"):
            values["painting_p50_ms"] = shown(spread.p50_ms, 2)
            values["painting_p95_ms"] = shown(spread.p95_ms, 2)
        return Status(level, message, values)

    def _findings(
        self, now_s: float, publishers: int, subscribers: int, problem: str
    ) -> Iterator[Finding]:
        """Yield everything there is to say, the more important of equals first."""
        grown, span_s = self._window.growth, self._window.span_s
        dropped = grown(*REASONS)
        if dropped and not grown(PAINTED):
            yield Level.ERROR, f"no cloud is painted: {problem}"
        if dropped:
            most = max(REASONS, key=grown)
            count = f"{dropped} clouds not painted in the last {span_s:.1f} s"
            yield Level.WARN, f"{count}, mostly {most}: {problem}"
        if not grown(RECEIVED):
            why = f"{self.topic} has {publishers} publishers, but no cloud comes"
            if not publishers:
                why = f"nobody publishes {self.topic}: start the lidar, or remap `points`"
            level = Level.OK if now_s - self._since_s < GRACE_S else Level.WARN
            yield level, f"waiting: {why}"
        if not subscribers:
            yield Level.OK, "nobody subscribes to painted clouds: none is made"
        yield Level.OK, f"{self._window.rate_hz(PAINTED):.1f} Hz of painted clouds"
