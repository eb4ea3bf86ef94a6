# SPDX-License-Identifier: Apache-2.0
"""The topic of drivable_surface, what its messages carry, and its parameter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.runtime import Context, New, Topic
from shared_encoder_perception.tasks.drivable.answer import DRIVABLE, NOT_DRIVABLE, DrivableMask
from shared_encoder_perception.tasks.drivable.decode import Options
from shared_encoder_perception.tasks.drivable.spec import Block
from shared_encoder_perception.tasks.masks.message import (
    IMAGE,
    mask_message,
    read_message,
    shows_any,
)
from shared_encoder_perception.tasks.masks.values import NOT_KNOWN
from shared_encoder_perception.tasks.packing import pack
from shared_encoder_perception.tasks.parameter import MODEL_OWN, Parameter, threshold

MASK_TOPIC: Final = "drivable_surface/mask"
TOPICS: Final = (Topic(MASK_TOPIC, IMAGE),)

UNSEEN: Final = "mask.unseen_value"
PARAMETERS: Final = (
    threshold("mask.threshold", "Lowest probability of a drivable pixel."),
    Parameter(
        UNSEEN,
        NOT_KNOWN,
        "Value of the mask's pixels that the network did not see, which are nearly half of a 4:3 "
        "camera's; consumers take 255 alone for drivable and 0 alone for blocked. Hazard: with 0, "
        "as before 1.1, they look like not drivable, though nothing is known of them.",
        bounds=(0, DRIVABLE - 1),
    ),
)

FOUND: Final = ("mask",)

MASK_VALUES: Final = {NOT_DRIVABLE: "not_drivable", DRIVABLE: "drivable"}
"""What the values of the mask image mean."""
UNSEEN_LABEL: Final = "unseen"
"""What another value means, where there is one for pixels that the network did not see."""


def messages(answer: DrivableMask, context: Context, new: New) -> Mapping[str, Callable[[], Any]]:
    """Return what makes the mono8 image of a mask: see ``DrivableMask.values``."""
    return {MASK_TOPIC: mask_message(answer, context.header, new)}


def read(messages: Mapping[str, Any], image_size: Size) -> DrivableMask:
    """Return the mask of a recorded image: as sure as one bit can be; see ``read_message``.

    Raises:
        LookupError: There is none.
        ValueError: It is none that the node publishes.
    """
    if MASK_TOPIC not in messages:
        raise LookupError(f"there is no message on {MASK_TOPIC}")
    return read_message(DrivableMask, MASK_TOPIC, messages[MASK_TOPIC], image_size)


def options(value: Callable[[str], Any], block: Block) -> Options:
    """Return the threshold that the parameter asks for, or the model's own."""
    asked = value("mask.threshold")
    own = Options.of(block) if asked == MODEL_OWN else Options(asked)
    return replace(own, mask_unseen_value=int(value(UNSEEN)))


def found(answer: DrivableMask) -> Sequence[str]:
    """Say whether anything is drivable, by a grid of pixels."""
    return FOUND if shows_any(answer) else ()


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
