# SPDX-License-Identifier: Apache-2.0
"""Between the scene and the image: rain and snow in the air, glare, lens, sensor, compression."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from shared_encoder_perception.world.noise import grain


@dataclass(frozen=True, eq=False)
class Sensor:
    """What changes the picture last.

    Attributes:
        gain: (3,) BGR factor.
        gamma: Exponent after the gain.
        contrast: Of an S-shaped tone curve; 0 is none.
        vignette: Darkening of the corners.
        noise: Standard deviation, grey levels.
        blur_px: Gaussian sigma.
        motion_px: Length of vertical motion blur.
        jpeg: Quality, 0 for none.
        glare: Strength of the sun in the picture, 0 for none.
        sun: Where it is: columns and rows as shares of the image.
        rain: Share of streaks, 0 for none.
        drops: Water drops on the windscreen.
        flakes: Snow flakes in the air.
    """

    gain: tuple[float, float, float]
    gamma: float
    contrast: float
    vignette: float
    noise: float
    blur_px: float
    motion_px: int
    jpeg: int
    glare: float = 0.0
    sun: tuple[float, float] = (0.5, 0.0)
    rain: float = 0.0
    drops: int = 0
    flakes: int = 0


def develop(image: NDArray[np.uint8], sensor: Sensor, rng: Generator) -> NDArray[np.uint8]:
    """Return the (H, W, 3) uint8 BGR image that the camera delivers."""
    height, width = image.shape[:2]
    if sensor.rain:
        image = _rain(image, sensor.rain, rng)
    if sensor.flakes:
        _snow(image, sensor.flakes, rng)
    if sensor.drops:
        _drops(image, sensor.drops, rng)
    if sensor.blur_px > 0.3:
        image = cv2.GaussianBlur(image, (0, 0), sensor.blur_px)
    if sensor.motion_px > 1:
        image = cv2.blur(image, (1, sensor.motion_px))
    level = np.linspace(0, 1, 256)[:, None] * np.array(sensor.gain)
    level = np.clip(level, 0, 1) ** sensor.gamma
    level += sensor.contrast * (level**2 * (3 - 2 * level) - level)
    image = cv2.LUT(image, (255 * level).round().astype(np.uint8)[None])
    exposed = image.astype(np.float32)
    exposed *= _falloff(height, width, round(sensor.vignette, 2))[:, :, None]
    if sensor.glare:
        exposed += _glare(height, width, sensor)
    exposed += grain(rng, (height, width)) * np.float32(sensor.noise)
    developed = exposed.clip(0, 255).astype(np.uint8)
    if sensor.jpeg:
        data = cv2.imencode(".jpg", developed, [cv2.IMWRITE_JPEG_QUALITY, sensor.jpeg])[1]
        return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return developed


@lru_cache(maxsize=64)
def _falloff(height: int, width: int, vignette: float) -> NDArray[np.float32]:
    """Brightness towards the corners."""
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    return 1 - np.float32(vignette / 1.4) * (x * x + np.float32(0.4) * y * y)


def _glare(height: int, width: int, sensor: Sensor) -> NDArray[np.float32]:
    """The sun's disc, its halo and a veil over the picture, at a quarter of the size."""
    y = np.linspace(0, 1, height // 4, dtype=np.float32)[:, None] - np.float32(sensor.sun[1])
    x = np.linspace(0, 1, width // 4, dtype=np.float32)[None, :] - np.float32(sensor.sun[0])
    radius = np.sqrt((x * width / height) ** 2 + y**2)
    light = 255 * np.exp(-((radius / 0.09) ** 2)) + 150 * np.exp(-radius / 0.35) + 18
    warm = np.array((0.82, 0.95, 1.0), np.float32) * np.float32(sensor.glare)
    return cv2.resize(light, (width, height))[:, :, None] * warm


@lru_cache(maxsize=4)
def _streaks(variant: int) -> NDArray[np.float32]:
    """(512, 1024) rain in the air."""
    rng = np.random.default_rng(70 + variant)
    tile = np.zeros((512, 1024), np.uint8)
    slant = (variant - 1.5) * 0.12
    for _ in range(900):
        x, y = rng.integers(0, 1024), rng.integers(-20, 512)
        length = rng.integers(8, 34)
        end = (int(x + slant * length), int(y + length))
        cv2.line(tile, (int(x), int(y)), end, int(rng.integers(40, 160)), 1, cv2.LINE_AA)
    return cv2.GaussianBlur(tile, (0, 0), 0.7).astype(np.float32) / 255


def _rain(image: NDArray[np.uint8], density: float, rng: Generator) -> NDArray[np.uint8]:
    """Streaks, brighter than what is behind them."""
    height, width = image.shape[:2]
    tile = _streaks(int(rng.integers(4)))
    scale = cv2.resize(tile, (max(width * 5 // 4, 1), max(height * 3 // 2, 1)))
    y, x = (
        int(rng.integers(0, have - want + 1))
        for have, want in zip(scale.shape, (height, width), strict=True)
    )
    veil = scale[y : y + height, x : x + width, None] * np.float32(density)
    return (image + veil * (215 - image.astype(np.float32))).astype(np.uint8)


def _snow(image: NDArray[np.uint8], count: int, rng: Generator) -> None:
    """Flakes near and far (in place)."""
    height, width = image.shape[:2]
    places = rng.uniform(0, 1, (count, 2)) * (width, height)
    radii = rng.exponential(0.9, count) * height / 320 + 0.4
    for (x, y), radius in zip(places, radii, strict=True):
        tone = float(rng.uniform(175, 250))
        centre = (round(x * 8), round(y * 8))
        cv2.circle(image, centre, round(min(radius, 5) * 8), (tone,) * 3, -1, cv2.LINE_AA, 3)


def _drops(image: NDArray[np.uint8], count: int, rng: Generator) -> None:
    """Each drop shows the scene behind it, blurred and upside down (in place)."""
    height, width = image.shape[:2]
    for _ in range(count):
        radius = int(rng.uniform(0.01, 0.05) * height) + 2
        x = int(rng.integers(radius, max(width - radius, radius + 1)))
        y = int(rng.integers(radius, max(height - radius, radius + 1)))
        part = image[y - radius : y + radius, x - radius : x + radius]
        if part.shape[0] < 4 or part.shape[1] < 4:
            continue
        inside = cv2.blur(part[::-1, ::-1], (5, 5)).astype(np.float32)
        grid = (
            np.linspace(-1, 1, part.shape[0])[:, None] ** 2 + np.linspace(-1, 1, part.shape[1]) ** 2
        )
        alpha = np.clip((1 - grid) * 3, 0, 0.85)[:, :, None]
        part[:] = (part + alpha * (inside * 0.95 + 8 - part)).clip(0, 255).astype(np.uint8)
