# SPDX-License-Identifier: Apache-2.0
"""What the times of the images say: late ones, jumps of the clock, images beyond the rate.

Cameras forget to stamp, bags are played in loops, simulated clocks are set back, and drivers on
other computers are not in step with ours. None of it may stop the perception or pass unnoticed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, nan
from typing import Any, Final

FUTURE_TOLERANCE_S: Final = 0.1
"""Clocks of two computers in step may differ by less: an image may be that much ahead of ours."""

OTHER_CLOCK_S: Final = 5.0
"""Images that are further from the node's clock, to either side, are stamped by another one: a bag
without /clock, a driver that counts from its start. No queue of ours delays an image that long."""

JUMP_QUIET_IMAGES: Final = 30
"""After a jump was told, this many images tell of none: two cameras on one topic, each with a clock
of its own, would fill the log. ``StampCounts`` has all of them."""


@dataclass(frozen=True)
class Limits:
    """Which images are let through; may change from one image to the next.

    Attributes:
        max_age_s: An image older than this when its turn comes is dropped; 0 = off.
        max_rate_hz: Images beyond this rate are dropped; 0 = off.
        reorder_window_s: An image whose stamp is less than this before the last one's is late, and
            dropped; one whose stamp is further back means that time jumped.
    """

    max_age_s: float = 0.0
    max_rate_hz: float = 0.0
    reorder_window_s: float = 0.5


@dataclass(frozen=True)
class StampCounts:
    """What was odd about the stamps so far. But for the late ones, such images are processed.

    Attributes:
        zero: Images without a stamp.
        late: Images out of order, dropped.
        duplicate: Images with the stamp of the one before.
        jumps: Times that the stamps jumped back.
        future: Images stamped more than ``FUTURE_TOLERANCE_S`` ahead of the node's clock.
        age_s: Age of the last image when its turn came; negative when it came from the future, NaN
            where unknown.
    """

    zero: int = 0
    late: int = 0
    duplicate: int = 0
    jumps: int = 0
    future: int = 0
    age_s: float = nan


@dataclass(frozen=True)
class StampVerdict:
    """What the stamp of one image says.

    Attributes:
        age_s: Seconds from the stamp to now; NaN without a stamp, or before the clock runs.
        is_late: Whether the image is out of order and to be dropped.
        jump_s: Seconds by which time jumped, below 0; 0 where it did not.
        warning: What to tell people; empty for nothing, or nothing new.
    """

    age_s: float = nan
    is_late: bool = False
    jump_s: float = 0.0
    warning: str = ""


def stamp_ns(header: Any) -> int:
    """Return the stamp of a ``std_msgs/Header`` of rclpy or rosbags in nanoseconds; 0 = none."""
    return int(header.stamp.sec) * 1_000_000_000 + int(header.stamp.nanosec)


def off_clock(age_s: float) -> str:
    """Say how far images are from the node's clock and what to do; empty where they are not.

    Args:
        age_s: How old an image is by that clock, seconds; negative from the future, NaN = unknown.
    """
    if not abs(age_s) > OTHER_CLOCK_S:
        return ""
    if age_s > 0:
        found = f"images are {_lasting(age_s)} old by this node's clock"
    else:
        found = f"images are stamped {_lasting(-age_s)} ahead of the node's clock"
    return (
        f"{found}: use_sim_time? Set it here and where images are played or simulated, or nowhere; "
        "let cameras stamp by a clock that is in step with this computer's"
    )


def _lasting(seconds: float) -> str:
    """Return a time in the unit that people would take."""
    for unit, length_s in (("years", 31557600.0), ("days", 86400.0), ("hours", 3600.0)):
        if seconds >= length_s:
            return f"{seconds / length_s:.1f} {unit}"
    return f"{seconds:.1f} s"


class StampWatch:
    """Judges the stamps of successive images. For one thread; ``counts`` may be read by all."""

    def __init__(self) -> None:
        """Start without a past."""
        self.counts = StampCounts()
        self._last_ns: int | None = None
        self._told: set[str] = set()
        self._quiet_images = 0

    def check(self, image_ns: int, now_ns: int, reorder_window_s: float) -> StampVerdict:
        """Judge the next image, and count it.

        Args:
            image_ns: Its stamp in nanoseconds; 0 = none.
            now_ns: The node's clock in nanoseconds; 0 = unknown, or a simulated clock that does not
                run yet.
            reorder_window_s: See ``Limits``.
        """
        counts = self.counts
        if image_ns == 0:
            self.counts = replace(counts, zero=counts.zero + 1, age_s=nan)
            return StampVerdict(
                warning=self._once(
                    "zero",
                    "images have no stamp: they are processed, but neither their age nor their "
                    "order is known; let the camera driver stamp them",
                )
            )
        age_s = (now_ns - image_ns) / 1e9 if now_ns else nan
        step_s = inf if self._last_ns is None else (image_ns - self._last_ns) / 1e9
        is_future = age_s < -FUTURE_TOLERANCE_S
        is_late = -reorder_window_s < step_s < 0.0
        jump_s = 0.0 if is_late else min(step_s, 0.0)
        self.counts = StampCounts(
            zero=counts.zero,
            late=counts.late + is_late,
            duplicate=counts.duplicate + (step_s == 0.0),
            jumps=counts.jumps + (jump_s < 0.0),
            future=counts.future + is_future,
            age_s=age_s,
        )
        if not is_late:
            self._last_ns = image_ns
        return StampVerdict(age_s, is_late, jump_s, self._warning(age_s, step_s, jump_s))

    def _warning(self, age_s: float, step_s: float, jump_s: float) -> str:
        """Return the most important thing to tell of an image; empty for nothing new."""
        self._quiet_images = max(self._quiet_images - 1, 0)
        if jump_s and not self._quiet_images:
            self._quiet_images = JUMP_QUIET_IMAGES
            return (
                f"time jumped by {jump_s:.3f} s from one image to the next: what was tracked is "
                "forgotten (normal when a bag starts again)"
            )
        if far := off_clock(age_s):
            return self._once("old" if age_s > 0 else "future", far)
        if age_s < -FUTURE_TOLERANCE_S:
            return self._once(
                "future",
                f"an image is stamped {-age_s:.3f} s ahead of the node's clock: synchronise the "
                "clocks of both computers, or set use_sim_time on both sides or none",
            )
        if step_s == 0.0:
            return self._once("duplicate", "two images have the same stamp: both are processed")
        return ""

    def _once(self, kind: str, text: str) -> str:
        """Return ``text`` the first time that something of this kind is told."""
        if kind in self._told:
            return ""
        self._told.add(kind)
        return text


class RateLimit:
    """Lets images through at no more than a rate, on average exactly at it where more come.

    A plain minimum distance would let 15 of 30 images a second pass a limit of 20. Here each image
    books the next slot of one period, and may come up to one slot early: jitter costs nothing, and
    no stretch of T seconds lets more than 2 + T * rate images through.
    """

    def __init__(self) -> None:
        """Start with a free slot."""
        self._due_s = -inf

    def admits(self, received_s: float, max_rate_hz: float) -> bool:
        """Say whether the image received at this ``perf_counter`` may pass; 0 Hz = no limit."""
        if max_rate_hz <= 0.0:
            self._due_s = -inf
            return True
        if received_s < self._due_s:
            return False
        period_s = 1.0 / max_rate_hz
        self._due_s = max(self._due_s, received_s - period_s) + period_s
        return True
