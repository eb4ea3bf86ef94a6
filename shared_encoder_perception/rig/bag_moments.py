# SPDX-License-Identifier: Apache-2.0
"""Moments of a rig in a rosbag2: the images of all cameras that were taken at one time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from shared_encoder_perception.images.bag_source import BagSource
from shared_encoder_perception.images.bags import (
    BagError,
    check_not_empty,
    first_line,
    image_topic,
    images_of,
    open_bag,
)
from shared_encoder_perception.images.image_msg import to_bgr
from shared_encoder_perception.images.stamps import stamp_ns
from shared_encoder_perception.rig.bag_calibration import BagCalibration
from shared_encoder_perception.rig.bag_topics import named_in
from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.rig.moments import RigMoment, RigSource
from shared_encoder_perception.rig.rig_file import RigFile
from shared_encoder_perception.structures import Size

if TYPE_CHECKING:
    from shared_encoder_perception.images.bag_reader import Bag

WAIT_NS: Final = 1_000_000_000
"""An image that was recorded so much later than the first camera's belongs to a later moment: no
longer is waited for a camera that is dead, nor kept what no image of the first one goes with."""


@dataclass(frozen=True, eq=False)
class _Taken:
    """One image that waits for those of the other cameras; its number on its topic, from 0."""

    number: int
    stamp_ns: int
    arrived_ns: int
    message: Any

    @property
    def name(self) -> str:
        """What people call it."""
        return f"frame_{self.number:06d}"


class BagMoments(RigSource):
    """For each image of the first camera, those of the others that were taken at that time.

    Of each camera the nearest by its stamp, and each image once. Calibration and poses that the
    rig leaves to topics come from the bag: the CameraInfo that was in force when an image was
    taken, so that moments after a change have another rig, and TF at the first camera's first
    image. A picture whose CameraInfo is of no use is left out of its moment.

    Attributes:
        max_skew_s: Longest time between an image and that of the first camera.
    """

    def __init__(self, path: Path, rig_file: RigFile, max_skew_s: float) -> None:
        """Find topics and calibration.

        Raises:
            BagError: The bag cannot be used, or lacks what a camera needs; the camera is named.
            ValueError: The rig cannot be built.
        """
        self._cameras: dict[str, str] = {}
        self._wanted: Callable[[int, float], bool] = _all
        self.max_skew_s = max_skew_s
        with open_bag(path) as reader:
            rig_file = named_in(reader, rig_file)
            self._topics = {entry.name: entry.image_topic for entry in rig_file.entries}
            for name, topic in self._topics.items():
                _check_topic(reader, path, name, topic)
                if (other := self._cameras.setdefault(topic, name)) != name:
                    raise BagError(f"cameras {other} and {name} have one topic, {topic!r}")
            sizes, first_ns = self._look(reader)
            self._calibration = BagCalibration(reader, path, rig_file, sizes, first_ns)
        super().__init__(path, self._calibration.first)
        self.notes += self._calibration.notes
        self._anchor = BagSource(path, self._topics[self.rig.names[0]])

    def __len__(self) -> int:
        """Return the number of images of the first camera."""
        return len(self._anchor)

    def rate_hz(self) -> float | None:
        """Return the rate at which the first camera's images were recorded."""
        return self._anchor.rate_hz()

    def only(self, wanted: Callable[[int, float], bool]) -> Iterator[RigMoment]:
        """Read some of the moments: the pictures of the others are not decoded.

        Args:
            wanted: Asked once for each moment, in their order: its number, and when the first
                camera's image was taken, seconds.

        Raises:
            ValueError: A picture is of another size than its camera's calibration is for.
        """
        self.problems.clear()
        self._wanted = wanted
        try:
            for found in self._read():
                if isinstance(found, str):
                    self.problems.append(found)
                elif found.frame.images:
                    yield found
        finally:
            self._wanted = _all

    def _look(self, reader: Bag) -> tuple[dict[str, Size], int]:
        """Return the sizes of the first images that can be read, and when the first was taken."""
        sizes: dict[str, Size] = {}
        first_ns = 0
        for name, topic in self._topics.items():
            for connection, _, data in reader.messages(images_of(reader, topic)):
                with suppress(Exception):  # told when its turn comes; rosbags raises many types
                    message = reader.deserialize(data, connection.msgtype)
                    height, width = to_bgr(message).shape[:2]
                    sizes[name] = (height, width)
                    first_ns = first_ns or stamp_ns(message.header)
                    break
        return sizes, first_ns

    def _read(self) -> Iterator[RigMoment | str]:
        """Put together what belongs together, in the order of the bag."""
        self._calibration.begin()
        waiting = {name: deque[_Taken]() for name in self.rig.names}
        latest_ns, counts = dict.fromkeys(self.rig.names, 0), dict.fromkeys(self.rig.names, 0)
        with open_bag(self.path) as reader:
            told = 0
            images = [one for topic in self._cameras for one in images_of(reader, topic)]
            for connection, arrived_ns, data in reader.messages(images):
                yield from reader.problems[told:]
                told = len(reader.problems)
                camera = self._cameras[connection.topic]
                number, name = counts[camera], f"frame_{counts[camera]:06d}"
                counts[camera] += 1
                try:
                    message = reader.deserialize(data, connection.msgtype)
                    taken_ns = stamp_ns(message.header)
                except Exception as error:  # rosbags raises many types
                    yield f"camera {camera}: {self.path}, {name}: {first_line(error)}"
                    continue
                if not taken_ns:
                    yield f"camera {camera}: {self.path}, {name} has no stamp, so is of no moment"
                    continue
                waiting[camera].append(_Taken(number, taken_ns, arrived_ns, message))
                _forget(waiting[camera], arrived_ns)
                latest_ns[camera] = max(latest_ns[camera], taken_ns)
                while self._is_due(waiting, latest_ns, arrived_ns):
                    yield from self._moment(waiting)
            yield from reader.problems[told:]
        while waiting[self.rig.names[0]]:
            yield from self._moment(waiting)

    @property
    def _skew_ns(self) -> int:
        return round(self.max_skew_s * 1e9)

    def _is_due(
        self,
        waiting: Mapping[str, deque[_Taken]],
        latest_ns: Mapping[str, int],
        now_ns: int,
    ) -> bool:
        """Whether nothing more can come that belongs to the first camera's next image."""
        first, *others = self.rig.names
        if not waiting[first]:
            return False
        anchor = waiting[first][0]
        over_ns = anchor.stamp_ns + self._skew_ns
        passed = all(latest_ns[name] > over_ns for name in others)
        return passed or now_ns > anchor.arrived_ns + WAIT_NS

    def _moment(self, waiting: Mapping[str, deque[_Taken]]) -> Iterator[RigMoment | str]:
        """Take the next moment out of what waits."""
        first, *others = self.rig.names
        anchor = waiting[first].popleft()
        taken = {first: anchor}
        for name in others:
            queue = waiting[name]
            while queue and queue[0].stamp_ns < anchor.stamp_ns - self._skew_ns:
                queue.popleft()
            near = [one for one in queue if one.stamp_ns <= anchor.stamp_ns + self._skew_ns]
            if near:
                nearest = min(near, key=lambda one: abs(one.stamp_ns - anchor.stamp_ns))
                while queue.popleft() is not nearest:
                    pass
                taken[name] = nearest
        yield from self._read_moment(taken)

    def _read_moment(self, taken: Mapping[str, _Taken]) -> Iterator[RigMoment | str]:
        """Yield what is wrong with pictures of a moment, then the moment with the others."""
        anchor = next(iter(taken.values()))
        if not self._wanted(anchor.number, anchor.stamp_ns * 1e-9):
            return
        images = {}
        for name, one in taken.items():
            try:
                images[name] = to_bgr(one.message)
            except ValueError as error:
                yield f"camera {name}: {self.path}, {one.name}: {first_line(error)}"
        stamps_ns = {name: one.stamp_ns for name, one in taken.items()}
        sizes = {name: (image.shape[0], image.shape[1]) for name, image in images.items()}
        rig, faults = self._calibration.at(stamps_ns, sizes)
        for name in [name for name in images if name in faults]:
            yield f"camera {name}: {self.path}, {taken[name].name}: {faults[name]}"
            del images[name]
        stamps_s = {name: stamps_ns[name] * 1e-9 for name in images}
        frame = RigFrame(anchor.name, rig, images, stamps_s)
        yield RigMoment(frame, {name: one.name for name, one in taken.items()})


def _all(_number: int, _stamp_s: float) -> bool:
    """Want every moment."""
    return True


def _forget(queue: deque[_Taken], now_ns: int) -> None:
    """Drop the images of a camera that no image of the first one will go with any more."""
    while queue[0].arrived_ns < now_ns - 2 * WAIT_NS:
        queue.popleft()


def _check_topic(reader: Bag, path: Path, name: str, topic: str) -> None:
    """Refuse a camera without images.

    Raises:
        BagError: It has none; the message names it.
    """
    if not topic:
        raise BagError(
            f"camera {name} has no topic: rig.yaml needs one to find its images in a bag"
        )
    try:
        check_not_empty(reader, path, image_topic(reader, path, topic))
    except BagError as error:
        raise BagError(f"camera {name}: {error}") from None
