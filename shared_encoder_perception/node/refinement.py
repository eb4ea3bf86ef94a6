# SPDX-License-Identifier: Apache-2.0
"""What the node adds to a perception: calibration and time, which the tasks' rooms make use of."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final

from shared_encoder_perception import tasks
from shared_encoder_perception.images.stamps import stamp_ns
from shared_encoder_perception.node.calibration import Calibration
from shared_encoder_perception.node.companions import Companions
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.contract.refining import CompanionState, Moment, Refiner
from shared_encoder_perception.tasks.status import Status

CALIBRATION: Final = "calibration"
"""Name of the status that is the node's own, and that refiners may add to."""


class Refiners:
    """The refiner of each task that has one, for one camera; see ``contract.Refiner``."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Make them.

        Args:
            options: Of each, by the name of the task.
        """
        self._refiners: dict[str, Refiner] = {
            task: tasks.part(task, "refine").Refiner(one) for task, one in options.items()
        }

    @property
    def names(self) -> list[str]:
        """Names of the statuses that they always have."""
        names = [name for refiner in self._refiners.values() for name in refiner.statuses()]
        return [name for name in dict.fromkeys(names) if name != CALIBRATION]

    def status(self, name: str, of: Collection[str] | None) -> Status | None:
        """Return what they say of something together; ``None`` for nothing.

        Args:
            name: Of the status.
            of: Tasks that count; ``None`` for all.
        """
        found = None
        for task, refiner in self._refiners.items():
            one = refiner.statuses().get(name) if of is None or task in of else None
            if one is not None:
                found = one if found is None else found.with_more(one)
        return found

    def set_options(self, options: Mapping[str, Any]) -> None:
        """Refine the next image by these, as the constructor takes them."""
        for task, refiner in self._refiners.items():
            refiner.options = options[task]

    def refine(self, answers: Mapping[str, Any], moment: Moment) -> dict[str, Any]:
        """Return the answers to an image, refined."""
        return {
            task: self._refiners[task](answer, moment) if task in self._refiners else answer
            for task, answer in answers.items()
        }

    def expect(self, companions: Mapping[str, CompanionState]) -> None:
        """Let them tell what is wrong with a picture to compare with before there is an image."""
        for refiner in self._refiners.values():
            if hasattr(refiner, "expect"):
                refiner.expect(companions)

    def end_drive(self) -> None:
        """Forget what goes on from one image to the next."""
        for refiner in self._refiners.values():
            refiner.end_drive()

    def reset(self) -> None:
        """Forget what was learnt from the images so far."""
        for refiner in self._refiners.values():
            refiner.reset()


class Refinement:
    """Calibrates and refines one camera's images, and says what they were compared with.

    For the inference thread.

    Attributes:
        frame_id: The vehicle's frame while there was a calibration for the last image; empty
            otherwise.
        camera_info: The CameraInfo that was of use for the last image, or ``None``.
    """

    def __init__(
        self, calibration: Calibration, refiners: Refiners, companions: Companions
    ) -> None:
        """Use these, which others may configure meanwhile."""
        self._calibration, self._refiners = calibration, refiners
        self._companions = companions
        self.frame_id = ""
        self.camera_info: Any = None

    def __call__(self, header: Any, perception: Perception) -> Perception:
        """Refine the perception of an image with this header."""
        self.frame_id, self.camera_info = "", None
        size = perception.image_size
        camera, lens = self._calibration.camera(header, size), self._calibration.lens(size)
        stamp_s = stamp_ns(header) * 1e-9
        states = self._companions.states
        moment = Moment(size, stamp_s, camera, lens.model, lens.problem, states)
        answers = self._refiners.refine(perception.answers, moment)
        if camera is not None:
            self.frame_id = camera.options.frame_id
        self.camera_info = lens.info
        return replace(perception, answers=answers)
