# SPDX-License-Identifier: Apache-2.0
"""What became of every image of every camera of a bag, and of its CameraInfo.

``BagMoments`` says which images are of a moment; here are those that are of none, too. The bag is
read once more for it, stamps only, which are needed anyway: a moment has its anchor's, to the
nanosecond.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from shared_encoder_perception.images.bags import first_line, images_of, open_bag
from shared_encoder_perception.images.stamps import stamp_ns
from shared_encoder_perception.replay.camera_infos import INFO, CameraInfos
from shared_encoder_perception.rig.bag_topics import named_in
from shared_encoder_perception.rig.moments import RigMoment
from shared_encoder_perception.rig.rig_file import RigFile

FRAME: Final = "frame_"
"""What the names of images begin with; then comes their number on the topic, from 0."""
USED, APART, UNREADABLE, UNSTAMPED, BEYOND = "used", "apart", "unreadable", "unstamped", "beyond"
BECAME: Final[Mapping[str, str]] = {
    USED: "used",
    APART: "of no moment: none of the first camera was taken at that time",
    UNREADABLE: "unreadable",
    UNSTAMPED: "without a stamp, so of no moment",
    BEYOND: "beyond --limit",
}
"""What may become of an image; each is in exactly one number."""


class Taken(NamedTuple):
    """When an image was taken (0 = nobody says), and when it was recorded, ns."""

    stamp_ns: int
    arrived_ns: int


@dataclass
class CameraAccount:
    """What a bag holds of one camera.

    Attributes:
        name: Of the camera.
        topic: Of its images.
        info_topic: Of its CameraInfo; empty where the rig says what that would.
        images: In the order of the bag.
        used: Numbers of those that were perceived.
        missing: Moments without a picture of it.
        infos: Messages of its CameraInfo.
        calibrations: Those that say something else than the one before.
        bad_infos: Those that cannot be read, with the reason of the first.
    """

    name: str
    topic: str
    info_topic: str = ""
    images: list[Taken] = field(default_factory=list)
    used: set[int] = field(default_factory=set)
    missing: int = 0
    infos: int = 0
    calibrations: CameraInfos = field(default_factory=CameraInfos)
    bad_infos: list[str] = field(default_factory=list)


class BagAccount:
    """Counts, for one bag; ``add`` each moment, and ask in the end.

    Attributes:
        cameras: In the rig's order.
        moments: That were added.
    """

    def __init__(self, path: Path, rig_file: RigFile) -> None:
        """Read the stamps of all images, and all CameraInfo.

        Raises:
            BagError: Nothing of the bag can be read.
        """
        self.moments, self._path, self._last_ns = 0, path, 0
        with open_bag(path) as reader:
            self.cameras = [
                CameraAccount(entry.name, entry.image_topic, entry.info_topic)
                for entry in named_in(reader, rig_file).entries
            ]
            by_image = {camera.topic: camera for camera in self.cameras}
            wanted = {one.info_topic for one in self.cameras if one.info_topic}
            images = [one for topic in by_image for one in images_of(reader, topic)]
            infos = [c for c in reader.connections if c.msgtype == INFO and c.topic in wanted]
            for connection, arrived_ns, data in reader.messages([*images, *infos]):
                try:
                    message = reader.deserialize(data, connection.msgtype)
                    stamp, why = stamp_ns(message.header), ""
                except Exception as error:  # rosbags raises many types
                    message, stamp, why = None, 0, first_line(error)
                if connection.msgtype != INFO:
                    by_image[connection.topic].images.append(Taken(stamp, arrived_ns))
                    continue
                for camera in self.cameras:  # several may have one lens, and so one CameraInfo
                    if camera.info_topic == connection.topic:
                        _count_info(camera, message, why)

    def add(self, moment: RigMoment) -> Taken:
        """Count the images of a moment that was perceived; return when the first camera's was."""
        self.moments += 1
        for camera in self.cameras:
            if camera.name in moment.frame.images:
                camera.used.add(index_of(moment.pictures[camera.name]))
            else:
                camera.missing += 1
        anchor = self.cameras[0].images[index_of(moment.frame.name)]
        self._last_ns = anchor.stamp_ns
        return anchor

    def counts(self, problems: Collection[str], *, limited: bool) -> dict[str, dict[str, int]]:
        """Return how many images of each camera became what, see ``BECAME``.

        Args:
            problems: What ``BagMoments`` said of images.
            limited: Whether moments may have been left out at the end.
        """
        told = self._told(problems)
        found = {}
        for camera in self.cameras:
            counted = dict.fromkeys(BECAME, 0)
            for index, taken in enumerate(camera.images):
                if index in camera.used:
                    became = USED
                elif limited and taken.stamp_ns > self._last_ns:
                    became = BEYOND
                elif (why := told.get((camera.name, index))) is not None:
                    became = UNSTAMPED if _is_unstamped(why, taken) else UNREADABLE
                elif not taken.stamp_ns and limited:
                    became = BEYOND  # not looked at
                else:
                    became = APART
                counted[became] += 1
            found[camera.name] = counted
        return found

    def faults(self, problems: Collection[str], *, limited: bool, max_skew_s: float) -> list[str]:
        """Return what could not be used, one line for each kind and camera.

        Of images that are apart only those of a camera that moments lack: a faster camera has many.
        """
        counts, told = self.counts(problems, limited=limited), self._told(problems)
        faults = [one for one in problems if one not in set(told.values())]
        for camera in self.cameras:
            counted, name = counts[camera.name], camera.name
            if bad := counted[UNREADABLE] + counted[UNSTAMPED]:
                first = min(index for owner, index in told if owner == name)
                why = told[name, first].removeprefix(self._called(name))
                faults.append(
                    f"camera {name}: {bad} of {len(camera.images)} images cannot be used, the "
                    f"first: {FRAME}{why}"
                )
            if camera.missing and (apart := counted[APART]):
                faults.append(
                    f"camera {name}: {apart} of {len(camera.images)} images are of no moment, and "
                    f"{camera.missing} of {self.moments} moments lack it: taken further than "
                    f"{max_skew_s:g} s apart? (--max-skew-s)"
                )
            faults += _info_faults(camera)
        return faults

    def _told(self, problems: Iterable[str]) -> dict[tuple[str, int], str]:
        """Return what was said of single images, by camera and number."""
        found = {}
        for camera in self.cameras:
            image = re.compile(re.escape(self._called(camera.name)) + r"(\d+)")
            for problem in problems:
                if match := image.match(problem):
                    found[camera.name, int(match[1])] = problem
        return found

    def _called(self, camera: str) -> str:
        """Return how ``BagMoments`` begins to tell of an image that it cannot use."""
        return f"camera {camera}: {self._path}, {FRAME}"


def index_of(name: str) -> int:
    """Return the number of an image on its topic by its name."""
    return int(name.removeprefix(FRAME))


def _is_unstamped(why: str, taken: Taken) -> bool:
    """Whether an image can be read, and only lacks its stamp."""
    return not taken.stamp_ns and "no stamp" in why


def _count_info(camera: CameraAccount, message: Any, why: str) -> None:
    """Count one CameraInfo; ``why`` it cannot be read, where it cannot."""
    camera.infos += 1
    if not why:
        try:
            camera.calibrations.add(message)
            return
        except Exception as error:  # fields may hold anything
            why = first_line(error)
    camera.bad_infos.append(why)


def _info_faults(camera: CameraAccount) -> list[str]:
    """Return what of a camera's calibration could not be used."""
    faults = []
    if camera.bad_infos:
        faults.append(
            f"camera {camera.name}: {len(camera.bad_infos)} of {camera.infos} CameraInfo on "
            f"{camera.info_topic} cannot be read, the first: {camera.bad_infos[0]}"
        )
    return faults
