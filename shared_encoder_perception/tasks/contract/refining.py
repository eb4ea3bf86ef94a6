# SPDX-License-Identifier: Apache-2.0
"""What calibration and time add to answers: refine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import nan
from typing import Any, Protocol

from shared_encoder_perception.ground.calibrated import CalibratedCamera
from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.status import Level, Status


@dataclass(frozen=True)
class CompanionState:
    """What is known of a picture that an image was compared with.

    Attributes:
        problem: Why nothing can be told by it, and what to do; empty where it is of use.
        level: How bad that is: ``WARN`` where there is none, or one too old, ``ERROR`` where there
            is one that does not fit.
        source: Where it came from, for people; empty where there is none.
        age_s: How much earlier than the image it was taken, seconds; NaN where unknown.
        size: Its ``(height, width)``; ``None`` where there is none.
        note: What to warn of though it is of use, and what to do; ``level`` is ``WARN`` then.
    """

    problem: str = ""
    level: Level = Level.OK
    source: str = ""
    age_s: float = nan
    size: Size | None = None
    note: str = ""


@dataclass(frozen=True)
class Moment:
    """How an image was taken.

    Attributes:
        image_size: ``(height, width)`` of the image.
        stamp_s: When, seconds; 0 = unknown.
        camera: How its camera looks at the road; ``None`` without calibration.
        lens: How its camera sees, wherever it looks; ``None`` where nobody says.
        lens_problem: Why what is said of the lens is of no use; empty where it is, or nothing is.
        companions: Of the pictures that the model compares images with, by the names of its inputs.
            A network that had none of use was given the image itself: what the answer says then is
            not known, and for the refiner to take back. Without an entry, whoever asked gave the
            picture, and it is of use.
    """

    image_size: Size
    stamp_s: float
    camera: CalibratedCamera | None = None
    lens: CameraModel | None = None
    lens_problem: str = ""
    companions: Mapping[str, CompanionState] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse the calibration of other images."""
        if self.camera is not None and tuple(self.image_size) != tuple(self.camera.view.image_size):
            raise ValueError(
                f"the image is {self.image_size}, the calibration is for "
                f"{self.camera.view.image_size} (height, width)"
            )


class Refiner(Protocol):
    """What calibration and earlier images add to the answers of one camera; can be pickled.

    It is called by one thread; everything else by any.
    """

    options: Any
    """As it was made with; may be replaced at any time, for the next image."""

    def __call__(self, answer: Any, moment: Moment) -> Any:
        """Return the answer to the next image, refined."""

    def end_drive(self) -> None:
        """Forget what goes on from one image to the next, as the next does not go on from here."""

    def reset(self) -> None:
        """Forget everything that was learnt from images."""

    def statuses(self) -> Mapping[str, Status]:
        """Return what to tell in ``/diagnostics``, always of the same names.

        But for ``"calibration"``, which is the node's: what is told of it, if anything, is added.
        """


class Refine(Protocol):
    """``refine.py`` (optional): what calibration and time add to an answer, in node and replay.

    ``Refiner(options)`` is made once for each camera; see there. One that goes by ``companions``
    may have a method ``expect(companions)``, too: it is told what is known of them before there is
    an image, so that ``statuses`` can tell.
    """

    Refiner: Callable[[Any], Refiner]

    def options(self, value: Callable[[str], Any]) -> Any:
        """Return what the parameters say; ``value`` by the names of ``content.PARAMETERS``.

        Raises:
            ValueError: Two of them contradict each other.
        """
