"""Moments of a rig in a rosbag2: the images of all cameras that were taken at one time."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from shared_encoder_perception.ground.extrinsics import Extrinsics
from shared_encoder_perception.ground.transform_tree import TransformError, TransformTree
from shared_encoder_perception.images.bag_parts import Connection
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
from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.rig.moments import RigMoment, RigSource
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.rig.rig_file import RigFile
from shared_encoder_perception.structures import Size

if TYPE_CHECKING:
    from shared_encoder_perception.images.bag_reader import Bag

INFO: Final = "sensor_msgs/msg/CameraInfo"
TRANSFORMS: Final = "tf2_msgs/msg/TFMessage"
STATIC: Final = "tf_static"
WAIT_NS: Final = 1_000_000_000
"""An image that was recorded so much later than the first camera's belongs to a later moment: no
longer is waited for a camera that is dead, nor kept what no image of the first one goes with."""


@dataclass(frozen=True, eq=False)
class _Taken:
    """One image that waits for those of the other cameras."""

    name: str
    stamp_ns: int
    arrived_ns: int
    message: Any


class BagMoments(RigSource):
    """For each image of the first camera, those of the others that were taken at that time.

    Of each camera the nearest by its stamp, and each image once. Calibration and poses that the
    rig leaves to topics come from the bag: the first CameraInfo of a camera, and TF at its first
    image.

    Attributes:
        max_skew_s: Longest time between an image and that of the first camera.
    """

    def __init__(self, path: Path, rig_file: RigFile, max_skew_s: float) -> None:
        """Find topics and calibration.

        Raises:
            BagError: The bag cannot be used, or lacks what a camera needs; the camera is named.
            ValueError: The rig cannot be built.
        """
        self._topics = {entry.name: entry.image_topic for entry in rig_file.entries}
        self._cameras: dict[str, str] = {}
        self.max_skew_s = max_skew_s
        with open_bag(path) as reader:
            for name, topic in self._topics.items():
                _check_topic(reader, path, name, topic)
                if (other := self._cameras.setdefault(topic, name)) != name:
                    raise BagError(f"cameras {other} and {name} have one topic, {topic!r}")
            sizes, first_ns = self._look(reader)
            super().__init__(path, _rig(reader, path, rig_file, sizes, first_ns))
        self._anchor = BagSource(path, self._topics[self.rig.names[0]])

    def __len__(self) -> int:
        """Return the number of images of the first camera."""
        return len(self._anchor)

    def rate_hz(self) -> float | None:
        """Return the rate at which the first camera's images were recorded."""
        return self._anchor.rate_hz()

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
        waiting = {name: deque[_Taken]() for name in self.rig.names}
        latest_ns, counts = dict.fromkeys(self.rig.names, 0), dict.fromkeys(self.rig.names, 0)
        with open_bag(self.path) as reader:
            told = 0
            images = [one for topic in self._cameras for one in images_of(reader, topic)]
            for connection, arrived_ns, data in reader.messages(images):
                yield from reader.problems[told:]
                told = len(reader.problems)
                camera = self._cameras[connection.topic]
                name = f"frame_{counts[camera]:06d}"
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
                waiting[camera].append(_Taken(name, taken_ns, arrived_ns, message))
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
        images = {}
        for name, one in taken.items():
            try:
                images[name] = to_bgr(one.message)
            except ValueError as error:
                yield f"camera {name}: {self.path}, {one.name}: {first_line(error)}"
        stamps_s = {name: taken[name].stamp_ns * 1e-9 for name in images}
        frame = RigFrame(anchor.name, self.rig, images, stamps_s)
        yield RigMoment(frame, {name: one.name for name, one in taken.items()})


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


def _rig(
    reader: Bag, path: Path, rig_file: RigFile, sizes: Mapping[str, Size], first_ns: int
) -> Rig:
    """Build the rig by what the bag says of it.

    Raises:
        BagError: TF does not know where a camera sits.
        ValueError: See ``RigFile.rig``.
    """
    wanted = {entry.info_topic for entry in rig_file.entries if entry.info_topic}
    if not wanted and not any(entry.tf_frame for entry in rig_file.entries):
        return rig_file.rig(sizes=sizes)
    infos: dict[str, Any] = {}
    tree = TransformTree()
    used = [one for one in reader.connections if _says_calibration(one, wanted)]
    for connection, _, data in reader.messages(used):
        with suppress(Exception):  # what is damaged or no pose is missed below, by its camera
            message = reader.deserialize(data, connection.msgtype)
            if connection.msgtype == INFO:
                infos.setdefault(connection.topic, message)
                continue
            for transform in message.transforms:
                tree.add(transform, is_static=connection.topic.endswith(STATIC))
    entries = []
    for entry in rig_file.entries:
        if entry.tf_frame:
            try:
                found = tree.find(rig_file.frame_id, entry.tf_frame, first_ns)
            except TransformError as error:
                raise BagError(f"camera {entry.name}: {path}: {error}") from None
            entry = replace(entry, tf_frame="", pose=Extrinsics(found.rotation, found.shift))
        entries.append(entry)
    told = {one.name: infos[one.info_topic] for one in entries if one.info_topic in infos}
    return replace(rig_file, entries=tuple(entries)).rig(told, sizes=sizes)


def _says_calibration(connection: Connection, infos: Collection[str]) -> bool:
    """Whether a topic is TF, or the CameraInfo of a camera."""
    is_info = connection.msgtype == INFO and connection.topic in infos
    return is_info or connection.msgtype == TRANSFORMS
