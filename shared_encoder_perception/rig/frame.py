# SPDX-License-Identifier: Apache-2.0
"""What the cameras of a rig saw at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.rig.ground_map import GroundLabel
from shared_encoder_perception.rig.rig import Rig


@dataclass(frozen=True, eq=False)
class RigFrame:
    """Pictures of one moment, with the rig that took them.

    Attributes:
        name: For people and lines of results: where it came from.
        rig: The cameras, calibrated.
        images: By the camera's name, (H, W, 3) uint8 BGR as received; a camera that was late, dead
            or unreadable is left out.
        stamps_s: When each was exposed, seconds; where that is known.
        label: What is known of the ground around; ``None`` for nothing.
    """

    name: str
    rig: Rig
    images: Mapping[str, NDArray[np.uint8]]
    stamps_s: Mapping[str, float] = field(default_factory=dict)
    label: GroundLabel | None = None

    def __post_init__(self) -> None:
        """Refuse a picture of no camera, and one of another size than its camera's."""
        for name, image in self.images.items():
            size = tuple(self.rig[name].image_size)
            if image.shape != (*size, 3) or image.dtype != np.uint8:
                raise ValueError(
                    f"{self.name}: the picture of camera {name} is {image.dtype} {image.shape}, "
                    f"expected uint8 {(*size, 3)}, as its calibration says"
                )
        for key in ("images", "stamps_s"):
            object.__setattr__(self, key, MappingProxyType(dict(getattr(self, key))))
