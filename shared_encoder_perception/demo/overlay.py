"""The overlay video of a recorded drive, drawn from the messages that arrived."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from shared_encoder_perception.demo.recording import AnswerGatherer, model_info_of
from shared_encoder_perception.drawing.overlay import draw_all
from shared_encoder_perception.images.bags import open_bag, read_messages
from shared_encoder_perception.structures import Perception

IMAGE: Final = "/image"


def overlay_frames(bag: Path, shown: Collection[str] | None = None) -> Iterator[NDArray[np.uint8]]:
    """Yield each image that was answered, with its answers drawn on it: of all tasks, or some."""
    with open_bag(bag) as reader:
        if (info := model_info_of(reader, bag)) is None:
            return
        gatherer = AnswerGatherer(info.tasks, IMAGE)
        topics = {IMAGE, *gatherer.topics}
        connections = [c for c in reader.connections if c.topic in topics]
        total = sum(c.msgcount for c in connections)
        messages = read_messages(reader, bag, connections)
        for connection, _, message in tqdm(messages, total=total, desc="drawing", unit="msg"):
            if (found := gatherer.add(connection.topic, message)) is not None:
                yield draw_all(found.pixels, _only(found.perception, shown))


def _only(perception: Perception, shown: Collection[str] | None) -> Perception:
    """Return what is to be shown of a perception; ``None`` for all."""
    if shown is None:
        return perception
    answers = {name: answer for name, answer in perception.answers.items() if name in shown}
    return replace(perception, answers=answers)
