# SPDX-License-Identifier: Apache-2.0
"""What was perceived, kept exactly and small until the pictures are drawn.

Drawing would take from the model the time that it is measured by, so it comes after it. Until then
an image's answers are the messages that a node sends for it, serialised and compressed: a mask is
long runs of equal bytes, and what two messages have in common is kept once.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from shared_encoder_perception import tasks
from shared_encoder_perception.images.preprocess import default_crop
from shared_encoder_perception.replay.drive import Seen
from shared_encoder_perception.replay.messages import from_bytes, new_header, new_message, to_bytes
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.structures import Crop, Perception, Size
from shared_encoder_perception.tasks.contract.runtime import Context
from shared_encoder_perception.tasks.options import own_options
from shared_encoder_perception.tasks.topics import TaskTopic, for_every_image, latched

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

HEAD: Final = struct.Struct("<QqIIQ")
"""Number of the image, when it arrived (ns), its height and width, and how many bytes follow."""
LENGTH: Final = struct.Struct("<Q")
"""Bytes of one message, of which there is one for each topic, in their order."""
FAST: Final = 1
"""Compression level: any makes long runs small."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What was perceived in one image.

    Attributes:
        index: Number of the image on its topic.
        arrived_ns: When the image was recorded.
        messages: Name of a topic -> the message on it, serialised; in the order of sending.
        perception: The same as our own types, as exact as messages are.
    """

    index: int
    arrived_ns: int
    messages: Mapping[str, bytes]
    perception: Perception


def pack(seen: Seen, spec: ModelSpec) -> bytes:
    """Return what was perceived in an image as bytes."""
    perception = seen.perception
    assert perception is not None
    elapsed_ms = float(sum(seen.stage_ms.values()))
    context = Context(
        header=new_header(seen.frame.header),
        image_size=perception.image_size,
        spec=spec,
        stage_ms=seen.stage_ms,
        counts=seen.counts,
        elapsed_ms=lambda: elapsed_ms,
        crop=perception.crop,
        camera_info=seen.camera_info,
    )
    make = {
        name: content.messages(perception.answers[name], context, new_message)
        for name, content in tasks.parts("content", spec.tasks).items()
    }
    messages = [to_bytes(make[name][topic.name]()) for name, topic in for_every_image(spec.tasks)]
    plain = b"".join(LENGTH.pack(len(message)) + message for message in messages)
    content = zstd.compress(plain, FAST)
    height, width = perception.image_size
    head = HEAD.pack(seen.frame.index, seen.frame.arrived_ns, height, width, len(content))
    return head + content


def announcements(spec: ModelSpec, header: Any) -> dict[str, dict[str, Any]]:
    """Return the messages that are sent once for a model, by task and topic."""
    told: dict[str, dict[str, Any]] = {}
    options = own_options(spec)
    for name, topic in latched(spec.tasks):
        content = tasks.part(name, "content")
        make = content.announce(spec.tasks[name], options[name], header, new_message)
        told.setdefault(name, {})[topic.name] = make[topic.name]()
    return told


def read_answers(path: Path, spec: ModelSpec, crop: Crop | None = None) -> Iterator[Answer]:
    """Read a file of packed answers, one by one.

    Args:
        path: Of the file.
        spec: Of the model.
        crop: Part of the images that was used; ``None`` for the default.
    """
    topics = for_every_image(spec.tasks)
    told = announcements(spec, new_message("std_msgs/msg/Header"))
    with path.open("rb") as file:
        while head := file.read(HEAD.size):
            index, arrived_ns, height, width, size = HEAD.unpack(head)
            plain, at = zstd.decompress(file.read(size)), 0
            messages = {}
            for _, topic in topics:
                (length,) = LENGTH.unpack_from(plain, at)
                at += LENGTH.size + length
                messages[topic.name] = plain[at - length : at]
            perception = _perception(messages, topics, told, (height, width))
            seen = crop or default_crop((height, width), spec.input_size)
            yield Answer(index, arrived_ns, messages, replace(perception, crop=seen))


def _perception(
    messages: Mapping[str, bytes],
    topics: list[TaskTopic],
    told: Mapping[str, Mapping[str, Any]],
    image_size: Size,
) -> Perception:
    """Return what the messages of one image say, and what is ``told`` once for each task."""
    by_task = {name: dict(latched) for name, latched in told.items()}
    for name, topic in topics:
        message = from_bytes(messages[topic.name], topic.kind)
        by_task.setdefault(name, {})[topic.name] = message
    answers = {
        name: tasks.part(name, "content").read(own, image_size) for name, own in by_task.items()
    }
    return Perception(image_size, answers)
