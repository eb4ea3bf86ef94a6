# SPDX-License-Identifier: Apache-2.0
"""Follows the lanes of one camera from image to image.

tracker = LaneTracker(TrackingOptions(enabled=True))
lanes = tracker.update(lanes, image_size, stamp_s)
"""

from __future__ import annotations

from collections import Counter
from itertools import count

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.lanes.answer import LaneLine, Lanes
from shared_encoder_perception.tasks.lanes.lock import Lock
from shared_encoder_perception.tasks.lanes.tracking.options import TrackingOptions
from shared_encoder_perception.tasks.lanes.tracking.tracks import (
    BORN,
    ENDED,
    HANDED_OVER,
    WEAK,
    Tracks,
)
from shared_encoder_perception.tasks.status import Level, Status


class LaneTracker:
    """Gives the lanes of successive images ids, steadies them, and bridges short gaps.

    ``update`` is for one thread; everything else may be called by any.
    """

    def __init__(self, options: TrackingOptions) -> None:
        """Follow nothing yet."""
        self._options = options
        self._lock = Lock()
        self._ids = count(1)
        self._counts: Counter[str] = Counter()
        self._tracks: Tracks | None = None
        self._frame_id = ""
        self._has_stamps, self._on_road = True, False
        self._resets, self._reason = 0, ""

    @property
    def options(self) -> TrackingOptions:
        """What the parameters say; may be replaced at any time, for the next image."""
        return self._options

    @options.setter
    def options(self, options: TrackingOptions) -> None:
        with self._lock:
            before, self._options = self._options, options
            if (before.enabled, before.agility) != (options.enabled, options.agility):
                self._tracks = None
            elif self._tracks is not None:
                self._tracks.options = options

    def reset(self) -> None:
        """Forget all tracks; ids go on counting."""
        with self._lock:
            self._forget("asked for")

    def status(self) -> Status:
        """Say what is followed."""
        with self._lock:
            if not self._options.enabled:
                return Status(Level.OK, "off: tracking.enabled is false")
            followed = self._tracks.followed if self._tracks else 0
            values = {
                "tracks": str(followed),
                "tracks not seen": str(self._tracks.unseen if self._tracks else 0),
                "geometry": "road" if self._on_road else "image",
                "tracks begun": str(self._counts[BORN]),
                "tracks ended": str(self._counts[ENDED]),
                "hand-overs": str(self._counts[HANDED_OVER]),
                "lines below on_confidence": str(self._counts[WEAK]),
                "resets": str(self._resets),
                "last reset": self._reason or "none",
            }
            if not self._has_stamps:
                why = "images have no stamp, nothing is followed: let the camera stamp them"
                return Status(Level.WARN, why, values)
            return Status(Level.OK, f"{followed} lanes followed", values)

    def update(self, lanes: Lanes, image_size: Size, stamp_s: float) -> Lanes:
        """Follow the lanes into the next image.

        Args:
            lanes: What was measured, with ground geometry where there is some.
            image_size: ``(height, width)`` of the image.
            stamp_s: When it was taken, seconds; 0 = unknown: then nothing is followed.

        Returns:
            The same with every lane that is followed filtered (``DETECTED``) or predicted
            (``PREDICTED``), with its ``track_id``. A lane that is neither followed nor sure enough
            to be taken up is ``NOT_DETECTED``. Without a stamp, or while tracking is off, the
            lanes themselves; in the former case less the lines below ``on_confidence``.
        """
        with self._lock:
            if not self._options.enabled:
                return lanes
            self._has_stamps = stamp_s != 0.0
            if not self._has_stamps:
                self._forget("an image without a stamp")
                return _sure(lanes, self._options.on_confidence)
            self._forget(self._break(lanes, image_size, stamp_s))
            if self._tracks is None:
                self._tracks = Tracks(image_size, self._options, self._ids, self._counts)
            return self._tracks.update(lanes, stamp_s)

    def _break(self, lanes: Lanes, image_size: Size, stamp_s: float) -> str:
        """Return why the image does not go on from the last one; empty if it does."""
        frames = {line.ground.frame_id for line in lanes if line.ground}
        before = self._frame_id
        self._frame_id = min(frames, default=before)
        if any(line.detected for line in lanes):
            self._on_road = bool(frames)
        if self._tracks is None or self._tracks.stamp_s is None:
            return ""
        size, step_s = self._tracks.image_size, stamp_s - self._tracks.stamp_s
        if step_s < 0.0:
            return f"time jumped back by {-step_s:.3f} s"
        if step_s > self._options.reset_gap_s:
            return f"no image for {step_s:.3f} s"
        if tuple(size) != tuple(image_size):
            return f"images changed from {size} to {image_size} (height, width)"
        if before and before != self._frame_id:
            return f"the ground's frame changed from {before} to {self._frame_id}"
        return ""

    def _forget(self, reason: str) -> None:
        """Start anew if there is a reason; it is counted if that matters."""
        if reason and self._tracks is not None:
            self._resets += 1
            self._reason = reason
            self._tracks = None


def _sure(lanes: Lanes, least: float) -> Lanes:
    """Return the lanes without the lines that only a track could have held."""
    return Lanes(
        tuple(
            line if line.confidence >= least else LaneLine(line.lane_id, confidence=line.confidence)
            for line in lanes
        )
    )
