# SPDX-License-Identifier: Apache-2.0
"""The topic of foreground, what its messages carry, and its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from shared_encoder_perception.images.image_msg import to_bgr
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.runtime import Context, New, Topic
from shared_encoder_perception.tasks.foreground.answer import BACKGROUND, FOREGROUND, ForegroundMask
from shared_encoder_perception.tasks.foreground.decode import Options
from shared_encoder_perception.tasks.foreground.spec import Block
from shared_encoder_perception.tasks.masks.message import (
    IMAGE,
    mask_message,
    read_message,
    shows_any,
)
from shared_encoder_perception.tasks.masks.values import NOT_KNOWN
from shared_encoder_perception.tasks.parameter import MODEL_OWN, Parameter, threshold

MASK_TOPIC: Final = "foreground/mask"
TOPICS: Final = (Topic(MASK_TOPIC, IMAGE),)
THRESHOLD: Final = "foreground.threshold"
UNSEEN: Final = "foreground.unseen_value"
ALONG_EDGES: Final = "foreground.along_edges"
PARAMETERS: Final = (
    threshold(THRESHOLD, "Lowest probability of a pixel that is new."),
    Parameter(
        UNSEEN,
        NOT_KNOWN,
        "Value of the foreground mask's pixels of which nothing is known: those that the network "
        "did not see, and all of them while there is no background. 255 is foreground, 0 is not: "
        "neither can stand for what is not known.",
        bounds=(BACKGROUND + 1, FOREGROUND - 1),
    ),
    Parameter(
        ALONG_EDGES,
        True,
        "Bring the foreground mask to the pixels of the image along the edges that the image has "
        "there; false: interpolate between the cells of the network's grid, which takes less.",
        read_only=False,
    ),
)
FOUND: Final = ("foreground",)


def messages(answer: ForegroundMask, context: Context, new: New) -> Mapping[str, Callable[[], Any]]:
    """Return what makes the mono8 image of a mask: see ``ForegroundMask.values``."""
    return {MASK_TOPIC: mask_message(answer, context.header, new)}


def read(messages: Mapping[str, Any], image_size: Size) -> ForegroundMask:
    """Return the mask of a recorded image; one of a single other value knows nothing.

    Raises:
        LookupError: There is none.
        ValueError: It is none that the node publishes.
    """
    if MASK_TOPIC not in messages:
        raise LookupError(f"there is no message on {MASK_TOPIC}")
    values = np.ascontiguousarray(to_bgr(messages[MASK_TOPIC])[:, :, 0])
    said = np.unique(values).tolist()
    if len(said) == 1 and said[0] not in (BACKGROUND, FOREGROUND):
        mask = ForegroundMask(np.zeros_like(values), unseen_value=said[0], known=False)
        mask.check(image_size)
        return mask
    return read_message(ForegroundMask, MASK_TOPIC, messages[MASK_TOPIC], image_size)


def options(value: Callable[[str], Any], block: Block) -> Options:
    """Return what the parameters ask for; the threshold may be the model's own."""
    asked = value(THRESHOLD)
    own = Options.of(block) if asked == MODEL_OWN else Options(asked)
    return replace(own, mask_unseen_value=int(value(UNSEEN)), along_edges=bool(value(ALONG_EDGES)))


def found(answer: ForegroundMask) -> Sequence[str]:
    """Say whether anything is new, by a grid of pixels."""
    return FOUND if answer.known and shows_any(answer) else ()


def fill_info(message: Any, block: Block) -> None:
    """Do nothing: what the mask's values mean is said in the documentation."""
