"""What a label of the lanes is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.lanes.answer import LaneId


@dataclass(frozen=True, eq=False)
class Label:
    """What is known about the lanes of one image.

    Attributes:
        lines: Per lane a (N, 2) float32 centre line, ``(x, y)`` pixels near to far (``y`` strictly
            decreasing, N >= 2), or ``None`` for a lane known to be absent. A lane that is missing
            from the mapping is unknown: neither trained nor scored.
        confidence: Weight of a lane's label in training, above 0 to 1; 1 for those missing.
    """

    lines: Mapping[LaneId, NDArray[np.float32] | None]
    confidence: Mapping[LaneId, float] = field(default_factory=dict)

    def check(self, image_size: Size) -> None:
        """Refuse lines that are none; they may leave an image of any ``image_size``.

        Raises:
            ValueError: Names the lane.
        """
        for lane, points in self.lines.items():
            if points is None:
                continue
            if points.ndim != 2 or points.shape[1] != 2 or len(points) < 2:
                raise ValueError(
                    f"{LaneId(lane).label} has shape {points.shape}, expected (N >= 2, 2)"
                )
            if np.any(np.diff(points[:, 1]) >= 0):
                raise ValueError(
                    f"{LaneId(lane).label} must run near to far (y strictly decreasing)"
                )
