# SPDX-License-Identifier: Apache-2.0
"""A label of depth: how far each pixel is as somebody measured it, through which lens."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.depth.answer import KINDS, METRIC

DEPTH: Final = "depth"
OWNERS: Final = "depth_owners"
OWNER_NAMES: Final = ("unknown", "ground", "vehicle", "person", "upright")
"""What a pixel is of; its place here is its value in ``Label.owners``."""
UNKNOWN, GROUND, VEHICLE, PERSON, UPRIGHT = range(len(OWNER_NAMES))


class FlatRoad(Protocol):
    """The depth of a flat road, seen from a camera's pose."""

    def __call__(self) -> NDArray[np.float32]:
        """Return (H, W) m, NaN above the horizon."""

    def mirror(self) -> FlatRoad:
        """Return that of the mirrored picture."""


@dataclass(frozen=True, eq=False)
class Label:
    """What is known of the depth of one image.

    Attributes:
        depth: (H, W) float32 along the optical axis, above 0: metres; of kind relative the inverse
            of what a scale and a shift would make inverse metres. +Inf for what is beyond all
            range, NaN where nothing is known.
        focal_px: Vertical focal length of the camera in pixels of this image; NaN where nobody
            said: then nothing can be learned from metres.
        kind: As of ``DepthMap``.
        owners: (H, W) uint8, a place in ``OWNER_NAMES``; ``None`` where nobody said.
        flat: What a flat road would be away; ``None`` where the camera's pose is not known.
        height_m: Of the camera above the road; NaN where nobody said.
    """

    depth: NDArray[np.float32]
    focal_px: float = math.nan
    kind: str = METRIC
    owners: NDArray[np.uint8] | None = None
    flat: FlatRoad | None = None
    height_m: float = math.nan

    def check(self, image_size: Size) -> None:
        """Refuse a label that does not fit its image.

        Raises:
            ValueError: Of another type or size, or with depths that are not above 0.
        """
        for what, plane, kind in (
            (DEPTH, self.depth, np.float32),
            (OWNERS, self.owners, np.uint8),
        ):
            if plane is not None and (plane.dtype != kind or plane.shape != tuple(image_size)):
                raise ValueError(
                    f"{what} is {plane.dtype} {plane.shape}, expected {np.dtype(kind)} "
                    f"{tuple(image_size)}"
                )
        if self.kind not in KINDS:
            raise ValueError(f"the kind of depth is {self.kind!r}, expected one of {list(KINDS)}")
        if (self.depth <= 0).any():
            raise ValueError("depth is 0 or below somewhere, expected more; NaN for unknown")
        if self.focal_px <= 0 or math.isinf(self.focal_px):
            raise ValueError(f"focal_px is {self.focal_px:g}, expected more than 0")
        if self.height_m <= 0 or math.isinf(self.height_m):
            raise ValueError(f"camera_height_m is {self.height_m:g}, expected more than 0")
        if self.owners is not None and self.owners.max(initial=0) >= len(OWNER_NAMES):
            raise ValueError(
                f"{OWNERS} has the value {self.owners.max()}, expected 0 to {len(OWNER_NAMES) - 1}"
            )
