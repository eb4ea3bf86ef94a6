# SPDX-License-Identifier: Apache-2.0
"""The second pass: what was perceived as a bag with the node's topics, and as a video.

Every message has its image's header, and is recorded when its image was: played together with the
source, each answer comes with its image.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rosbags.interfaces import QosDurability
from tqdm import tqdm

from shared_encoder_perception.artifact.model_info import INFO_TOPIC, MODEL_INFO, fill_model_info
from shared_encoder_perception.backends import BackendInfo
from shared_encoder_perception.images.video import of_one_size, write_video
from shared_encoder_perception.node.debug_overlay import DebugOptions, encode_jpeg, notes_of, render
from shared_encoder_perception.node.topics import OVERLAY_TOPIC
from shared_encoder_perception.replay.ahead import read_ahead
from shared_encoder_perception.replay.answers import Answer, announcements, read_answers
from shared_encoder_perception.replay.messages import (
    COMPRESSED_IMAGE,
    HEADER,
    new_header,
    new_message,
    to_bytes,
)
from shared_encoder_perception.replay.new_bag import declare, new_bag
from shared_encoder_perception.replay.reading import BagImages
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.structures import Crop
from shared_encoder_perception.tasks.topics import for_every_image, latched

NODE: Final = "perception"
"""The node's name, below which it publishes what only people look at."""
ANSWER_DEPTH, OVERLAY_DEPTH, LATCHED_DEPTH = 5, 1, 1
"""Messages that the node keeps for a slow subscriber."""
OPTIONS: Final = DebugOptions(overlay_all=True)
"""Nobody can look at the tasks' own pictures here."""
READ_AHEAD: Final = 4
SHEET: Final = 6
"""Pictures kept for the report."""


def write_pictures(
    images: BagImages,
    answers: Path,
    spec: ModelSpec,
    info: BackendInfo,
    *,
    bag: Path | None,
    video: Path | None,
    rate: float,
    total: int,
    crop: Crop | None = None,
) -> list[NDArray[np.uint8]]:
    """Draw every answer, and write what is wanted; both appear only when complete.

    Args:
        images: The source.
        answers: What was perceived, see ``answers``.
        spec: Of the model.
        info: Of the engine.
        bag: Folder of the bag; ``None`` for none.
        video: The .mp4; ``None`` for none.
        rate: Of the video, images per second.
        total: Number of answers.
        crop: Part of the images that was used; ``None`` for the default.

    Returns:
        A few of the pictures, evenly spaced.
    """
    sheet: list[NDArray[np.uint8]] = []
    with ExitStack() as stack:
        out = None
        if bag is not None:
            out = _OutputBag(stack.enter_context(new_bag(bag)), spec, info)
        # Drawn in a thread of their own, they are ready when the encoder wants the next.
        drawn = read_ahead(
            _pictures(images, read_answers(answers, spec, crop), spec, out), READ_AHEAD
        )
        stack.callback(drawn.close)
        shown = _keep(tqdm(drawn, total=total, desc="drawing", unit="image"), sheet, total)
        if video is not None:
            write_video(of_one_size(shown), video, rate)
        for _ in shown:  # all of them, where there is no video to draw for
            pass
    return sheet


def _keep(
    pictures: Iterable[NDArray[np.uint8]], sheet: list[NDArray[np.uint8]], total: int
) -> Iterator[NDArray[np.uint8]]:
    """Pass pictures on, and add some of them to ``sheet``."""
    every = max(total // SHEET, 1)
    for index, picture in enumerate(pictures):
        if index % every == every // 2 and len(sheet) < SHEET:
            sheet.append(picture)
        yield picture


def _pictures(
    images: BagImages, answers: Iterable[Answer], spec: ModelSpec, out: _OutputBag | None
) -> Generator[NDArray[np.uint8]]:
    """Yield the overlay of every answer, and record it."""
    frames = read_ahead(images.frames(), READ_AHEAD)
    for answer in answers:
        frame = next(frame for frame in frames if frame.index == answer.index)
        assert frame.image is not None
        picture = render(frame.image, answer.perception, notes_of(spec.title, {}, 0), OPTIONS)
        if out is not None:
            out.write(answer, new_header(frame.header), picture)
        yield picture


class _OutputBag:
    """Writes one image's messages as the node publishes them."""

    def __init__(self, writer: Any, spec: ModelSpec, info: BackendInfo) -> None:
        """Declare the topics on an open ``Writer``."""
        self._writer, self._spec, self._info = writer, spec, info
        self._topics = {
            topic.name: self._declare(topic.name, topic.kind, ANSWER_DEPTH)
            for _, topic in for_every_image(spec.tasks)
        }
        self._overlay = self._declare(f"~/{OVERLAY_TOPIC}", COMPRESSED_IMAGE, OVERLAY_DEPTH)
        self._latched = {
            name: self._declare(name, kind, LATCHED_DEPTH, QosDurability.TRANSIENT_LOCAL)
            for name, kind in (
                (INFO_TOPIC, MODEL_INFO),
                *((topic.name, topic.kind) for _, topic in latched(spec.tasks)),
            )
        }
        self._announced = False

    def write(self, answer: Answer, header: Any, picture: NDArray[np.uint8]) -> None:
        """Record everything about one image, which has this ``std_msgs/Header``."""
        at_ns = answer.arrived_ns
        if not self._announced:
            self._announce(header.stamp, at_ns)
            self._announced = True
        for name, message in answer.messages.items():
            self._writer.write(self._topics[name], at_ns, message)
        overlay = new_message(COMPRESSED_IMAGE)
        overlay.header, overlay.format = header, "bgr8; jpeg compressed bgr8"
        overlay.data = np.frombuffer(encode_jpeg(picture, OPTIONS.overlay_quality), np.uint8)
        self._writer.write(self._overlay, at_ns, to_bytes(overlay))

    def _declare(
        self, name: str, kind: str, depth: int, durability: QosDurability = QosDurability.VOLATILE
    ) -> Any:
        """Declare a topic; one that begins with ``~`` is below the node's name."""
        topic = f"/{NODE}{name[1:]}" if name.startswith("~") else f"/{name}"
        return declare(self._writer, topic, kind, depth, durability)

    def _announce(self, stamp: Any, at_ns: int) -> None:
        """Record what is sent once for each model, as if it had been loaded at ``stamp``."""
        info = new_message(MODEL_INFO)
        fill_model_info(info, self._spec, self._info, stamp)
        messages = {INFO_TOPIC: info}
        header = new_message(HEADER)
        header.stamp = stamp
        for told in announcements(self._spec, header).values():
            messages |= told
        for name, message in messages.items():
            self._writer.write(self._latched[name], at_ns, to_bytes(message))
