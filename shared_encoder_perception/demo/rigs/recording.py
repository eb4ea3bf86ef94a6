# SPDX-License-Identifier: Apache-2.0
"""Recorded maps with the pictures that were taken at their time, and what was said meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import atan2, isfinite, pi
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from shared_encoder_perception import tasks
from shared_encoder_perception.demo.diagnosed import DIAGNOSTICS
from shared_encoder_perception.demo.recording import AnswerGatherer
from shared_encoder_perception.demo.rigs.diagnosed import Told, told_by
from shared_encoder_perception.demo.rigs.topics import MAPS, OBJECTS, RIG_TASK
from shared_encoder_perception.images.bags import open_bag, read_messages
from shared_encoder_perception.images.image_msg import to_bgr
from shared_encoder_perception.images.stamps import stamp_ns
from shared_encoder_perception.node.rig.parameters import TIMING
from shared_encoder_perception.rig.rig_file import RigFile
from shared_encoder_perception.structures import Perception

KEPT: Final = 50
"""Images of a camera, and maps that lack a topic, that may still be needed."""
CUBE, TEXT = 1, 9
"""``type`` of a ``visualization_msgs/Marker``."""


@dataclass(frozen=True, eq=False)
class RecordedMoment:
    """A map that came back, and what belongs to it.

    Attributes:
        stamp_ns: Of the map.
        surround: What it says: ``Answer`` of the room.
        images: Pictures taken at its time, (H, W, 3) uint8 BGR by camera; one that is missing has
            none that is near enough.
        later_ms: How much later than the map's stamp they were taken.
        cameras: What is to be drawn into them.
        latency_ms: From the stamp to the arrival of the last of the map's messages.
        said: What the node's diagnostics said last, by task.
    """

    stamp_ns: int
    surround: Any
    images: Mapping[str, NDArray[np.uint8]]
    later_ms: Mapping[str, float]
    cameras: Mapping[str, Perception]
    latency_ms: float
    said: Mapping[str, Told]


@dataclass
class _Map:
    """Messages of one map that came so far, by topic; when the last came that each map has."""

    messages: dict[str, Any] = field(default_factory=dict)
    arrived_ns: int = 0


class MomentGatherer:
    """Puts the messages of a recorded rig together, by their stamps.

    A map is given out with the next one, or at the end: what is sent after it may belong to it.
    """

    def __init__(
        self, file: RigFile, names: Sequence[str] = (), max_skew_s: float = TIMING.max_skew_s
    ) -> None:
        """Begin.

        Args:
            file: The rig.
            names: Of tasks of single images, recorded for each camera.
            max_skew_s: Longest time between a map's stamp and that of an image that belongs to it.
        """
        self._images_of = {f"/{entry.image_topic}": entry.name for entry in file.entries}
        self._wanted = {f"/{topic.name}" for topic in MAPS}
        self._lazy = {f"/{topic.name}" for topic in OBJECTS}
        self._answers = {
            entry.name: AnswerGatherer(names, f"/{entry.image_topic}") for entry in file.entries
        }
        self._camera_topics = {
            f"/{name}{topic}": (name, topic)
            for name, gatherer in self._answers.items()
            for topic in gatherer.topics
        }
        self.topics = {
            *self._images_of,
            *self._wanted,
            *self._lazy,
            *self._camera_topics,
            DIAGNOSTICS,
        }
        """All that are of use, with the leading slash."""
        self._max_skew_ns = round(max_skew_s * 1e9)
        self._images: dict[str, deque[Any]] = {name: deque(maxlen=KEPT) for name in file.names}
        self._seen: dict[str, deque[tuple[int, Perception]]] = {
            name: deque(maxlen=KEPT) for name in file.names
        }
        self._maps: dict[int, _Map] = {}
        self._whole: int | None = None
        self._said: dict[str, Told] = {}
        self.spoilt = 0
        """Maps that came, and made no sense."""

    def add(self, topic: str, arrived_ns: int, message: Any) -> RecordedMoment | None:
        """Add a message; return a map that is complete with all that belongs to it."""
        if topic == DIAGNOSTICS:
            self._said = {**self._said, **told_by(message)}
        elif (name := self._images_of.get(topic)) is not None:
            self._images[name].append(message)
            self._answered(name, topic, message)
        elif topic in self._camera_topics:
            self._answered(*self._camera_topics[topic], message)
        elif topic in self._wanted or topic in self._lazy:
            return self._mapped(topic, arrived_ns, message)
        return None

    def last(self) -> RecordedMoment | None:
        """Return the last map, at the end."""
        whole, self._whole = self._whole, None
        return None if whole is None else self._read(whole)

    def _answered(self, name: str, topic: str, message: Any) -> None:
        """Add a message of a single camera; one that makes no sense is not drawn."""
        try:
            found = self._answers[name].add(topic, message)
        except ValueError:
            return
        if found is not None:
            self._seen[name].append((stamp_ns(message.header), found.perception))

    def _mapped(self, topic: str, arrived_ns: int, message: Any) -> RecordedMoment | None:
        """Add a message of a map, or of its objects."""
        stamp = _stamp_of(message)
        if stamp is None:
            return None
        one = self._maps.setdefault(stamp, _Map())
        one.messages[topic[1:]] = message
        if len(self._maps) > KEPT:
            del self._maps[next(iter(self._maps))]
        if topic in self._lazy or not self._wanted <= {f"/{name}" for name in one.messages}:
            return None
        one.arrived_ns = arrived_ns
        before, self._whole = self._whole, stamp
        return None if before is None else self._read(before)

    def _read(self, stamp: int) -> RecordedMoment | None:
        """Translate the messages of a map; ``None`` if they make no sense."""
        one = self._maps.pop(stamp)
        try:
            surround = tasks.part(RIG_TASK, "content").read(one.messages)
            surround = with_objects(surround, one.messages)
        except (ValueError, LookupError):
            self.spoilt += 1
            return None
        images, later_ms, cameras = {}, {}, {}
        for name, kept in self._images.items():
            message = min(kept, key=lambda image: abs(stamp_ns(image.header) - stamp), default=None)
            if message is None:
                continue
            taken = stamp_ns(message.header)
            if abs(taken - stamp) <= self._max_skew_ns:
                images[name], later_ms[name] = to_bgr(message), (taken - stamp) / 1e6
                size = (images[name].shape[0], images[name].shape[1])
                seen = dict(self._seen[name])
                cameras[name] = seen.get(taken, Perception(size, {}))
        latency_ms = (one.arrived_ns - stamp) / 1e6
        return RecordedMoment(stamp, surround, images, later_ms, cameras, latency_ms, self._said)


def moments(
    bag: Path, file: RigFile, names: Sequence[str] = (), what: str = "reading"
) -> Iterator[RecordedMoment]:
    """Yield the maps of a bag that came back whole, with all that belongs to each.

    Args:
        bag: Written by the recorder.
        file: The rig.
        names: Of tasks of single images, recorded for each camera.
        what: Is done meanwhile, for people.
    """
    gatherer = MomentGatherer(file, names)
    with open_bag(bag) as reader:
        connections = [c for c in reader.connections if c.topic in gatherer.topics]
        total = sum(c.msgcount for c in connections)
        messages = read_messages(reader, bag, connections)
        for connection, arrived_ns, message in tqdm(messages, total=total, desc=what, unit="msg"):
            if (found := gatherer.add(connection.topic, arrived_ns, message)) is not None:
                yield found
    if (found := gatherer.last()) is not None:
        yield found


def with_objects(surround: Any, messages: Mapping[str, Any]) -> Any:
    """Return an answer with the objects that recorded markers show, with a box and a score each.

    Raises:
        ValueError: A box is none.
    """
    kind = tasks.part(RIG_TASK, "answer").SeenObject
    objects = []
    for topic in OBJECTS:
        markers = getattr(messages.get(topic.name), "markers", ())
        scores = {one.id: one.text for one in markers if one.type == TEXT}
        for one in markers:
            if one.type != CUBE or one.id not in scores:
                continue
            place, turn, size = one.pose.position, one.pose.orientation, one.scale
            yaw = 2 * atan2(turn.z, turn.w)
            yaw = pi / 2 - (pi / 2 - yaw) % pi  # of an axis, which has no front
            cells = max(round(size.x * size.y / surround.grid.cell_m**2), 1)
            numbers = (place.x, place.y, size.x, size.y, yaw, float(scores[one.id]))
            if not all(map(isfinite, numbers)):
                raise ValueError(f"{topic.name}: a box of {numbers}")
            objects.append(kind(*numbers, cells))
    return replace(surround, objects=tuple(objects)) if objects else surround


def _stamp_of(message: Any) -> int | None:
    """Return the stamp of a map or of markers; ``None`` for markers of nothing."""
    if hasattr(message, "markers"):
        return stamp_ns(message.markers[0].header) if len(message.markers) else None
    return stamp_ns(message.header)
