# SPDX-License-Identifier: Apache-2.0
"""The topics of semantic, what their messages carry, and its parameter."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.drawing.text import draw_legend
from shared_encoder_perception.images.image_msg import (
    FOR_PEOPLE,
    fill_compressed,
    fill_image,
    to_bgr,
)
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.runtime import Context, New, Topic
from shared_encoder_perception.tasks.parameter import Parameter, live
from shared_encoder_perception.tasks.semantic.answer import SemanticMask
from shared_encoder_perception.tasks.semantic.classes import (
    UNLABELLED,
    Table,
    from_text,
)
from shared_encoder_perception.tasks.semantic.decode import Options
from shared_encoder_perception.tasks.semantic.draw import coloured, legend
from shared_encoder_perception.tasks.semantic.spec import Block
from shared_encoder_perception.tasks.semantic.tables import numbered

IMAGE: Final = "sensor_msgs/msg/Image"
COMPRESSED: Final = "sensor_msgs/msg/CompressedImage"
STRING: Final = "std_msgs/msg/String"
LABEL_INFO: Final = "vision_msgs/msg/LabelInfo"
VISION_CLASS: Final = "vision_msgs/msg/VisionClass"
MASK_TOPIC: Final = "semantic/mask"
CONFIDENCE_TOPIC: Final = "semantic/confidence"
LABELS_TOPIC: Final = "semantic/labels"
LABEL_INFO_TOPIC: Final = "semantic/label_info"
PICTURE_TOPIC: Final = "~/debug/semantic/compressed"
TOPICS: Final = (
    Topic(MASK_TOPIC, IMAGE),
    Topic(CONFIDENCE_TOPIC, IMAGE, lazy=True),
    Topic(LABELS_TOPIC, STRING, latched=True),
    Topic(LABEL_INFO_TOPIC, LABEL_INFO, latched=True, optional=True),
    Topic(PICTURE_TOPIC, COMPRESSED, lazy=True, pictures=True),
)
UNLABELLED_BELOW: Final = "semantic.unlabelled_below"
PARAMETERS: Final[Sequence[Parameter]] = (
    live(
        UNLABELLED_BELOW,
        0.0,
        (0.0, 1.0),
        "Pixels whose class is less probable become 255, unlabelled.",
    ),
)
FOUND: Final = ("classes",)
GRID_PX: Final = 8
"""Distance of the pixels that are looked at to tell whether there is any class."""


def messages(answer: SemanticMask, context: Context, new: New) -> Mapping[str, Callable[[], Any]]:
    """Return what makes the mono8 images of ids and of confidence, and the picture for people."""

    def plane(pixels: NDArray[np.uint8]) -> Any:
        message = new(IMAGE)
        message.header = context.header
        fill_image(message, pixels, "mono8")
        return message

    def picture() -> Any:
        message = new(COMPRESSED)
        message.header = context.header
        canvas = coloured(answer.ids, answer.classes)
        draw_legend(canvas, legend(answer))
        fill_compressed(message, canvas, quality=FOR_PEOPLE)
        return message

    return {
        MASK_TOPIC: lambda: plane(answer.ids),
        CONFIDENCE_TOPIC: lambda: plane(answer.confidence),
        PICTURE_TOPIC: picture,
    }


def announce(
    block: Block, options: Options, header: Any, new: New
) -> Mapping[str, Callable[[], Any]]:
    """Return what makes the table of classes: as JSON text, and as vision_msgs has it.

    The text is ``{"unlabelled": 255, "classes": [...]}``. ``vision_msgs/LabelInfo`` has ids and
    names alone; that 255 is no class, of masks of bytes, is its convention.
    """

    def labels() -> Any:
        message = new(STRING)
        said = {"unlabelled": UNLABELLED, "classes": [asdict(one) for one in block.classes]}
        message.data = json.dumps(said)
        return message

    def label_info() -> Any:
        message = new(LABEL_INFO)
        message.header = header
        message.class_map = [named(one.id, one.name) for one in block.classes]
        message.threshold = float(options.unlabelled_below)
        return message

    def named(number: int, name: str) -> Any:
        message = new(VISION_CLASS)
        message.class_id, message.class_name = int(number), str(name)
        return message

    return {LABELS_TOPIC: labels, LABEL_INFO_TOPIC: label_info}


def read(messages: Mapping[str, Any], image_size: Size) -> SemanticMask:
    """Return the classes of a recorded image.

    Without their table classes have numbers for names; without confidence they are sure.

    Raises:
        LookupError: There are no ids.
        ValueError: They are no image, not of the source image's size, or not in the table.
    """
    if MASK_TOPIC not in messages:
        raise LookupError(f"there is no message on {MASK_TOPIC}")
    ids = _plane(messages[MASK_TOPIC])
    if CONFIDENCE_TOPIC in messages:
        confidence = _plane(messages[CONFIDENCE_TOPIC])
    else:
        confidence = np.where(ids == UNLABELLED, np.uint8(0), np.uint8(255))
    table = table_of(messages[LABELS_TOPIC]) if LABELS_TOPIC in messages else numbered(_count(ids))
    answer = SemanticMask(ids, confidence, table)
    answer.check(image_size)
    return answer


def table_of(message: Any) -> Table:
    """Return the table that a message of ``LABELS_TOPIC`` carries.

    Raises:
        ValueError: It carries none.
    """
    try:
        said = json.loads(message.data)["classes"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ValueError(f"{LABELS_TOPIC} is no JSON with a list of classes") from None
    return from_text(json.dumps(said), LABELS_TOPIC)


def _plane(message: Any) -> NDArray[np.uint8]:
    """Return (H, W) of a mono8 image."""
    return np.ascontiguousarray(to_bgr(message)[:, :, 0])


def _count(ids: NDArray[np.uint8]) -> int:
    """Return how many classes a table needs to have these ids."""
    known = ids[ids != UNLABELLED]
    return int(known.max(initial=0)) + 1


def options(value: Callable[[str], Any], block: Block) -> Options:
    """Return what the parameter asks for."""
    return Options(float(value(UNLABELLED_BELOW)))


def found(answer: SemanticMask) -> Sequence[str]:
    """Say whether any pixel has a class, by a grid of pixels."""
    return FOUND if (answer.ids[::GRID_PX, ::GRID_PX] != UNLABELLED).any() else ()


def fill_info(message: Any, block: Block) -> None:
    """Do nothing: the table has a topic of its own."""
