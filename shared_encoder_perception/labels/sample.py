"""One labelled image: the type every data source yields and every target is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import LaneId

MASK_DRIVABLE: Final = 255
MASK_IGNORE: Final = 127
MASK_NOT_DRIVABLE: Final = 0


@dataclass(frozen=True, eq=False)
class Sample:
    """An image and what is known about it. Labels may be partial.

    Attributes:
        image: (H, W, 3) uint8 BGR.
        lanes: Per lane a (N, 2) float32 centre line, ``(x, y)`` pixels near to far (``y`` strictly
            decreasing, N >= 2), or ``None`` for a lane known to be absent. A lane that is missing
            from the mapping is unknown: neither trained nor scored.
        mask: (H, W) uint8 of 255 drivable, 0 not drivable, 127 ignore; ``None`` when unknown.
        name: Where the sample comes from, for messages: a path, or a seed.
        lane_confidence: Weight of a lane's label in training, above 0 to 1; 1 for those missing.
        mask_confidence: (H, W) uint8 weight of each pixel of ``mask``, 255 for a sure one; ``None``
            where all are.
    """

    image: NDArray[np.uint8]
    lanes: Mapping[LaneId, NDArray[np.float32] | None]
    mask: NDArray[np.uint8] | None
    name: str = ""
    lane_confidence: Mapping[LaneId, float] = field(default_factory=dict)
    mask_confidence: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        """Reject arrays of the wrong type or shape, naming the sample."""
        image = self.image
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(
                f"{self.name}: image is {image.dtype} {image.shape}, expected uint8 (H, W, 3)"
            )
        for what, mask in (("mask", self.mask), ("mask_confidence", self.mask_confidence)):
            if mask is not None and (mask.dtype != np.uint8 or mask.shape != image.shape[:2]):
                raise ValueError(
                    f"{self.name}: {what} is {mask.dtype} {mask.shape}, "
                    f"expected uint8 {image.shape[:2]}"
                )
        for lane, points in self.lanes.items():
            if points is None:
                continue
            if points.ndim != 2 or points.shape[1] != 2 or len(points) < 2:
                raise ValueError(
                    f"{self.name}: {LaneId(lane).label} has shape {points.shape}, "
                    "expected (N >= 2, 2)"
                )
            if np.any(np.diff(points[:, 1]) >= 0):
                raise ValueError(
                    f"{self.name}: {LaneId(lane).label} must run near to far "
                    "(y strictly decreasing)"
                )
