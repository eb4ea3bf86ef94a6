# SPDX-License-Identifier: Apache-2.0
"""The CameraInfo of a bag's images: what held when."""

from __future__ import annotations

from argparse import ArgumentParser
from bisect import bisect_right
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.ground.camera_info import camera_model, info_key
from shared_encoder_perception.images.bags import first_line, open_bag
from shared_encoder_perception.images.stamps import stamp_ns
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.options import FOCAL, add_height_option

INFO: Final = "sensor_msgs/msg/CameraInfo"
COMPRESSED: Final = "/compressed"


def beside(image: str) -> str:
    """Return where image_transport looks for the CameraInfo of a topic with images."""
    return f"{image.removesuffix(COMPRESSED).rpartition('/')[0]}/camera_info"


class CameraInfos:
    """Each CameraInfo of one topic that says anything new, with its stamp."""

    def __init__(self) -> None:
        """Know none."""
        self._found: list[tuple[int, Any]] = []
        self._made: tuple[Any, Size, CameraModel | None, str] | None = None

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._found)

    def add(self, message: Any) -> None:
        """Keep a message unless it repeats the one before."""
        if not self._found or info_key(self._found[-1][1]) != info_key(message):
            self._found.append((stamp_ns(message.header), message))
            self._found.sort(key=lambda one: one[0])

    def at(self, at_ns: int) -> Any:
        """Return the one that held at a time: the first where it is earlier; or ``None``."""
        if not self._found:
            return None
        place = bisect_right(self._found, at_ns, key=lambda one: one[0])
        return self._found[max(place - 1, 0)][1]

    def lens(self, at_ns: int, image_size: Size) -> tuple[Any, CameraModel | None, str]:
        """Return the CameraInfo of an image, its camera, or why it is of no use."""
        info = self.at(at_ns)
        if info is None:
            return None, None, ""
        if self._made is None or self._made[0] is not info or self._made[1] != image_size:
            try:
                self._made = (info, image_size, camera_model(info, image_size), "")
            except ValueError as error:
                self._made = (info, image_size, None, str(error))
        _, _, model, problem = self._made
        return (info if model is not None else None), model, problem


def read_infos(path: Path, image: str) -> tuple[CameraInfos, list[str]]:
    """Read the CameraInfo beside a topic with images; and say what is of no use.

    Raises:
        BagError: The bag cannot be read.
    """
    infos, problems = CameraInfos(), list[str]()
    with open_bag(path) as reader:
        topic = beside(image)
        used = [one for one in reader.connections if (one.topic, one.msgtype) == (topic, INFO)]
        for connection, _, data in reader.messages(used) if used else ():
            try:
                infos.add(reader.deserialize(data, connection.msgtype))
            except Exception as error:  # rosbags raises many types
                problem = f"a message on {topic} is of no use: {first_line(error)}"
                if problem not in problems:
                    problems.append(problem)
    return infos, problems


def add_camera_options(parser: ArgumentParser) -> None:
    """Declare what a replay can be told of the camera, as ``predict`` can."""
    parser.add_argument(
        "--focal-px",
        type=float,
        metavar="F",
        help="focal length of the camera in pixels of the images, instead of the bag's CameraInfo: "
        "depth is in metres then",
    )
    add_height_option(parser)


def unknown_for_want_of_a_lens(unsure: Mapping[str, int], image: str) -> list[str]:
    """Say of how many images something is unknown that needs the camera, and what to do.

    Args:
        unsure: What tasks said of images that they are not sure of -> how many those are.
        image: Topic of the images.
    """
    told = []
    for why, count in unsure.items():
        if FOCAL in why:  # a parameter of the node: a replay has an option for it
            what = why.partition(":")[0]
            why = f"{what}: record the CameraInfo on {beside(image)}, too, or give --focal-px F"
        elif "CameraInfo" in why:
            why = f"{why}, or give --focal-px F"
        told.append(f"{count} images: {why}")
    return told
