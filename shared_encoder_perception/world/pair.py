# SPDX-License-Identifier: Apache-2.0
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
PHOTOGRAPH_NOISE: Final = (1.5, 6.0)
"""Range of the noise of a pair that is made of a photograph, grey levels."""


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


def roll_sensor(rng: Generator) -> Sensor:
    """Throw the dice for a camera whose scene is a photograph: light, noise, compression alone.

    A lens was in the way already. The noise hides that of the photograph, which both pictures of a
    pair would share.
    """
    gain = np.exp(rng.normal(0, EXPOSURE) + rng.normal(0, TINT, 3)).tolist()
    return Sensor(
        gain=(gain[0], gain[1], gain[2]),
        gamma=float(np.exp(rng.normal(0, 0.08))),
        contrast=0.0,
        vignette=0.0,
        noise=float(rng.uniform(*PHOTOGRAPH_NOISE)),
        blur_px=0.0,
        motion_px=0,
        jpeg=int(rng.integers(50, 96)) if rng.random() < 0.5 else 0,
    )
