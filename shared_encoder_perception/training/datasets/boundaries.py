"""What the lane data sets have in common: boundaries as polylines in the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Boundary:
    """One lane boundary.

    Attributes:
        points: (N, 2) float64, ``(x, y)`` pixels, ``y`` strictly decreasing (near to far). ``x``
            may lie outside the picture.
        is_edge: Whether the road ends here: nobody may drive beyond.
    """

    points: NDArray[np.float64]
    is_edge: bool = False
