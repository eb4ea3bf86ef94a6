# SPDX-License-Identifier: Apache-2.0
"""What is said of a moment: by the model, by masks put on the ground, by a wrong calibration.

Masks on the ground are the method without a network for rigs (inverse perspective mapping): each
camera's mask of where one may drive, looked up where the camera sees a cell. They are the model's
own where it has some, else those of another model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks
from shared_encoder_perception.backends import Backend
from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.rig_predictor import RigPerception, RigPredictor
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.on_ground import AnswersOnGround

Pair = tuple[str, str]
"""Names of two cameras."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What is said of one moment.

    Attributes:
        model: By the model.
        on_ground: By masks on the ground; ``None`` where nobody is asked, or no ground is seen.
        swapped: By the model with the calibrations of two cameras swapped; ``None`` likewise.
    """

    model: RigPerception
    on_ground: Any | None = None
    swapped: Any | None = None


class Swap:
    """Chooses whose calibrations are swapped: a model that does not look at them loses nothing.

    Attributes:
        names: Of two cameras; ``None`` for those two of each rig that look most apart.
    """

    def __init__(self, names: Pair | None = None) -> None:
        """Keep the names.

        Raises:
            ValueError: It is one camera twice.
        """
        if names is not None and names[0] == names[1]:
            raise ValueError(f"--swap names the camera {names[0]} twice: name two cameras")
        self.names = names

    def pair(self, rig: Rig, images: Mapping[str, Any]) -> Pair | None:
        """Return the two cameras of a moment, which must both have a picture; ``None`` for none.

        Raises:
            ValueError: Two that are named take pictures of different sizes.
        """
        cameras = [camera for camera in rig.cameras if camera.name in images]
        if self.names is not None:
            if not {*self.names} <= {camera.name for camera in cameras}:
                return None
            one, other = (rig[name] for name in self.names)
            if tuple(one.image_size) != tuple(other.image_size):
                raise ValueError(
                    f"--swap: pictures of camera {one.name} are {_size(one)}, of {other.name} "
                    f"{_size(other)} pixels: only cameras of one size can be swapped"
                )
            return self.names
        pairs = [
            (float(one.view.extrinsics.rotation[:, 2] @ other.view.extrinsics.rotation[:, 2]), at)
            for at, (one, other) in enumerate(combinations(cameras, 2))
            if tuple(one.image_size) == tuple(other.image_size)
        ]
        if not pairs:
            return None
        one, other = list(combinations(cameras, 2))[min(pairs)[1]]
        return one.name, other.name

    def __str__(self) -> str:
        """Say which."""
        return " and ".join(self.names) if self.names else "the two of each rig most apart"


def swapped_images(
    images: Mapping[str, NDArray[np.uint8]], pair: Pair
) -> dict[str, NDArray[np.uint8]]:
    """Return pictures with two exchanged, which is to exchange what is known of their cameras."""
    one, other = pair
    return {**images, one: images[other], other: images[one]}


class Asked:
    """Everybody who is asked about the moments of a set.

    Attributes:
        predictor: The model.
        has_own_masks: Whether masks on the ground are the model's own.
    """

    def __init__(
        self, predictor: RigPredictor, masks: Callable[[], Backend] | None, swap: Swap | None
    ) -> None:
        """Find out whose masks are put on the ground.

        Args:
            predictor: The model.
            masks: Loads another model whose masks are taken if this one has none; ``None`` for no
                masks on the ground.
            swap: Whose calibrations are swapped; ``None`` for nobody's.
        """
        spec = predictor.spec
        self.predictor, self._swap = predictor, swap
        of_rig = any(tasks.is_rig(name) for name in spec.tasks)
        self.has_own_masks = bool(tasks.parts("on_ground", spec.tasks))
        self._is_asked = masks is not None and of_rig
        self._is_model = not of_rig
        self._other: Backend | None = None
        if self._is_asked and not self.has_own_masks and masks is not None:
            self._other = masks()
        self._masks: tuple[Rig, AnswersOnGround | RigPredictor | None] | None = None

    @property
    def masks_title(self) -> str:
        """Say whose masks are put on the ground; empty for nobody's."""
        if self._is_model:
            return "the model's answer is just that"
        if not self._is_asked:
            return ""
        return "the model's own" if self._other is None else f"of {self._other.spec.title}"

    def ask(self, frame: RigFrame, where: str = "") -> Answers:
        """Ask everybody about one moment.

        Args:
            frame: Its pictures.
            where: File and line, for messages.

        Raises:
            ValueError: The rig sees nothing of the cells, or its pictures cannot be perceived.
        """
        predictor, images = self.predictor, frame.images
        try:
            if frame.rig is not predictor.rig:
                predictor.set_rig(frame.rig)
            found = predictor.predict(images)
            pair = None if self._swap is None else self._swap.pair(frame.rig, images)
            swapped = None
            if pair is not None:
                swapped = predictor.predict(swapped_images(images, pair)).surround
        except ValueError as error:
            raise ValueError(f"{where}: {error}" if where else str(error)) from None
        return Answers(found, self._on_ground(frame, found.cameras), swapped)

    def _on_ground(self, frame: RigFrame, cameras: Mapping[str, Perception]) -> Any | None:
        """Return the map of the masks."""
        if not self._is_asked:
            return None
        if self._masks is None or self._masks[0] is not frame.rig:
            self._masks = (frame.rig, self._masks_of(frame.rig))
        masks = self._masks[1]
        if isinstance(masks, RigPredictor):
            return masks.predict(frame.images).surround
        return None if masks is None else masks(cameras, self.predictor.options)

    def _masks_of(self, rig: Rig) -> AnswersOnGround | RigPredictor | None:
        """Return what puts masks on the ground; ``None`` where the rig sees none of it."""
        grid, spec = self.predictor.grid, self.predictor.spec
        try:
            if self._other is None:
                return AnswersOnGround(rig, grid, spec.tasks)
            return RigPredictor(self._other, rig, grid)
        except ValueError:  # it sees what stands there, and no ground
            return None


def _size(camera: Any) -> str:
    """Return the size of a camera's pictures."""
    height, width = camera.image_size
    return f"{width}x{height}"
