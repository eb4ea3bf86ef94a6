# SPDX-License-Identifier: Apache-2.0
"""Masks as ``sensor_msgs/Image`` mono8, of rclpy and rosbags alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.image_msg import fill_image, to_bgr
from shared_encoder_perception.structures import Crop, Size
from shared_encoder_perception.tasks.masks.answer import Mask
from shared_encoder_perception.tasks.masks.values import NO, YES

IMAGE: Final = "sensor_msgs/msg/Image"
GRID_PX: Final = 8
"""Distance of the pixels that are looked at to tell whether there is any "yes"."""

M = TypeVar("M", bound=Mask)


def mask_message(answer: Mask, header: Any, new: Callable[[str], Any]) -> Callable[[], Any]:
    """Return what makes the mono8 image of a mask: see ``Mask.values``."""

    def made() -> Any:
        message = new(IMAGE)
        message.header = header
        fill_image(message, answer.values(), "mono8")
        return message

    return made


def read_message(kind: type[M], topic: str, message: Any, image_size: Size) -> M:
    """Return the mask of a recorded image: as sure as one bit can be.

    A value that is neither yes nor no stands for what was not seen.

    Raises:
        ValueError: It is no image, not of the source image's size, or has values that the node
            does not publish.
    """
    values = np.ascontiguousarray(to_bgr(message)[:, :, 0])
    mask = kind(values)
    mask.check(image_size)
    known = (values == NO) | (values == YES)
    if known.all():
        return mask
    others = np.unique(values[~known]).tolist()
    if len(others) > 1 or not known.any():
        shown = f"{others[:5]}{' ...' if len(others) > 5 else ''}"
        raise ValueError(
            f"{topic} has the values {shown}: expected {YES} yes, {NO} no, and at most one "
            "other for what the network did not see"
        )
    return kind(np.where(known, values, np.uint8(NO)), 128, _seen(known, topic, others), others[0])


def _seen(known: NDArray[np.bool_], topic: str, others: list[int]) -> Crop:
    """Return the rectangle that was seen.

    Raises:
        ValueError: What was not seen is not all that lies outside of one rectangle.
    """
    x, y, width, height = cv2.boundingRect(known.view(np.uint8))
    crop = Crop(x, y, width, height)
    if not known[crop.window].all():
        raise ValueError(
            f"{topic} has the value {others[0]} inside of what the network saw, "
            f"{list(crop)} [x, y, width, height]: expected {YES} yes or {NO} no"
        )
    return crop


def shows_any(answer: Mask) -> bool:
    """Say whether there is any "yes", by a grid of pixels."""
    grid = answer.probability[::GRID_PX, ::GRID_PX]
    return bool(grid.max(initial=0) >= answer.threshold)
