# SPDX-License-Identifier: Apache-2.0
"""How model, processing and output are doing; ``input_health`` has the input."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from shared_encoder_perception.backends import BackendInfo
from shared_encoder_perception.node.watchdogs import (
    GRACE_S,
    CountWindow,
    Finding,
    Spread,
    WatchdogOptions,
    level_above,
    shown,
    spreads,
    worst,
)
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.tasks.status import Level, Status

TOTAL: Final = "total"
"""Stage from receipt to output, which the latency watchdog looks at."""

COUNTERS: Final = ("perceived", "lost", "unrefined", "unpublished")
"""Counters that the processing is judged by; others, such as images in work, also go down."""

LONG_LOAD_S: Final = 10.0
"""A first load that takes longer is worth a warning."""

ACTIVE: Final = "active"
WAKING: Final = {
    "unconfigured": "`ros2 lifecycle set {node} configure`, then `... activate`",
    "inactive": "`ros2 lifecycle set {node} activate`",
}
"""What makes a node active, by its lifecycle state."""
TRANSITIONS: Final = ("configuring", "activating", "deactivating", "cleaningup", "shuttingdown")
"""States that end by themselves: nobody has to do anything."""


def model_status(spec: ModelSpec, info: BackendInfo) -> Status:
    """Tell which model runs, on what; a fall-back is a warning."""
    level, message = Level.OK, f"{info.name}, {info.device}, {info.precision}"
    if info.fallback:
        level, message = Level.WARN, f"fall-back: {info.fallback}"
    values = {
        "model": spec.title,
        "sha256": info.sha256,
        "source": info.source,
        "backend": f"{info.name} {info.version}",
        "device": info.device,
        "precision": info.precision,
        "threads": str(info.threads),
        "chosen because": info.reason,
    }
    return Status(level, message, values)


def no_model_status(error: str = "") -> Status:
    """Tell that no model runs, and why if that is an error."""
    return Status(Level.ERROR if error else Level.STALE, error or "no model is loaded")


def loading_status(present: Status, source: str, seconds: float) -> Status:
    """Tell that a model is being loaded.

    Args:
        present: What is to be said of the model that runs meanwhile; without values if none does.
        source: Where the new one comes from.
        seconds: For how long already.
    """
    values = {**present.values, "loading": source, "loading_s": shown(seconds)}
    message = f"loading for {seconds:.0f} s: {source}"
    if not present.values:
        level = Level.STALE if seconds < LONG_LOAD_S else Level.WARN
        return Status(level, message, values)
    return Status(present.level, f"{present.message}; {message}", values)


class ProcessingHealth:
    """Watches the inference thread from outside. For one thread, but for ``last_problem``."""

    def __init__(self, options: WatchdogOptions) -> None:
        """Start inactive."""
        self.options = options
        self.last_problem = ""
        """Why an image was lost; may be set by any thread."""
        self._window = CountWindow()
        self._running = False

    def start(self, now_s: float) -> None:
        """Watch a new inference thread."""
        self._window.start(now_s)
        self._running, self.last_problem = True, ""

    def settle(self) -> None:
        """Forget what was counted and timed: the engine is another one (any thread)."""
        self._window.restart()

    def stop(self) -> None:
        """Watch none."""
        self._running = False

    def status(
        self,
        now_s: float,
        counts: Mapping[str, int],
        stage_times: Sequence[Mapping[str, float]],
        busy_since_s: float | None,
        enabled: bool = True,
    ) -> Status:
        """Judge the processing.

        Args:
            now_s: The time, as in the other methods.
            counts: What became of the images by name, as in ``worker.Counts``.
            stage_times: Milliseconds by stage of the last images, ``TOTAL`` among them; those of
                the window are the last ones.
            busy_since_s: Since when the present image is in work; ``None`` for no image.
            enabled: Whether the node is to perceive anything.
        """
        if not self._running:
            return Status(Level.STALE, "inactive: no image is processed")
        watched = {name: counts[name] for name in COUNTERS if name in counts}
        self._window.add(now_s, watched, self.options.window_s)
        # Images that could not be published have no times.
        recent = self._window.growth("perceived") - self._window.growth("unpublished")
        times = spreads(stage_times[-recent:] if recent > 0 else ())
        busy_s = 0.0 if busy_since_s is None else now_s - busy_since_s
        level, message = worst(self._findings(times.get(TOTAL), busy_s, enabled))
        values = {
            "enabled": str(enabled).lower(),
            "rate_hz": shown(self._window.rate_hz("perceived")),
            "busy_s": shown(busy_s, 2),
            "lost": str(counts.get("lost", 0)),
            "unrefined": str(counts.get("unrefined", 0)),
            "last_problem": self.last_problem,
        }
        for stage, spread in times.items():
            values[f"{stage}_p50_ms"] = shown(spread.p50_ms, 2)
            values[f"{stage}_p95_ms"] = shown(spread.p95_ms, 2)
            values[f"{stage}_max_ms"] = shown(spread.max_ms, 2)
        return Status(level, message, values)

    def _findings(self, total: Spread | None, busy_s: float, enabled: bool) -> Iterator[Finding]:
        """Yield everything there is to say, the more important of equals first."""
        options, grown, span_s = self.options, self._window.growth, self._window.span_s
        if busy_s > options.hang_s:
            yield (
                Level.ERROR,
                f"inference has not returned for {busy_s:.1f} s: if it stays so, deactivate, clean "
                "up, configure and activate the node, which loads a fresh engine",
            )
        if lost := grown("lost"):
            yield (
                Level.WARN if grown("perceived") else Level.ERROR,
                f"{lost} lost in the last {span_s:.1f} s: {self.last_problem}",
            )
        if total:
            slow = level_above(total.p95_ms, options.latency_warn_ms, options.latency_error_ms)
            limit = options.latency_error_ms if slow > Level.WARN else options.latency_warn_ms
            if slow:
                yield (
                    slow,
                    f"slow: 95 % of the images take up to {total.p95_ms:.0f} ms from receipt to "
                    f"output, the limit is {limit:g} ms",
                )
        if unrefined := grown("unrefined"):
            yield (
                Level.WARN,
                f"ground or tracks failed {unrefined}x in the last {span_s:.1f} s: "
                f"{self.last_problem}",
            )
        if not enabled:
            yield Level.WARN, "disabled: images are dropped until ~/set_enabled says otherwise"
        if total:
            rate_hz = self._window.rate_hz("perceived")
            yield Level.OK, f"{rate_hz:.1f} Hz, {total.p50_ms:.1f} ms from receipt to output"
        busy = f"at work on an image for {busy_s:.1f} s"
        yield Level.OK, busy if busy_s else "idle: no image to process"


@dataclass(frozen=True)
class Audience:
    """Who listens to what is published.

    Attributes:
        subscribers: How many, by topic.
        misfits: Who subscribes in vain, and why.
    """

    subscribers: Mapping[str, int] = field(default_factory=dict)
    misfits: Sequence[str] = ()


class OutputHealth:
    """Watches what is published. ``published`` may be called by another thread than the rest."""

    def __init__(self, node_name: str, options: WatchdogOptions) -> None:
        """Start without a past.

        Args:
            node_name: Fully qualified name of the node, for commands.
            options: See ``WatchdogOptions``.
        """
        self.options = options
        self._node_name = node_name
        self._window = CountWindow()
        self._lock = Lock()
        self._tally: Counter[str] = Counter()
        self._things: Sequence[str] = ()
        self._since_s = 0.0

    def start(self, now_s: float, things: Sequence[str] = ()) -> None:
        """Forget the past.

        Args:
            now_s: The time.
            things: Names of what can be found in an image.
        """
        with self._lock:
            self._tally.clear()
        self._things, self._since_s = things, now_s
        self._window.start(now_s)

    def settle(self, now_s: float) -> None:
        """Forget what was counted: what publishes is another one from now on (any thread)."""
        self._since_s = now_s
        self._window.restart()

    @property
    def is_publishing(self) -> bool:
        """Whether anything was published since the start."""
        return bool(self._tally["published"])

    def published(self, found: Sequence[str]) -> None:
        """Note that everything about an image was published, and which things are in it."""
        with self._lock:
            self._tally.update(("published", *found))

    def status(
        self,
        now_s: float,
        lifecycle: str,
        audience: Audience,
        counts: Mapping[str, int],
    ) -> Status:
        """Judge the output.

        Args:
            now_s: The time, as in ``start``.
            lifecycle: Label of the node's lifecycle state.
            audience: Who listens.
            counts: What became of the images by name, as in ``worker.Counts``.
        """
        values = {"lifecycle": lifecycle}
        if lifecycle in TRANSITIONS:
            return Status(Level.STALE, f"{lifecycle}: nothing is published", values)
        if lifecycle != ACTIVE:
            command = WAKING.get(lifecycle, "").format(node=self._node_name)
            message = f"{lifecycle}: nothing is published"
            return Status(Level.WARN, f"{message}; {command}" if command else message, values)
        with self._lock:
            tally = dict(self._tally)
        errors = counts.get("unpublished", 0)
        self._window.add(now_s, {**tally, "errors": errors}, self.options.window_s)
        level, message = worst(self._findings(audience, now_s - self._since_s < GRACE_S))
        published = self._window.growth("published")
        values |= {"rate_hz": shown(self._window.rate_hz("published")), "errors": str(errors)}
        for name in self._things:
            ratio = self._window.growth(name) / published if published else 0.0
            values[f"{name}_detected_ratio"] = shown(ratio, 3)
        values |= {f"subscribers {name}": str(n) for name, n in audience.subscribers.items()}
        values["mismatch"] = "; ".join(audience.misfits) or "none"
        return Status(level, message, values)

    def _findings(self, audience: Audience, is_new: bool) -> Iterator[Finding]:
        """Yield everything there is to say, the more important of equals first."""
        grown, span_s = self._window.growth, self._window.span_s
        if errors := grown("errors"):
            yield (
                Level.WARN if grown("published") else Level.ERROR,
                f"{errors} could not be published in the last {span_s:.1f} s: see the log",
            )
        if not grown("published"):
            silence = f"nothing published in the last {span_s:.1f} s: see input and processing"
            yield (Level.OK, "nothing published yet") if is_new else (Level.WARN, silence)
        if audience.misfits:
            yield Level.WARN, audience.misfits[0]
        rate_hz = self._window.rate_hz("published")
        yield Level.OK, f"{rate_hz:.1f} Hz, subscriptions: {sum(audience.subscribers.values())}"
