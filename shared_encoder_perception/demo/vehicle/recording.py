# SPDX-License-Identifier: Apache-2.0
"""A recorded drive, picture by picture of the first camera, with what each node said of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from shared_encoder_perception.demo.recording import (
    AnsweredImage,
    AnswerGatherer,
    model_info_of,
)
from shared_encoder_perception.demo.rigs.recording import RecordedMoment, moments
from shared_encoder_perception.demo.vehicle.topics import NAMESPACE
from shared_encoder_perception.images.bags import open_bag, read_messages
from shared_encoder_perception.images.stamps import stamp_ns
from shared_encoder_perception.rig.rig_file import RigFile

T = TypeVar("T")


class Dated(NamedTuple, Generic[T]):
    """What belongs to a time.

    Attributes:
        stamp_ns: Of the picture of the first camera that it was made of.
        value: It.
    """

    stamp_ns: int
    value: T


class Newest(Generic[T]):
    """What was newest at rising times."""

    def __init__(self, dated: Iterable[Dated[T]]) -> None:
        """Begin.

        Args:
            dated: With rising stamps.
        """
        self._rest = iter(dated)
        self._next = next(self._rest, None)
        self._last: Dated[T] | None = None

    def at(self, stamp_ns: int) -> Dated[T] | None:
        """Return what has this stamp, else the last before it; ``None`` if there is none."""
        while self._next is not None and self._next.stamp_ns <= stamp_ns:
            self._last, self._next = self._next, next(self._rest, None)
        return self._last


@dataclass(frozen=True, eq=False)
class VehicleMoment:
    """What there is to be shown for one picture of the first camera.

    Attributes:
        stamp_ns: Of the picture.
        ahead: It with its answers; an earlier one, where it was not answered; ``None`` before any.
        around: Likewise the map.
    """

    stamp_ns: int
    ahead: Dated[AnsweredImage] | None
    around: Dated[RecordedMoment] | None

    def age_s(self, shown: Dated[T] | None) -> float:
        """Return how much older what is shown is than the picture; 0 for what is of this moment."""
        return 0.0 if shown is None else (self.stamp_ns - shown.stamp_ns) * 1e-9


def vehicle_moments(bag: Path, file: RigFile) -> Iterator[VehicleMoment]:
    """Yield one for each picture of the first camera, in the order in which they were taken.

    Args:
        bag: Written by the recorder.
        file: The rig.
    """
    image = f"/{file.entries[0].image_topic}"
    ahead = Newest(_answered(bag, image))
    # A rig's first camera sets the time of a map as long as it sends pictures.
    around = Newest(Dated(one.stamp_ns, one) for one in moments(bag, file, what="drawing"))
    for stamp in _stamps(bag, image):
        yield VehicleMoment(stamp, ahead.at(stamp), around.at(stamp))


def _stamps(bag: Path, image: str) -> list[int]:
    """Return when the pictures of a topic were taken."""
    with open_bag(bag) as reader:
        connections = [c for c in reader.connections if c.topic == image]
        messages = read_messages(reader, bag, connections) if connections else iter(())
        return sorted(stamp_ns(message.header) for _, _, message in messages)


def _answered(bag: Path, image: str) -> Iterator[Dated[AnsweredImage]]:
    """Yield the pictures of a topic that came back whole; what makes no sense is left out."""
    with open_bag(bag) as reader:
        if (info := model_info_of(reader, bag, NAMESPACE)) is None:
            return
        gatherer = AnswerGatherer(info.tasks, image, namespace=NAMESPACE)
        connections = [c for c in reader.connections if c.topic in {image, *gatherer.topics}]
        for connection, _, message in read_messages(reader, bag, connections):
            try:
                found = gatherer.add(connection.topic, message)
            except ValueError:
                continue
            if found is not None:
                yield Dated(stamp_ns(message.header), found)
