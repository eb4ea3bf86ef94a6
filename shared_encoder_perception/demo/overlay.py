# SPDX-License-Identifier: Apache-2.0
"""The overlay video of a recorded drive, drawn from the messages that arrived."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from shared_encoder_perception.demo.recording import AnswerGatherer, model_info_of
from shared_encoder_perception.drawing.overlay import draw_all
from shared_encoder_perception.drawing.text import draw_notes
from shared_encoder_perception.images.bags import open_bag, read_messages
from shared_encoder_perception.images.image_msg import to_bgr
from shared_encoder_perception.structures import Perception

IMAGE: Final = "/image"
INSET: Final = 4
"""Images as wide as one that is shown small in a corner."""
FRAME_COLOUR: Final = (230, 230, 230)


def overlay_frames(
    bag: Path, shown: Collection[str] | None = None, beside: Sequence[str] = ()
) -> Iterator[NDArray[np.uint8]]:
    """Yield each image that was answered, with its answers drawn on it.

    Args:
        bag: Of the drive.
        shown: Tasks whose answers are drawn; ``None`` for all.
        beside: Topics of pictures that images were compared with: the newest is shown in a corner.
    """
    with open_bag(bag) as reader:
        if (info := model_info_of(reader, bag)) is None:
            return
        gatherer = AnswerGatherer(info.tasks, IMAGE)
        pictures: dict[str, NDArray[np.uint8]] = {}
        topics = {IMAGE, *gatherer.topics, *(f"/{name}" for name in beside)}
        connections = [c for c in reader.connections if c.topic in topics]
        total = sum(c.msgcount for c in connections)
        messages = read_messages(reader, bag, connections)
        for connection, _, message in tqdm(messages, total=total, desc="drawing", unit="msg"):
            if (name := connection.topic[1:]) in beside:
                pictures[name] = to_bgr(message)
            elif (found := gatherer.add(connection.topic, message)) is not None:
                canvas = draw_all(found.pixels, _only(found.perception, shown))
                _draw_insets(canvas, pictures)
                yield canvas


def _draw_insets(canvas: NDArray[np.uint8], pictures: Mapping[str, NDArray[np.uint8]]) -> None:
    """Show pictures small in the top-right corner, each with its name (in place)."""
    top, width = 0, canvas.shape[1] // INSET
    for name, picture in pictures.items():
        height = round(picture.shape[0] * width / picture.shape[1])
        room = canvas[top : top + height, -width:]
        small = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA))
        draw_notes(small, [name])
        cv2.rectangle(small, (0, 0), (width - 1, height - 1), FRAME_COLOUR, 1)
        room[:] = small[: room.shape[0]]
        top += height


def _only(perception: Perception, shown: Collection[str] | None) -> Perception:
    """Return what is to be shown of a perception; ``None`` for all."""
    if shown is None:
        return perception
    answers = {name: answer for name, answer in perception.answers.items() if name in shown}
    return replace(perception, answers=answers)
