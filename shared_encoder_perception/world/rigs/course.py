# SPDX-License-Identifier: Apache-2.0
"""How the road runs around the vehicle, ahead and behind: on flat ground, in the vehicle's frame.

Road coordinates are those of ``atlas``: offset to the right of the reference line, and distance
ahead. As in the forward camera's picture they are laid beside the line at right angles to the
vehicle, not to the road: what is far in a bend is a little narrower, and the way back is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.world.alignment import DEPTHS_M, STEPS_M, Alignment

ALONG_M: Final = np.concatenate((-DEPTHS_M[::-1], (0.0,), DEPTHS_M))
SLOPE_M: Final = 1.0
"""Distance over which the road's direction is taken."""


@dataclass(frozen=True, eq=False)
class Course:
    """The road's reference line.

    Attributes:
        right_m: At ``ALONG_M``, how far to the vehicle's right it is.
    """

    right_m: NDArray[np.float64]

    @classmethod
    def of(cls, alignment: Alignment, distance_m: float) -> Course:
        """Integrate curvature twice to both sides, for small angles."""
        behind = alignment.plan(distance_m - DEPTHS_M)
        backwards = np.cumsum(np.cumsum(behind * STEPS_M) * STEPS_M)
        here = -alignment.wander(distance_m)
        ahead = alignment.ahead(distance_m).lateral
        return cls(np.concatenate((backwards[::-1] + here, (here,), ahead)))

    def right(self, along_m: NDArray | float) -> NDArray[np.float64]:
        """Return how far to the right the line is, at distances ahead."""
        return np.asarray(np.interp(along_m, ALONG_M, self.right_m))

    def heading(self, along_m: NDArray | float) -> NDArray[np.float64]:
        """Return its direction, rad from x ahead towards y left."""
        along = np.asarray(along_m)
        rise = self.right(along + SLOPE_M / 2) - self.right(along - SLOPE_M / 2)
        return np.asarray(-np.arctan(rise / SLOPE_M))

    def places(self, road: NDArray) -> NDArray[np.float64]:
        """Turn (..., 2) offset and distance ahead into (..., 2) x and y of the vehicle's frame."""
        offset, along = road[..., 0], road[..., 1]
        return np.stack((along, -(self.right(along) + offset)), axis=-1)

    def road(self, places: NDArray) -> NDArray[np.float64]:
        """Turn (..., 2) x and y into (..., 2) offset and distance ahead; undoes ``places``."""
        x, y = places[..., 0], places[..., 1]
        return np.stack((-y - self.right(x), x), axis=-1)
