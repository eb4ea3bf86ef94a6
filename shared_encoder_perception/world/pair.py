"""A picture of the empty place, taken by the same camera at another time.

Another exposure and tint, other noise, drops and flakes, and a mount that gave by a pixel or two:
whoever subtracts it from today's picture sees more than what is new.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from shared_encoder_perception.world.sensor import Sensor, develop

PAIR_DICE: Final = 3
"""Beside the seed: dice that leave those of the world alone."""
EXPOSURE: Final = 0.12
"""Standard deviation of the logarithm of the exposure."""
TINT: Final = 0.03
"""Likewise, of each channel."""
JITTER_PX: Final = 2.0
"""Most by which the camera moved, in each direction, at 320 rows."""
NOISE: Final = (0.7, 1.4)
"""Range of the factor of the noise."""


def taken_before(
    scene: NDArray[np.uint8], sensor: Sensor, rng: Generator, rows: int = 320
) -> NDArray[np.uint8]:
    """Return the picture (H, W, 3) that the camera had delivered of an empty scene.

    Args:
        scene: (H, W, 3) uint8 BGR, as painted, before lens and sensor.
        sensor: As it is in today's picture.
        rng: Decides what was otherwise.
        rows: For which ``JITTER_PX`` holds.
    """
    height, width = scene.shape[:2]
    shift = rng.uniform(-JITTER_PX, JITTER_PX, 2) * height / rows
    matrix = np.array([[1.0, 0.0, shift[0]], [0.0, 1.0, shift[1]]])
    moved = cv2.warpAffine(scene, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    factors = np.exp(rng.normal(0, EXPOSURE) + rng.normal(0, TINT, 3))
    gain = (np.array(sensor.gain) * factors).tolist()
    jpeg = int(np.clip(sensor.jpeg + rng.integers(-10, 11), 20, 98)) if sensor.jpeg else 0
    before = replace(
        sensor, gain=tuple(gain), noise=sensor.noise * float(rng.uniform(*NOISE)), jpeg=jpeg
    )
    return develop(np.asarray(moved, np.uint8), before, rng)
