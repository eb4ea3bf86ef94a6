# SPDX-License-Identifier: Apache-2.0
"""What calibration and time add to lanes: lines on the road, and tracks from image to image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shared_encoder_perception.ground.calibrated import CalibratedCamera
from shared_encoder_perception.ground.options import GroundOptions
from shared_encoder_perception.tasks.contract.refining import Moment
from shared_encoder_perception.tasks.lanes.answer import Lanes
from shared_encoder_perception.tasks.lanes.ground.correction import Correction
from shared_encoder_perception.tasks.lanes.ground.options import RoadOptions, road_options
from shared_encoder_perception.tasks.lanes.ground.projector import Projector
from shared_encoder_perception.tasks.lanes.lock import Lock
from shared_encoder_perception.tasks.lanes.tracking.options import TrackingOptions, tracking_options
from shared_encoder_perception.tasks.lanes.tracking.tracker import LaneTracker
from shared_encoder_perception.tasks.status import Level, Status


@dataclass(frozen=True)
class RefineOptions:
    """What the parameters say of lanes on the road, and of tracking."""

    road: RoadOptions = field(default_factory=RoadOptions)
    tracking: TrackingOptions = field(default_factory=TrackingOptions)


def options(value: Callable[[str], Any]) -> RefineOptions:
    """Take the options from parameter values by name.

    Raises:
        ValueError: Two parameters contradict each other.
    """
    return RefineOptions(road_options(value), tracking_options(value))


class Refiner:
    """Puts the lanes of one camera on the road, then follows them; see ``contract.Refiner``."""

    def __init__(self, options: RefineOptions) -> None:
        """Know nothing yet."""
        self._options = options
        self._tracker = LaneTracker(options.tracking)
        self._lock = Lock()
        self._correction = Correction.of(options.road)
        self._calibrated_by: GroundOptions | None = None
        self._on_road = False

    @property
    def options(self) -> RefineOptions:
        """What the parameters say; a change of those of the road starts the correction anew."""
        return self._options

    @options.setter
    def options(self, options: RefineOptions) -> None:
        with self._lock:
            before, self._options = self._options, options
            if before.road != options.road:
                self._correction = Correction.of(options.road)
        self._tracker.options = options.tracking

    def __call__(self, answer: Lanes, moment: Moment) -> Lanes:
        """Return the lanes with ground geometry, where there is a calibration, and tracks."""
        self._on_road = moment.camera is not None
        if moment.camera is not None:
            answer = self._projector(moment.camera).project(answer)
        return self._tracker.update(answer, moment.image_size, moment.stamp_s)

    def end_drive(self) -> None:
        """Forget the tracks."""
        self._tracker.reset()

    def reset(self) -> None:
        """Forget the tracks, and what was learnt about the camera."""
        self._tracker.reset()
        with self._lock:
            if self._correction is not None:
                self._correction.reset()

    def statuses(self) -> dict[str, Status]:
        """Say what is followed, and how the calibration is corrected."""
        found = {"tracking": self._tracker.status()}
        correction = self._correction
        if correction is not None and self._on_road:
            found["calibration"] = _correction_status(correction)
        return found

    def _projector(self, camera: CalibratedCamera) -> Projector:
        """Return what projects the next image."""
        with self._lock:
            options, before = self._options.road, self._calibrated_by
            self._calibrated_by = camera.options
            if before not in (None, camera.options):  # what was learnt corrected another pose
                self._correction = Correction.of(options)
            return Projector(camera, options, self._correction)


def _correction_status(correction: Correction) -> Status:
    """Say what was learnt about the camera's pose."""
    state = correction.state
    values = {
        "correction": "in use" if state.in_use else "learning",
        "pitch correction (deg)": f"{np.degrees(state.pitch_rad):+.3f}",
        "pitch correction std (deg)": f"{np.degrees(state.pitch_std_rad):.3f}",
        "height factor": f"{state.height_factor:.3f}",
        "images learnt from": str(state.accepted),
        "images refused": str(state.refused),
        "last refusal": state.reason,
    }
    if state.in_use and state.at_limit:
        text = "the correction is at its limit: calibrate the camera"
        return Status(Level.WARN, text, values)
    return Status(Level.OK, "", values)
