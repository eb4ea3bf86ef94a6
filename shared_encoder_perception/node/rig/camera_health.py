# SPDX-License-Identifier: Apache-2.0
"""How each camera of a rig is doing: waiting, active, late, dead or rejected, and why."""

from __future__ import annotations

from dataclasses import asdict

from shared_encoder_perception.node.input_health import (
    ACTIVE,
    PATIENCE,
    REJECTED,
    WAITING,
    TopicState,
)
from shared_encoder_perception.node.rig.camera_counts import Attendance, CameraCounts
from shared_encoder_perception.node.rig.moment import DEAD, LATE, Timing
from shared_encoder_perception.node.watchdogs import (
    GRACE_S,
    CountWindow,
    Finding,
    WatchdogOptions,
    shown,
)
from shared_encoder_perception.tasks.status import Level, Status


class CameraHealth:
    """Watches one camera. For one thread, but for ``received`` and ``last_problem``."""

    def __init__(self, name: str, now_s: float) -> None:
        """Listen from now on, without a past."""
        self._name, self._since_s = name, now_s
        self._received_s: float | None = None
        self._window = CountWindow()
        self._window.start(now_s)
        self.last_problem = ""
        """Why an image was not used; may be set by any thread."""

    def received(self, now_s: float) -> None:
        """Note that an image came."""
        self._received_s = now_s

    def status(
        self,
        now_s: float,
        counts: CameraCounts,
        attendance: Attendance,
        topic: TopicState,
        timing: Timing,
        options: WatchdogOptions,
        waits: str = "",
        refused: str = "",
    ) -> Status:
        """Judge the camera.

        Args:
            now_s: The time, as in the other methods.
            counts: What became of its images.
            attendance: How it keeps to the others.
            topic: Where its images should come from.
            timing: What belongs together.
            options: When to complain.
            waits: What its calibration waits for; empty for nothing.
            refused: Why its calibration is of no use; empty for nothing.
        """
        ended = {name: getattr(counts, name) for name in ("received", *counts.ended())}
        seen = {"moments": attendance.moments, "missing": attendance.missing}
        self._window.add(
            now_s, {**ended, **seen, "of another time": attendance.apart}, options.window_s
        )
        if refused:
            state, (level, message) = REJECTED, (Level.ERROR, refused)
        elif waits:
            new = now_s - self._since_s < GRACE_S
            state, (level, message) = WAITING, (Level.OK if new else Level.WARN, waits)
        else:
            state, (level, message) = self._judge(now_s, attendance, topic, timing, options)
        values = {
            "state": state,
            "topic": topic.topic,
            "publishers": str(topic.publishers),
            "mismatch": topic.mismatch,
            "rate_hz": shown(self._window.rate_hz("received")),
            "used_hz": shown(self._window.rate_hz("used")),
            "silent_s": shown(self._silent_s(now_s), 2),
            "skew_ms": shown(attendance.skew_s * 1e3),
            "moments": str(attendance.moments),
            "missing": str(attendance.missing),
            **{name: str(count) for name, count in asdict(counts).items()},
            "calibration": refused or waits or "known",
            "last_problem": self.last_problem,
        }
        return Status(level, f"{state}: {message}", values)

    def _judge(
        self,
        now_s: float,
        attendance: Attendance,
        topic: TopicState,
        timing: Timing,
        options: WatchdogOptions,
    ) -> tuple[str, Finding]:
        """Return state, level and message."""
        silent_s, grown = self._silent_s(now_s), self._window.growth
        if self._received_s is None:
            level = Level.WARN if silent_s >= GRACE_S else Level.OK
            return WAITING, (level, topic.silence())
        if silent_s > max(timing.dead_s, options.input_timeout_s):
            long = silent_s > PATIENCE * options.input_timeout_s
            text = (
                f"no image for {silent_s:.1f} s: {topic.silence()}; what it alone sees is unknown"
            )
            return DEAD, (Level.ERROR if long else Level.WARN, text)
        if grown("rejected") and not grown("used"):
            return REJECTED, (Level.ERROR, f"no image can be used: {self.last_problem}")
        missing, moments = grown("missing"), grown("moments")
        if missing > options.drop_warn_ratio * moments:
            level = Level.WARN if grown("used") else Level.ERROR
            return LATE, (level, self._lateness(missing, moments, attendance, timing))
        if grown("rejected") > options.drop_warn_ratio * grown("received"):
            text = f"{grown('rejected')} rejected: {self.last_problem}"
            return REJECTED, (Level.WARN, text)
        rate = f"{self._window.rate_hz('received'):.1f} Hz on {topic.topic}"
        return ACTIVE, (Level.OK, rate)

    def _lateness(self, missing: int, moments: int, attendance: Attendance, timing: Timing) -> str:
        """Say how a camera fails to keep to the others."""
        share = f"missing in {missing} of {moments} moments"
        skew_ms, anchor = attendance.skew_s * 1e3, attendance.anchor
        if self._window.growth("of another time") and abs(attendance.skew_s) > timing.max_skew_s:
            side = "after" if skew_ms > 0 else "before"
            return (
                f"{share}: its images are stamped {abs(skew_ms):.0f} ms {side} those of {anchor}, "
                f"and rig.max_skew_s is {timing.max_skew_s:g}: trigger the cameras together, let "
                "their clocks keep step, or raise it"
            )
        if self._window.growth("late"):
            return f"{share}: it repeats images, or sends them out of order"
        return (
            f"{share}: its images come more than rig.wait_s = {timing.wait_s:g} s after those of "
            f"{anchor}, or more rarely"
        )

    def _silent_s(self, now_s: float) -> float:
        """Return for how long no image has come."""
        since_s = self._since_s if self._received_s is None else self._received_s
        return max(now_s - since_s, 0.0)
