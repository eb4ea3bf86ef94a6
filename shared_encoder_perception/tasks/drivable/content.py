"""The topic of drivable_surface, what its messages carry, and its parameter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from shared_encoder_perception.images.image_msg import fill_image, to_bgr
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.runtime import Context, New, Topic
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.drivable.decode import Options
from shared_encoder_perception.tasks.drivable.spec import Block
from shared_encoder_perception.tasks.packing import pack
from shared_encoder_perception.tasks.parameter import MODEL_OWN, threshold

IMAGE: Final = "sensor_msgs/msg/Image"
MASK_TOPIC: Final = "drivable_surface/mask"
TOPICS: Final = (Topic(MASK_TOPIC, IMAGE),)

PARAMETERS: Final = (threshold("mask.threshold", "Lowest probability of a drivable pixel."),)

FOUND: Final = ("mask",)

MASK_VALUES: Final = {0: "not_drivable", 255: "drivable"}
"""What the values of the mask image mean."""

MASK_GRID_PX: Final = 8
"""Distance of the mask's pixels that are looked at to tell whether anything is drivable."""


def messages(answer: DrivableMask, context: Context, new: New) -> Mapping[str, Callable[[], Any]]:
    """Return what makes the mono8 image of a mask, with the values of ``MASK_VALUES``."""

    def mask() -> Any:
        message = new(IMAGE)
        message.header = context.header
        fill_image(message, answer.binary(), "mono8")
        return message

    return {MASK_TOPIC: mask}


def read(messages: Mapping[str, Any], image_size: Size) -> DrivableMask:
    """Return the mask of a recorded image: as sure as one bit can be.

    Raises:
        LookupError: There is none.
        ValueError: It is no image, or not of the source image's size.
    """
    if MASK_TOPIC not in messages:
        raise LookupError(f"there is no message on {MASK_TOPIC}")
    values = np.ascontiguousarray(to_bgr(messages[MASK_TOPIC])[:, :, 0])
    mask = DrivableMask(values)
    mask.check(image_size)
    return mask


def options(value: Callable[[str], Any], block: Block) -> Options:
    """Return the threshold that the parameter asks for, or the model's own."""
    asked = value("mask.threshold")
    return Options.of(block) if asked == MODEL_OWN else Options(asked)


def found(answer: DrivableMask) -> Sequence[str]:
    """Say whether anything is drivable, by a grid of pixels."""
    grid = answer.probability[::MASK_GRID_PX, ::MASK_GRID_PX]
    return FOUND if grid.max(initial=0) >= answer.threshold else ()


def fill_info(message: Any, block: Block) -> None:
    """Say what the values of the mask mean (in place)."""
    message.mask_values = pack(message.mask_values, list(MASK_VALUES), np.uint8)
    message.mask_labels = list(MASK_VALUES.values())
