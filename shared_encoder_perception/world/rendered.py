# SPDX-License-Identifier: Apache-2.0
"""What a rendered world knows of one image: what exact labels are made of, in no task's terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.world.camera import Camera, FlatRoad
from shared_encoder_perception.world.classes import OWNER_OF

DRIVABLE: Final = 255
NOT_DRIVABLE: Final = 0
CLASSES, DISTANCES, EMPTY = "classes", "distances", "empty"
"""What is only known of an image where somebody asks for it."""


@dataclass(frozen=True, eq=False)
class Rendered:
    """One image of a world.

    Attributes:
        image: (H, W, 3) uint8 BGR.
        centre_lines: By the name of the lane (``road.LANES``), (N, 2) float32 ``(x, y)`` pixels
            near to far; ``None`` where there is no such lane, missing where people would disagree.
        drivable: (H, W) uint8, 255 where a vehicle could drive and the image shows it, 0 elsewhere.
        camera: Which saw it.
        name: Seed and place, for messages.
        classes: (H, W) uint8, what each pixel shows, a place in ``classes.CLASSES``; ``None`` where
            nobody asked for it.
        depth: (H, W) float32 metres along the optical axis, infinite for the sky and what is
            painted on it, NaN for the own vehicle; ``None`` where nobody asked for it.
        empty: (H, W, 3) uint8 BGR, the same place while nobody drove, stood or walked there, taken
            at another time; ``None`` where nobody asked for it.
    """

    image: NDArray[np.uint8]
    centre_lines: Mapping[str, NDArray[np.float32] | None]
    drivable: NDArray[np.uint8]
    camera: Camera
    name: str
    classes: NDArray[np.uint8] | None = None
    depth: NDArray[np.float32] | None = None
    empty: NDArray[np.uint8] | None = None

    @property
    def flat_road(self) -> FlatRoad:
        """What a flat road would be away, seen from the camera's place."""
        return FlatRoad(self.camera)

    @property
    def owners(self) -> NDArray[np.uint8] | None:
        """(H, W) a place in ``classes.OWNERS`` for each pixel; ``None`` where nobody asked."""
        return None if self.classes is None else owners_of(self.classes)


def owners_of(classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return whose each pixel is, a place in ``classes.OWNERS``, for (H, W) classes."""
    table = np.zeros(256, np.uint8)
    table[: len(OWNER_OF)] = OWNER_OF
    return np.asarray(table[classes])
