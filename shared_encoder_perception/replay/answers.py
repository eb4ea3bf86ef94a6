"""What was perceived, kept exactly and small until the pictures are drawn.

Drawing would take from the model the time that it is measured by, so it comes after it. Until then
an image's lanes are a serialised LaneLineArray, and its mask is one bit for each pixel.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.compat import perception_of
from shared_encoder_perception.replay.drive import Seen
from shared_encoder_perception.replay.messages import (
    ARRAY,
    LINE,
    from_bytes,
    new_header,
    new_message,
    to_bytes,
)
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.lanes.content import fill_array, fill_lane, lane_from_message

HEAD: Final = struct.Struct("<QqQQII")
"""Number of the image, when it arrived (ns), bytes of the lanes, bytes of the mask, its height and
width; both 0 without a mask."""
FAST: Final = 1
"""Compression level: a mask's bits are long runs, which any level makes small."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What was perceived in one image.

    Attributes:
        index: Number of the image on its topic.
        arrived_ns: When the image was recorded.
        array: LaneLineArray of rosbags.
        perception: The same as our own type, the mask as sure as a bit can be.
    """

    index: int
    arrived_ns: int
    array: Any
    perception: Perception


def pack(seen: Seen, spec: ModelSpec) -> bytes:
    """Return what was perceived in an image as bytes."""
    perception = seen.perception
    assert perception is not None
    header = new_header(seen.frame.header)
    lanes = [new_message(LINE) for _ in perception.lanes]
    for message, line in zip(lanes, perception.lanes, strict=True):
        fill_lane(message, line, perception, header, spec)
    array = new_message(ARRAY)
    fill_array(array, lanes, seen.stage_ms, seen.counts)
    array.processing_ms = float(sum(seen.stage_ms.values()))
    content, mask, size = to_bytes(array), b"", (0, 0)
    if perception.mask is not None:
        drivable = perception.mask.probability >= perception.mask.threshold
        mask, size = zlib.compress(np.packbits(drivable).tobytes(), FAST), drivable.shape
    head = HEAD.pack(seen.frame.index, seen.frame.arrived_ns, len(content), len(mask), *size)
    return head + content + mask


def read_answers(path: Path) -> Iterator[Answer]:
    """Read a file of packed answers, one by one."""
    with path.open("rb") as file:
        while head := file.read(HEAD.size):
            index, arrived_ns, lane_bytes, mask_bytes, height, width = HEAD.unpack(head)
            array = from_bytes(file.read(lane_bytes), ARRAY)
            packed = file.read(mask_bytes)
            mask = _unpack_mask(packed, (height, width)) if packed else None
            first = array.lanes[0]
            size = (int(first.image_height), int(first.image_width))
            lanes = tuple(lane_from_message(lane) for lane in array.lanes)
            yield Answer(index, arrived_ns, array, perception_of(size, lanes, mask))


def _unpack_mask(packed: bytes, size: tuple[int, int]) -> DrivableMask:
    """Return the mask of bits."""
    bits = np.frombuffer(zlib.decompress(packed), np.uint8)
    plane: NDArray[np.uint8] = np.unpackbits(bits, count=size[0] * size[1]).reshape(size)
    return DrivableMask(plane * np.uint8(255))
