# SPDX-License-Identifier: Apache-2.0
"""What counters and timers did lately, and how bad that is: the arithmetic behind diagnostics.

Nothing here reads a clock: the caller says what time it is, in seconds of ``perf_counter``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite

import numpy as np

from shared_encoder_perception.tasks.status import Level, Status

GRACE_S = 2.0
"""Nobody complains of missing images so soon after the start: discovery takes its time, too."""
HOLD_WINDOWS, LONG_HOLD_WINDOWS = 1.0, 12.0
"""How long a level is kept after what raised it is over, in windows: once, and when it came back
within the longer time."""

Finding = tuple[Level, str]
"""How bad something is, and what to tell people about it."""


@dataclass(frozen=True)
class WatchdogOptions:
    """When diagnostics complain; may change while running.

    Attributes:
        window_s: Rates, ratios and percentiles are taken over the last so many seconds.
        input_timeout_s: Without an image for this long the input is stale: a warning, and from
            three times as long an error.
        latency_warn_ms: A warning, when the 95th percentile from receipt to output is above.
        latency_error_ms: The same for an error.
        hang_s: An error, when one image is in work for longer.
        drop_warn_ratio: A warning, when a larger share of the images is dropped unasked; 1 = never.
    """

    window_s: float = 5.0
    input_timeout_s: float = 1.0
    latency_warn_ms: float = 100.0
    latency_error_ms: float = 300.0
    hang_s: float = 2.0
    drop_warn_ratio: float = 0.2


@dataclass(frozen=True)
class Spread:
    """How long one stage took, over several images, in milliseconds."""

    p50_ms: float
    p95_ms: float
    max_ms: float


class CountWindow:
    """How much counters grew in the last seconds, from snapshots taken now and then."""

    def __init__(self) -> None:
        """Start without a snapshot."""
        self._snapshots: deque[tuple[float, dict[str, int]]] = deque()
        self._restarts = False

    def start(self, now_s: float) -> None:
        """Forget the past: all counters are at 0 now."""
        self._snapshots.clear()
        self._snapshots.append((now_s, {}))

    def restart(self) -> None:
        """Forget the past: counters are at whatever the next snapshot says. For any thread."""
        self._restarts = True

    def add(self, now_s: float, counts: Mapping[str, int], window_s: float) -> None:
        """Take a snapshot, and drop those that are not needed for the last ``window_s`` seconds.

        Counters that run backwards belong to something new: the past is forgotten.
        """
        if self._restarts:
            self._restarts = False
            self._snapshots.clear()
        if self._snapshots:
            last = self._snapshots[-1][1]
            if any(counts.get(name, 0) < count for name, count in last.items()):
                self._snapshots.clear()
        self._snapshots.append((now_s, dict(counts)))
        # The one before the last always stays: a slow timer must not leave the window empty.
        while len(self._snapshots) > 2 and self._snapshots[0][0] < now_s - window_s:
            self._snapshots.popleft()

    @property
    def span_s(self) -> float:
        """Seconds between the first and the last snapshot."""
        return self._snapshots[-1][0] - self._snapshots[0][0] if self._snapshots else 0.0

    def growth(self, *names: str) -> int:
        """Return by how much the counters of these names grew together."""
        if not self._snapshots:
            return 0
        first, last = self._snapshots[0][1], self._snapshots[-1][1]
        return sum(last.get(name, 0) - first.get(name, 0) for name in names)

    def rate_hz(self, *names: str) -> float:
        """Return their growth per second; 0 while there is no span."""
        return self.growth(*names) / self.span_s if self.span_s > 0.0 else 0.0


class Steady:
    """Keeps the level of something that comes and goes: up at once, down when it has lasted.

    What happens once is over after one window; what comes back within a minute is kept for a minute
    (by the default window), so that the level does not flip several times in it. The message says
    at any time what is.
    """

    def __init__(self) -> None:
        """Start without a past."""
        self._forget(None)

    def _forget(self, key: object) -> None:
        """Begin anew under these circumstances."""
        self._key = key
        self._level: Level = Level.OK
        self._said = ""
        self._seen_s: float = -inf
        self._fell_s: float = -inf
        self._hold_windows = HOLD_WINDOWS

    def status(self, now_s: float, window_s: float, status: Status, key: object = None) -> Status:
        """Return what to tell of ``status``, judged just now.

        Args:
            now_s: The time.
            window_s: Over how long it was judged.
            status: What is.
            key: Under which circumstances; others, such as another lifecycle state, have no past.
        """
        if key != self._key or status.level is Level.STALE:
            self._forget(key)
        if status.level is Level.STALE:
            return status
        if status.level >= self._level:
            if status.level > self._level:
                again = now_s - self._fell_s < LONG_HOLD_WINDOWS * window_s
                self._hold_windows = LONG_HOLD_WINDOWS if again else HOLD_WINDOWS
            self._level, self._said, self._seen_s = status.level, status.message, now_s
            return status
        ago_s = now_s - self._seen_s
        if ago_s < self._hold_windows * window_s:
            message = f"{status.message}; {ago_s:.1f} s ago: {self._said}"
            return Status(self._level, message, status.values)
        self._level, self._said, self._seen_s = status.level, status.message, now_s
        self._fell_s = now_s
        return status


def spreads(times: Sequence[Mapping[str, float]]) -> dict[str, Spread]:
    """Return the spread of every stage over images that all went through the same stages.

    Args:
        times: Milliseconds by stage, one mapping for each image.
    """
    if not times:
        return {}
    stages = list(times[0])
    table = np.array([[image[stage] for stage in stages] for image in times])
    quantiles = np.percentile(table, (50.0, 95.0, 100.0), axis=0)
    return {stage: Spread(*map(float, quantiles[:, i])) for i, stage in enumerate(stages)}


spreads(({"": 0.0},))
# numpy imports 40 ms of modules at the first percentile: better now than between two images.


def level_above(value: float, warn: float, error: float) -> Level:
    """Return how bad ``value`` is, given what it should not exceed; NaN is not bad."""
    if value > error:
        return Level.ERROR
    return Level.WARN if value > warn else Level.OK


def worst(findings: Iterable[Finding]) -> Finding:
    """Return the worst finding, the first of several that are equally bad."""
    return max(findings, key=lambda finding: finding[0])


def shown(value: float, digits: int = 1) -> str:
    """Write a number for people and plotting tools."""
    return f"{value:.{digits}f}" if isfinite(value) else "unknown"
