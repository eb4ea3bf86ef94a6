# SPDX-License-Identifier: Apache-2.0
"""What a bag with a lidar and a camera holds: when clouds and images were taken, calibration, TF.

Read before anything is painted: the image nearest to a cloud, and the transforms around it, may
come after it. Of clouds and images only the stamps are looked at.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from shared_encoder_perception.ground.transform_tree import TransformTree
from shared_encoder_perception.images.bag_parts import Connection
from shared_encoder_perception.images.bags import (
    BagError,
    first_line,
    image_topic,
    images_of,
    open_bag,
)
from shared_encoder_perception.replay.camera_infos import INFO, CameraInfos, beside
from shared_encoder_perception.tasks.cloud_msg import CLOUD

TRANSFORMS: Final = "tf2_msgs/msg/TFMessage"
STATIC: Final = "tf_static"


class Topics(NamedTuple):
    """Names of the topics to use."""

    points: str
    images: str
    info: str


@dataclass
class BagIndex:
    """What was found.

    Attributes:
        path: Of the bag.
        topics: That are used.
        cloud_ns: Stamps of the clouds in the order of the bag; 0 = none, or not to be read.
        image_ns: The same of the images.
        infos: Of the images' camera.
        tree: All of TF.
        problems: What is wrong with the bag, one line each.
    """

    path: Path
    topics: Topics
    cloud_ns: list[int] = field(default_factory=list)
    image_ns: list[int] = field(default_factory=list)
    infos: CameraInfos = field(default_factory=CameraInfos)
    tree: TransformTree = field(default_factory=TransformTree)
    problems: list[str] = field(default_factory=list)

    def nearest_images(self) -> list[int | None]:
        """Return the number of the image nearest in time to each cloud; ``None`` for no stamp."""
        numbers = [number for number, stamp in enumerate(self.image_ns) if stamp]
        numbers.sort(key=lambda number: self.image_ns[number])
        stamps = np.array([self.image_ns[number] for number in numbers], np.int64)
        found: list[int | None] = []
        for at_ns in self.cloud_ns:
            if not (at_ns and len(stamps)):
                found.append(None)
                continue
            place = int(np.searchsorted(stamps, at_ns))
            beside = range(max(place - 1, 0), min(place + 1, len(stamps)))
            found.append(numbers[min(beside, key=lambda one: abs(int(stamps[one]) - at_ns))])
        return found


def read_index(
    path: Path, points: str | None, images: str | None, info: str | None, *, with_tf: bool
) -> BagIndex:
    """Choose the topics and read a bag once.

    Args:
        path: The bag.
        points: Topic of the clouds; needed if there are several.
        images: The same of the images.
        info: The same of the CameraInfo; by default that beside the images.
        with_tf: Whether TF is needed.

    Raises:
        BagError: Nothing can be read; a topic is missing, or is to be chosen; there is no TF.
    """
    with open_bag(path) as reader:
        chosen = image_topic(reader, path, images)
        topics = Topics(
            _only_topic(reader, path, CLOUD, points, "--points"),
            chosen,
            _only_topic(reader, path, INFO, info, "--info", near=beside(chosen)),
        )
        tf = [one for one in reader.connections if with_tf and one.msgtype == TRANSFORMS]
        if with_tf and not tf:
            raise BagError(
                f"{path} has no TF ({TRANSFORMS}): give the lidar's pose in the camera's frame by "
                "--pose"
            )
        index = BagIndex(path, topics)
        used = [*images_of(reader, chosen), *tf]
        used += [
            one for one in reader.connections if (one.topic, one.msgtype) == (topics[0], CLOUD)
        ]
        used += [one for one in reader.connections if (one.topic, one.msgtype) == (topics[2], INFO)]
        for connection, _, data in reader.messages(used):
            _note(index, reader, connection, data)
        index.problems += [one for one in reader.problems if one not in index.problems]
        return index


def _note(index: BagIndex, reader: Any, connection: Connection, data: bytes) -> None:
    """Add one message to the index."""
    if connection.msgtype == CLOUD:
        index.cloud_ns.append(_stamp_of(data))
    elif connection.msgtype not in (INFO, TRANSFORMS):
        index.image_ns.append(_stamp_of(data))
    else:
        try:
            message = reader.deserialize(data, connection.msgtype)
            if connection.msgtype == INFO:
                index.infos.add(message)
                return
            for transform in message.transforms:
                index.tree.add(transform, is_static=connection.topic.endswith(STATIC))
        except Exception as error:  # rosbags raises many types
            problem = f"a message on {connection.topic} is of no use: {first_line(error)}"
            if problem not in index.problems:
                index.problems.append(problem)


def _stamp_of(data: bytes) -> int:
    """Return the stamp of a serialised message that begins with a header, ns; 0 = none.

    Four bytes of CDR come first, the second of which tells the byte order.
    """
    if len(data) < 12:
        return 0
    seconds, nanoseconds = struct.unpack_from("<iI" if data[1] & 1 else ">iI", data, 4)
    return int(seconds) * 10**9 + int(nanoseconds)


def _only_topic(
    reader: Any, path: Path, kind: str, asked: str | None, option: str, near: str = ""
) -> str:
    """Choose a topic by its type: what was asked for, what is beside another, the only one.

    Raises:
        BagError: There is none, or several.
    """
    found: Sequence[str] = sorted({c.topic for c in reader.connections if c.msgtype == kind})
    name = kind.rpartition("/")[2]
    if not found:
        others = ", ".join(sorted(f"{c.topic} ({c.msgtype})" for c in reader.connections))
        raise BagError(f"{path} has no topic with {name}; it has {others or 'no topics'}")
    if asked is not None:
        if asked not in found:
            raise BagError(f"{path} has no {name} on {asked!r}; topics: {', '.join(found)}")
        return asked
    if near in found:
        return near
    if len(found) > 1:
        raise BagError(
            f"{path} has {name} on {len(found)} topics: choose one with {option}: "
            f"{', '.join(found)}"
        )
    return found[0]
