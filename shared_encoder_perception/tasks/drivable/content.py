"""The topic of drivable_surface, what its messages carry, and its parameter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.image_msg import fill_image, to_bgr
from shared_encoder_perception.structures import Crop, Size
from shared_encoder_perception.tasks.contract.runtime import Context, New, Topic
from shared_encoder_perception.tasks.drivable.answer import DRIVABLE, NOT_DRIVABLE, DrivableMask
from shared_encoder_perception.tasks.drivable.decode import Options
from shared_encoder_perception.tasks.drivable.spec import Block
from shared_encoder_perception.tasks.packing import pack
from shared_encoder_perception.tasks.parameter import MODEL_OWN, Parameter, threshold

IMAGE: Final = "sensor_msgs/msg/Image"
MASK_TOPIC: Final = "drivable_surface/mask"
TOPICS: Final = (Topic(MASK_TOPIC, IMAGE),)

UNSEEN: Final = "mask.unseen_value"
PARAMETERS: Final = (
    threshold("mask.threshold", "Lowest probability of a drivable pixel."),
    Parameter(
        UNSEEN,
        NOT_DRIVABLE,
        "Value of the mask's pixels that the network did not see, which are nearly half of a 4:3 "
        "camera's. Hazard: with 0 they look like not drivable, though nothing is known of them. "
        "127 is recommended, and will be the default from 1.0 on; consumers must then take 255 "
        "alone for drivable and 0 alone for blocked.",
        bounds=(0, DRIVABLE - 1),
    ),
)

FOUND: Final = ("mask",)

MASK_VALUES: Final = {NOT_DRIVABLE: "not_drivable", DRIVABLE: "drivable"}
"""What the values of the mask image mean."""
UNSEEN_LABEL: Final = "unseen"
"""What another value means, where there is one for pixels that the network did not see."""

MASK_GRID_PX: Final = 8
"""Distance of the mask's pixels that are looked at to tell whether anything is drivable."""


def messages(answer: DrivableMask, context: Context, new: New) -> Mapping[str, Callable[[], Any]]:
    """Return what makes the mono8 image of a mask: see ``DrivableMask.values``."""

    def mask() -> Any:
        message = new(IMAGE)
        message.header = context.header
        fill_image(message, answer.values(), "mono8")
        return message

    return {MASK_TOPIC: mask}


def read(messages: Mapping[str, Any], image_size: Size) -> DrivableMask:
    """Return the mask of a recorded image: as sure as one bit can be.

    A value that is neither drivable nor not drivable stands for what was not seen.

    Raises:
        LookupError: There is none.
        ValueError: It is no image, not of the source image's size, or has values that the node
            does not publish.
    """
    if MASK_TOPIC not in messages:
        raise LookupError(f"there is no message on {MASK_TOPIC}")
    values = np.ascontiguousarray(to_bgr(messages[MASK_TOPIC])[:, :, 0])
    mask = DrivableMask(values)
    mask.check(image_size)
    known = (values == NOT_DRIVABLE) | (values == DRIVABLE)
    return mask if known.all() else _partly_seen(values, known)


def _partly_seen(values: NDArray[np.uint8], known: NDArray[np.bool_]) -> DrivableMask:
    """Return a mask with pixels that were not seen.

    Raises:
        ValueError: They are not all that lies outside of one rectangle, or have several values.
    """
    others = np.unique(values[~known]).tolist()
    if len(others) > 1 or not known.any():
        shown = f"{others[:5]}{' ...' if len(others) > 5 else ''}"
        raise ValueError(
            f"{MASK_TOPIC} has the values {shown}: expected 255 drivable, 0 not, and at most one "
            "other for what the network did not see"
        )
    x, y, width, height = cv2.boundingRect(known.view(np.uint8))
    crop = Crop(x, y, width, height)
    if not known[crop.window].all():
        raise ValueError(
            f"{MASK_TOPIC} has the value {others[0]} inside of what the network saw, "
            f"{list(crop)} [x, y, width, height]: expected 255 drivable or 0 not"
        )
    return DrivableMask(np.where(known, values, np.uint8(0)), crop=crop, unseen_value=others[0])


def options(value: Callable[[str], Any], block: Block) -> Options:
    """Return the threshold that the parameter asks for, or the model's own."""
    asked = value("mask.threshold")
    own = Options.of(block) if asked == MODEL_OWN else Options(asked)
    return replace(own, mask_unseen_value=int(value(UNSEEN)))


def found(answer: DrivableMask) -> Sequence[str]:
    """Say whether anything is drivable, by a grid of pixels."""
    grid = answer.probability[::MASK_GRID_PX, ::MASK_GRID_PX]
    return FOUND if grid.max(initial=0) >= answer.threshold else ()


def fill_info(message: Any, block: Block) -> None:
    """Say what the values of the mask mean (in place)."""
    message.mask_values = pack(message.mask_values, list(MASK_VALUES), np.uint8)
    message.mask_labels = list(MASK_VALUES.values())


def fill_options(message: Any, options: Options) -> None:
    """Say which value of the mask stands for what was not seen (in place)."""
    if (unseen := options.mask_unseen_value) not in MASK_VALUES:
        meanings = dict(sorted({**MASK_VALUES, unseen: UNSEEN_LABEL}.items()))
        message.mask_values = pack(message.mask_values, list(meanings), np.uint8)
        message.mask_labels = list(meanings.values())
