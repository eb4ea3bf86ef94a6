"""What a rendered world knows of one image: what exact labels are made of, in no task's terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.world.camera import Camera

DRIVABLE: Final = 255
NOT_DRIVABLE: Final = 0


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
    """

    image: NDArray[np.uint8]
    centre_lines: Mapping[str, NDArray[np.float32] | None]
    drivable: NDArray[np.uint8]
    camera: Camera
    name: str
    classes: NDArray[np.uint8] | None = None
