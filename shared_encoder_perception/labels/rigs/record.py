# SPDX-License-Identifier: Apache-2.0
"""One labelled moment of a rig, before its pictures are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.picture_bytes import PictureError
from shared_encoder_perception.images.picture_file import read_picture
from shared_encoder_perception.rig.boxes import Box
from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.rig.ground_map import GroundLabel, GroundMap
from shared_encoder_perception.rig.rig import Rig

BoxPx = tuple[float, float, float, float]
"""``(x0, y0, x1, y1)`` of a thing in a picture, pixels."""


def nothing() -> None:
    """Say nothing of the ground."""


@dataclass(frozen=True, eq=False)
class RigRecord:
    """What a data set says of one moment. Pictures and maps are read on demand.

    Attributes:
        name: Unique in its set.
        rig: The cameras, calibrated.
        pictures: By the camera's name, its picture; a camera that gave none is left out.
        stamps_s: When each was exposed, seconds; where that is known.
        objects: What stands and drives around; ``None`` where nobody looked.
        boxes_px: For each of the objects, by the camera's name, where it is in the picture as
            somebody has drawn it there; empty where nobody has.
        drivable: Reads or makes the map of where one may drive; ``None`` where nobody says.
        source: Which data set, a short name.
        licence: In a few words; empty when unknown.
        where: File and line, for messages.
        in_view: Reads the map of what some camera has in plain view; ``None`` likewise.
    """

    name: str
    rig: Rig
    pictures: Mapping[str, Path] = field(default_factory=dict)
    stamps_s: Mapping[str, float] = field(default_factory=dict)
    objects: tuple[Box, ...] | None = None
    boxes_px: Sequence[Mapping[str, BoxPx]] = ()
    drivable: Callable[[], GroundMap | None] = nothing
    source: str = ""
    licence: str = ""
    where: str = ""
    in_view: Callable[[], GroundMap | None] = nothing

    def __post_init__(self) -> None:
        """Keep what it is given."""
        for key in ("pictures", "stamps_s"):
            object.__setattr__(self, key, MappingProxyType(dict(getattr(self, key))))

    def picture(self, camera: str) -> NDArray[np.uint8]:
        """Read a camera's picture as people see it: (H, W, 3) uint8 BGR.

        Raises:
            ValueError: It is missing, unreadable or of another size than its calibration is for.
        """
        path = self.pictures[camera]
        try:
            image = read_picture(path)
        except PictureError as error:
            raise ValueError(
                f"{self.where}: camera {camera}: cannot read the picture {path}: it {error}"
            ) from None
        height, width = self.rig[camera].image_size
        if image.shape[:2] != (height, width):
            raise ValueError(
                f"{self.where}: camera {camera}: {path} is {image.shape[1]}x{image.shape[0]}, its "
                f"calibration is for {width}x{height}"
            )
        return image

    def label(self) -> GroundLabel:
        """Return what is known of the ground around.

        Raises:
            ValueError: The file of a map is missing, unreadable or of another size.
        """
        return GroundLabel(self.objects, self.drivable(), self.in_view())

    def frame(self) -> RigFrame:
        """Read everything.

        Raises:
            ValueError: A file that is missing, unreadable or of another size than the line says.
        """
        images = {camera: self.picture(camera) for camera in self.pictures}
        return RigFrame(self.name, self.rig, images, self.stamps_s, self.label())


def record_of(frame: RigFrame, source: str = "", licence: str = "") -> RigRecord:
    """Return a frame's record, without its pictures: they are no files yet."""
    label = frame.label or GroundLabel()
    return RigRecord(
        frame.name,
        frame.rig,
        stamps_s=frame.stamps_s,
        objects=label.objects,
        drivable=lambda: label.drivable,
        source=source,
        licence=licence,
        where=frame.name,
        in_view=lambda: label.in_view,
    )
