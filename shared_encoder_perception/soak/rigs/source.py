# SPDX-License-Identifier: Apache-2.0
"""Which rig a soak has, and the pictures that its cameras send over and over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import cv2

from shared_encoder_perception.demo.rigs.clip import RIG_FILE
from shared_encoder_perception.demo.rigs.town import SEED, SIZE, SPEED_M_PER_MOMENT, town_clip
from shared_encoder_perception.images.frames import tell
from shared_encoder_perception.rig.moments import FolderMoments
from shared_encoder_perception.rig.rig_entries import RigFileError
from shared_encoder_perception.rig.rig_file import RigFile, read_rig, write_rig
from shared_encoder_perception.structures import Size
from shared_encoder_perception.world.rigs.dice_rig import four_cameras
from shared_encoder_perception.world.rigs.drive import RigDrive

FOUR: Final = "four"
"""The rig of the demo, with its town."""
PICTURES: Final = "pictures"
RENDERED: Final = 8
"""Moments that are rendered for a rig without pictures."""


class RigSource(NamedTuple):
    """What is sent.

    Attributes:
        file: The ``rig.yaml``, whose cameras have topics.
        pictures: A folder of pictures for each camera.
        sizes: ``(height, width)`` of these, by camera.
    """

    file: Path
    pictures: Path
    sizes: Mapping[str, Size]


def rig_source(rig: str, images: Path | None, folder: Path, cache: Path) -> RigSource:
    """Return what a rig's cameras send.

    Args:
        rig: ``FOUR``, or a ``rig.yaml`` that says all of every camera; topics may be missing.
        images: Folder with one of pictures for each camera; ``None`` for pictures of a town.
        folder: For what is written for this soak alone.
        cache: For what is kept.

    Raises:
        ValueError: The rig, or a picture, is of no use; the message names file and camera.
        OSError: Something cannot be read or written.
    """
    if rig == FOUR and images is None:
        town = town_clip(cache)
        return _checked(town / RIG_FILE, town)
    file = RigFile.of(four_cameras(SIZE)) if rig == FOUR else read_rig(Path(rig))
    pictures = folder / PICTURES if images is None else images
    if images is None:
        _render(file, pictures)
    entries = tuple(replace(one, topic=one.topic or f"{one.name}/image") for one in file.entries)
    write_rig(folder / RIG_FILE, RigFile(entries, file.frame_id))
    return _checked(folder / RIG_FILE, pictures)


def check_rig(rig: str) -> None:
    """Refuse a rig whose calibration comes on topics: nobody would send it.

    Raises:
        ValueError: So it is, or it is none.
        OSError: It cannot be read.
    """
    if rig == FOUR:
        return
    try:
        read_rig(Path(rig)).rig()
    except RigFileError as error:
        raise ValueError(
            f"--rig {rig}: {error} (a soak's rig has intrinsics and pose of each camera)"
        ) from None


def _checked(file: Path, pictures: Path) -> RigSource:
    """Return both, if they belong together."""
    source = FolderMoments(pictures, read_rig(file))
    first = next(iter(source)).frame.images
    tell(source.problems)
    sizes = {name: (image.shape[0], image.shape[1]) for name, image in first.items()}
    if absent := [name for name in source.rig.names if name not in sizes]:
        raise ValueError(f"the first picture of camera {absent[0]} in {pictures} cannot be read")
    return RigSource(file, pictures, sizes)


def _render(file: RigFile, folder: Path) -> None:
    """Drive through the demo's town with any rig."""
    world = RigDrive(SEED, file.rig(), split_probability=0.0, traffic_probability=1.0)
    for index in range(RENDERED):
        for name, image in world.render(index * SPEED_M_PER_MOMENT).images.items():
            path = folder / name / f"{index:06d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            if not cv2.imwrite(str(path), image):
                raise OSError(f"cannot write {path}")
