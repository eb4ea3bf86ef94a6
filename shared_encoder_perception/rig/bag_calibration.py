# SPDX-License-Identifier: Apache-2.0
"""What a rosbag2 says of a rig's calibration: the CameraInfo in force at a time, and TF."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from shared_encoder_perception.ground.camera_info import info_key
from shared_encoder_perception.ground.extrinsics import Extrinsics
from shared_encoder_perception.ground.transform_tree import TransformError, TransformTree
from shared_encoder_perception.images.bag_parts import Connection
from shared_encoder_perception.images.bags import BagError, first_line
from shared_encoder_perception.images.stamps import stamp_ns
from shared_encoder_perception.rig.rig import Rig, RigCamera
from shared_encoder_perception.rig.rig_entries import CameraEntry
from shared_encoder_perception.rig.rig_file import RigFile
from shared_encoder_perception.structures import Size

if TYPE_CHECKING:
    from shared_encoder_perception.images.bag_reader import Bag

INFO: Final = "sensor_msgs/msg/CameraInfo"
TRANSFORMS: Final = "tf2_msgs/msg/TFMessage"
STATIC: Final = "tf_static"
COMPRESSED: Final = "/compressed"


@dataclass(frozen=True, order=True)
class _Said:
    """A CameraInfo, and from when on it holds."""

    from_ns: int
    message: Any = field(compare=False)


@dataclass
class _Infos:
    """What one topic says of a lens, in the order of its stamps; repetitions are left out."""

    said: list[_Said] = field(default_factory=list)

    def add(self, message: Any, arrived_ns: int) -> None:
        """Learn a message; one without a stamp holds from when it was recorded."""
        insort(self.said, _Said(stamp_ns(message.header) or arrived_ns, message))

    def settle(self) -> None:
        """Leave out what only repeats the one before it."""
        kept: list[_Said] = []
        for one in self.said:
            if not kept or info_key(kept[-1].message) != info_key(one.message):
                kept.append(one)
        self.said = kept

    def number(self, at_ns: int) -> int:
        """Return the number of the one in force at a time: the first where that is earlier."""
        return max(bisect_right(self.said, at_ns, key=lambda one: one.from_ns) - 1, 0)


class BagCalibration:
    """The rig of each moment of a bag: another object where a CameraInfo says something new.

    Poses that the rig leaves to TF are those at the first camera's first image.

    Attributes:
        first: The rig of the first moment.
        notes: Which cameras' CameraInfo changes, and whether that counts.
    """

    def __init__(
        self, reader: Bag, path: Path, rig_file: RigFile, sizes: Mapping[str, Size], first_ns: int
    ) -> None:
        """Read CameraInfo and TF.

        Args:
            reader: The bag, open.
            path: Its name.
            rig_file: What is fixed, and which topics say the rest.
            sizes: ``(height, width)`` of the first images, by camera.
            first_ns: When the first of them was taken.

        Raises:
            BagError: TF does not know where a camera sits.
            ValueError: See ``RigFile.rig``.
        """
        self.notes: list[str] = []
        self._frame_id = rig_file.frame_id
        self._infos, tree = _read(reader, rig_file)
        self._entries = [
            _placed(entry, rig_file.frame_id, tree, path, first_ns) for entry in rig_file.entries
        ]
        self._cameras: dict[tuple[str, int], RigCamera | str] = {}
        for entry in rig_file.entries:
            self._note(entry)
        cameras = [self._camera(entry, first_ns, sizes.get(entry.name)) for entry in self._entries]
        if faults := [one for one in cameras if isinstance(one, str)]:
            raise BagError(faults[0])
        self._last = Rig(tuple(c for c in cameras if not isinstance(c, str)), self._frame_id)
        self.first = self._last

    def begin(self) -> None:
        """Forget the moments that were asked for: their order decides which lens is the last."""
        self._last = self.first

    def at(
        self, stamps_ns: Mapping[str, int], sizes: Mapping[str, Size]
    ) -> tuple[Rig, dict[str, str]]:
        """Return the rig of a moment, and why cameras have none then.

        Args:
            stamps_ns: When each camera's image was taken, the first camera's first: a CameraInfo
                has the stamp of its image. Cameras without an image are looked up at that time.
            sizes: ``(height, width)`` of the images.

        Returns:
            The same object as the last time unless something has changed; and, by camera, why its
            CameraInfo is of no use: its pictures must not be used, the rig has its last lens.
        """
        faults: dict[str, str] = {}
        cameras: list[RigCamera] = []
        anchor_ns = next(iter(stamps_ns.values()))
        for entry, last in zip(self._entries, self._last.cameras, strict=True):
            at_ns = stamps_ns.get(entry.name, anchor_ns)
            found = self._camera(entry, at_ns, sizes.get(entry.name))
            if isinstance(found, str):
                faults[entry.name], found = found, last
            cameras.append(found)
        if any(one is not last for one, last in zip(cameras, self._last.cameras, strict=True)):
            self._last = Rig(tuple(cameras), self._frame_id)
        return self._last, faults

    def _camera(self, entry: CameraEntry, at_ns: int, size: Size | None) -> RigCamera | str:
        """Return a camera as it was at a time, the same object each time; or why there is none."""
        infos = self._infos.get(entry.info_topic)
        number = infos.number(at_ns) if infos is not None else 0
        if (key := (entry.name, number)) not in self._cameras:
            told = infos.said[number].message if infos is not None else None
            try:
                made: RigCamera | str = entry.camera(told, None, size)
            except ValueError as error:
                made = first_line(error)
            self._cameras[key] = made
        return self._cameras[key]

    def _note(self, entry: CameraEntry) -> None:
        """Say that a camera's CameraInfo changes."""
        topic = entry.info_topic or _beside(entry)
        infos = self._infos.get(topic)
        if infos is None or len(infos.said) < 2:
            return
        changes = len(infos.said) - 1
        times = f"{changes} time{'s' if changes > 1 else ''}"
        if entry.info_topic:
            what = "each moment has the one that was in force when it was taken"
        else:
            what = "not looked at: rig.yaml fixes the camera's intrinsics"
        self.notes.append(f"note: camera {entry.name}: {topic} changes {times} in the bag; {what}")


def _read(reader: Bag, rig_file: RigFile) -> tuple[dict[str, _Infos], TransformTree]:
    """Read the CameraInfo of all cameras, by topic, and TF."""
    wanted = {entry.info_topic or _beside(entry) for entry in rig_file.entries}
    with_tf = any(entry.tf_frame for entry in rig_file.entries)
    used = [one for one in reader.connections if _says_calibration(one, wanted, with_tf)]
    infos: dict[str, _Infos] = {}
    tree = TransformTree()
    for connection, arrived_ns, data in reader.messages(used) if used else ():
        with suppress(Exception):  # what is damaged or no pose is missed later, by its camera
            message = reader.deserialize(data, connection.msgtype)
            if connection.msgtype == INFO:
                infos.setdefault(connection.topic, _Infos()).add(message, arrived_ns)
                continue
            for transform in message.transforms:
                tree.add(transform, is_static=connection.topic.endswith(STATIC))
    for said in infos.values():
        said.settle()
    return infos, tree


def _placed(
    entry: CameraEntry, frame_id: str, tree: TransformTree, path: Path, at_ns: int
) -> CameraEntry:
    """Return what is said of a camera, with the pose that TF says it has.

    Raises:
        BagError: TF does not know it.
    """
    if not entry.tf_frame:
        return entry
    try:
        found = tree.find(frame_id, entry.tf_frame, at_ns)
    except TransformError as error:
        raise BagError(f"camera {entry.name}: {path}: {error}") from None
    return replace(entry, tf_frame="", pose=Extrinsics(found.rotation, found.shift))


def _beside(entry: CameraEntry) -> str:
    """Return where image_transport looks for the CameraInfo of a camera's images."""
    return f"{entry.image_topic.removesuffix(COMPRESSED).rpartition('/')[0]}/camera_info"


def _says_calibration(connection: Connection, infos: Collection[str], with_tf: bool) -> bool:
    """Whether a topic is TF, where a camera has its pose from there, or a camera's CameraInfo."""
    if connection.msgtype == INFO:
        return connection.topic in infos
    return with_tf and connection.msgtype == TRANSFORMS
