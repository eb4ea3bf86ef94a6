# SPDX-License-Identifier: Apache-2.0
"""What calibration adds to depth: metres by the focal length, their scale by the height."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.tasks.contract.refining import Moment
from shared_encoder_perception.tasks.depth.answer import RELATIVE, DepthMap
from shared_encoder_perception.tasks.depth.depth_msg import focal_of
from shared_encoder_perception.tasks.depth.height import at_height
from shared_encoder_perception.tasks.status import Level, Status

NAME: Final = "depth"
"""Of the status."""
SOURCE_HEIGHT: Final = "depth.source_height_m"
NO_FOCAL: Final = (
    "all depth is unknown, as the camera's focal length is: let a CameraInfo come "
    "beside the images, or set depth.source_focal_px"
)
NO_METRES: Final = "all depth is unknown: the model knows nearer and farther only, no metres"


@dataclass(frozen=True)
class RefineOptions:
    """How high the camera is.

    Attributes:
        height_m: Above the road, where no pose tells; 0 where nobody knows.
    """

    height_m: float = 0.0


def options(value: Callable[[str], Any]) -> RefineOptions:
    """Take the options from parameter values by name."""
    return RefineOptions(float(value(SOURCE_HEIGHT)))


class Refiner:
    """Gives each answer its camera; see ``contract.Refiner``."""

    def __init__(self, options: RefineOptions) -> None:
        """Know no camera yet."""
        self.options = options
        self._status = Status(Level.OK, "waiting for an image")

    def __call__(self, answer: DepthMap, moment: Moment) -> DepthMap:
        """Return the depth in metres, if the camera is known; what the parameter said otherwise."""
        problem = moment.lens_problem
        if moment.lens is not None:
            try:
                answer = self._through(answer, moment, moment.lens)
            except ValueError as error:
                problem = str(error)
        self._status = _status(answer, moment, problem)
        return answer

    def _through(self, answer: DepthMap, moment: Moment, lens: CameraModel) -> DepthMap:
        """Return the depth as the camera sees it, from where it is."""
        answer, height_m = answer.through(focal_of(lens), lens), self.options.height_m
        if moment.camera is not None and moment.camera.has_pose:
            height_m = moment.camera.height_m
        return at_height(answer, height_m) if height_m > 0 else answer

    def end_drive(self) -> None:
        """Do nothing: each image stands for itself."""

    def reset(self) -> None:
        """Forget what was said of the last image."""
        self._status = Status(Level.OK, "waiting for an image")

    def statuses(self) -> dict[str, Status]:
        """Say whether depth is in metres, and by what."""
        return {NAME: self._status}


def _status(answer: DepthMap, moment: Moment, problem: str) -> Status:
    """Say what became of the depth of an image."""
    if answer.kind == RELATIVE:
        return Status(Level.WARN, NO_METRES)
    source = "CameraInfo" if moment.lens is not None and not problem else "depth.source_focal_px"
    values = {"focal length (px)": f"{answer.focal_px:.1f}", "focal length from": source}
    if not math.isnan(answer.height_m):
        values["camera height (m)"] = f"{answer.height_m:.2f}"
        values["scaled by the height"] = f"{answer.scaled_by:.3f}"
    if answer.in_metres:
        level = Level.WARN if problem else Level.OK
        return Status(level, f"in metres{f', but {problem}' if problem else ''}", values)
    return Status(Level.ERROR if problem else Level.WARN, problem or NO_FOCAL)
