"""The second pass: what was perceived as a bag with the node's topics, and as a video.

Every message has its image's header, and is recorded when its image was: played together with the
source, each answer comes with its image.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from tqdm import tqdm

from shared_encoder_perception.backends import BackendInfo
from shared_encoder_perception.images.bags import typestore
from shared_encoder_perception.images.video import write_video
from shared_encoder_perception.node.debug_overlay import DebugOptions, encode_jpeg, notes_of, render
from shared_encoder_perception.node.topics import (
    ARRAY_TOPIC,
    INFO_TOPIC,
    LANE_TOPICS,
    MASK_TOPIC,
    OVERLAY_TOPIC,
)
from shared_encoder_perception.replay.ahead import read_ahead
from shared_encoder_perception.replay.answers import Answer, read_answers
from shared_encoder_perception.replay.messages import (
    ARRAY,
    COMPRESSED_IMAGE,
    IMAGE,
    LINE,
    MODEL_INFO,
    new_message,
    to_bytes,
)
from shared_encoder_perception.replay.reading import BagImages
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.tasks.lanes.content import fill_mask, fill_model_info, model_version

BAG_VERSION: Final = 9
NODE: Final = "perception"
"""The node's name, below which it publishes what only people look at."""
TOPICS: Final = {
    **{f"/{topic}": LINE for topic in LANE_TOPICS},
    f"/{MASK_TOPIC}": IMAGE,
    f"/{ARRAY_TOPIC}": ARRAY,
    f"/{NODE}/{OVERLAY_TOPIC}": COMPRESSED_IMAGE,
}
"""Topic -> type, in the order in which an image's messages are published."""
DEPTHS: Final = {LINE: 5, IMAGE: 5, ARRAY: 5, COMPRESSED_IMAGE: 1}
"""Type -> messages that the node keeps for a slow subscriber."""
FOREVER: Final = QosTime(9223372036, 854775807)
"""How ROS writes an infinite duration."""
OPTIONS: Final = DebugOptions()
RATES_HZ: Final = (1.0, 120.0)
"""Slowest and fastest video."""
DEFAULT_RATE_HZ: Final = 15.0
READ_AHEAD: Final = 4
SHEET: Final = 6
"""Pictures kept for the report."""


def rate_hz(images: int, first_ns: int, last_ns: int) -> float:
    """Return the rate of images with these stamps, within what a video can be shown at."""
    if images < 2 or last_ns <= first_ns:
        return DEFAULT_RATE_HZ
    rate = (images - 1) / ((last_ns - first_ns) * 1e-9)
    return min(max(rate, RATES_HZ[0]), RATES_HZ[1])


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

    Returns:
        A few of the pictures, evenly spaced.
    """
    sheet: list[NDArray[np.uint8]] = []
    part = bag.with_name(bag.name + ".part") if bag else None
    with ExitStack() as stack:
        out = None
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)
            writer = Writer(part, version=BAG_VERSION, storage_plugin=StoragePlugin.MCAP)
            writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
            out = _OutputBag(stack.enter_context(writer), spec, info)
        # Drawn in a thread of their own, they are ready when the encoder wants the next.
        drawn = read_ahead(_pictures(images, answers, model_version(spec), out), READ_AHEAD)
        stack.callback(drawn.close)
        shown = _keep(tqdm(drawn, total=total, desc="drawing", unit="image"), sheet, total)
        if video is not None:
            write_video(shown, video, rate)
        for _ in shown:  # all of them, where there is no video to draw for
            pass
    if part is not None and bag is not None:
        _name_files(part, bag.name)
        os.replace(part, bag)
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
    images: BagImages, answers: Path, model: str, out: _OutputBag | None
) -> Generator[NDArray[np.uint8]]:
    """Yield the overlay of every answer, all of one even size, and record it."""
    size: tuple[int, int] | None = None
    frames = read_ahead(images.frames(), READ_AHEAD)
    for answer in read_answers(answers):
        frame = next(frame for frame in frames if frame.index == answer.index)
        assert frame.image is not None
        picture = render(frame.image, answer.perception, notes_of(model, {}, 0), OPTIONS)
        if out is not None:
            out.write(answer, picture)
        size = size or (picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2)
        if picture.shape[:2] != size:
            picture = np.asarray(cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA))
        yield picture


class _OutputBag:
    """Writes one image's messages as the node publishes them."""

    def __init__(self, writer: Any, spec: ModelSpec, info: BackendInfo) -> None:
        """Declare the topics on an open ``Writer``."""
        self._writer, self._spec, self._info = writer, spec, info
        self._topics = {
            topic: writer.add_connection(
                topic, kind, typestore=typestore(), offered_qos_profiles=[_qos(DEPTHS[kind])]
            )
            for topic, kind in TOPICS.items()
        }
        self._model_info = writer.add_connection(
            f"/{INFO_TOPIC}",
            MODEL_INFO,
            typestore=typestore(),
            offered_qos_profiles=[_qos(1, QosDurability.TRANSIENT_LOCAL)],
        )
        self._announced = False

    def write(self, answer: Answer, picture: NDArray[np.uint8]) -> None:
        """Record everything about one image."""
        header, at_ns = answer.array.header, answer.arrived_ns
        if not self._announced:
            message = new_message(MODEL_INFO)
            fill_model_info(message, self._spec, self._info, header.stamp)
            self._writer.write(self._model_info, at_ns, to_bytes(message))
            self._announced = True
        messages: dict[str, Any] = {
            f"/{topic}": lane for topic, lane in zip(LANE_TOPICS, answer.array.lanes, strict=True)
        }
        if answer.perception.mask is not None:
            mask = messages[f"/{MASK_TOPIC}"] = new_message(IMAGE)
            fill_mask(mask, answer.perception.mask, header)
        messages[f"/{ARRAY_TOPIC}"] = answer.array
        overlay = messages[f"/{NODE}/{OVERLAY_TOPIC}"] = new_message(COMPRESSED_IMAGE)
        overlay.header, overlay.format = header, "bgr8; jpeg compressed bgr8"
        overlay.data = np.frombuffer(encode_jpeg(picture, OPTIONS.overlay_quality), np.uint8)
        for topic, message in messages.items():
            self._writer.write(self._topics[topic], at_ns, to_bytes(message))


def _qos(depth: int, durability: QosDurability = QosDurability.VOLATILE) -> Qos:
    """Return how the node offers a topic, so that a player offers it likewise."""
    return Qos(
        QosHistory.KEEP_LAST,
        depth,
        QosReliability.RELIABLE,
        durability,
        FOREVER,
        FOREVER,
        QosLiveliness.AUTOMATIC,
        FOREVER,
        False,
    )


def _name_files(folder: Path, name: str) -> None:
    """Call the bag's file by the bag's final name, in its metadata too."""
    before, after = f"{folder.name}.mcap", f"{name}.mcap"
    metadata = folder / "metadata.yaml"
    metadata.write_text(metadata.read_text().replace(before, after))
    os.replace(folder / before, folder / after)
