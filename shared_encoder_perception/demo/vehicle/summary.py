# SPDX-License-Identifier: Apache-2.0
"""What a recorded drive shows of both nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared_encoder_perception.demo import summary as one_camera
from shared_encoder_perception.demo.rigs import summary as all_cameras
from shared_encoder_perception.demo.vehicle.topics import NAMESPACE
from shared_encoder_perception.rig.rig_file import RigFile


@dataclass
class VehicleSummary:
    """The numbers of one drive; each node accounts for every image that it was sent.

    Attributes:
        camera: Of the node that has the first camera's images.
        rig: Of the node that has those of all cameras.
    """

    camera: one_camera.DriveSummary
    rig: all_cameras.RigSummary

    def to_dict(self) -> dict[str, Any]:
        """Return plain types for JSON."""
        return {"camera": self.camera.to_dict(), "rig": self.rig.to_dict()}

    def problems(self) -> list[str]:
        """Return what was lost, one line each; nothing if all is accounted for."""
        return [*self.camera.problems(), *self.rig.problems()]

    def __str__(self) -> str:
        """Render one screen."""
        return (
            f"---- the node for the first camera\n{self.camera}\n"
            f"---- the node for all cameras\n{self.rig}"
        )


def summarise(bag: Path, file: RigFile, published: Mapping[str, int]) -> VehicleSummary:
    """Read the bag of a drive.

    Args:
        bag: Written by the recorder.
        file: The rig.
        published: Images that the player says it sent, by camera.
    """
    ahead = file.entries[0]
    image, count = f"/{ahead.image_topic}", published[ahead.name]
    return VehicleSummary(
        one_camera.summarise(bag, count, image, NAMESPACE),
        all_cameras.summarise(bag, file, published),
    )
