# SPDX-License-Identifier: Apache-2.0
"""From the atlas to pixels: grain, paint, shade, water, lamps and haze on the ground."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.world.atlas import Atlas, Colour
from shared_encoder_perception.world.camera import Camera, Ground
from shared_encoder_perception.world.classes import MARKING
from shared_encoder_perception.world.noise import noise_at
from shared_encoder_perception.world.pave import Surface
from shared_encoder_perception.world.view import Air

DRIVABLE_SHARE: Final = 127
MARKING_SHARE: Final = 0.25
"""Cover from which on paint, worn as it is, still shows what it is."""
DRIFT_M: Final = 4096.0
"""Noise repeats along the road after this distance: float32 stays exact enough below it."""
Plane = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class GroundLight:
    """How the ground is lit.

    Attributes:
        white: Colour of white paint.
        yellow: Colour of yellow paint.
        shaded: What remains of each channel in the shade, shares from 0 to 1, BGR.
        wet: 0 dry to 1 under water.
    """

    white: Colour
    yellow: Colour
    shaded: tuple[float, float, float]
    wet: float


def shade_ground(
    ground: Ground,
    atlas: Atlas,
    surface: Surface,
    light: GroundLight,
    air: Air,
    distance_m: float,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Colour the rows from ``ground.first`` on.

    Returns:
        (R, W, 3) uint8 BGR, (R, W) uint8 share of drivable ground, and (R, W) classes, ``None``
        where the atlas has none; all without meaning where the ground is not hit.
    """
    colours, others, classes = atlas.look(ground)
    white, yellow, lit, drivable = cv2.split(others)
    tone, wear = _texture(ground, surface, drivable, distance_m)
    covers = [
        (cv2.multiply(cover, wear, scale=1 / 255, dtype=cv2.CV_32F), paint)
        for cover, paint in ((white, light.white), (yellow, light.yellow))
        if cover.any()
    ]
    if classes is not None:
        for cover, _ in covers:
            classes[cover > MARKING_SHARE] = MARKING
    paint_tone = 0.85 + np.float32(0.15) * tone
    shadow = None if int(lit.min()) == 255 else 1 - lit.astype(np.float32) * np.float32(1 / 255)
    clear = np.exp(ground.distance * np.float32(-1 / air.visibility_m))
    bright = clear * _brightness(ground, air) if air.headlights else clear * np.float32(air.ambient)
    hazy = 1 - clear
    # Channel by channel: plain arrays are several times as fast as (R, W, 1) on (R, W, 3).
    planes = []
    for channel, plane in enumerate(cv2.split(colours)):
        value = cv2.multiply(plane, tone, dtype=cv2.CV_32F)
        for cover, paint in covers:
            value += cover * (np.float32(paint[channel]) * paint_tone - value)
        if shadow is not None:
            value *= 1 - np.float32(1 - light.shaded[channel]) * shadow
        value *= bright
        value += hazy * np.float32(air.haze[channel])
        planes.append(cv2.convertScaleAbs(value))
    return cv2.merge(planes), drivable, classes


def _texture(
    ground: Ground, surface: Surface, drivable: NDArray[np.uint8], distance_m: float
) -> tuple[Plane, Plane]:
    """Brightness of the bare ground, and what is left of paint on it."""
    along = ground.z + np.float32(distance_m % DRIFT_M)
    fine = noise_at(surface.seed, ground.offset, along, 22.0, 1.6)
    coarse = noise_at(surface.seed + 1, ground.offset, along, 1.7, 4.0)
    paved = drivable.astype(np.float32) * np.float32(1 / 255)
    fade = np.clip(
        np.float32(1.25) - ground.distance * np.float32(1 / 28), 0.12, 1, dtype=np.float32
    )
    grain = (
        surface.terrain_roughness
        + np.float32(surface.roughness - surface.terrain_roughness) * paved
    )
    unevenness = np.float32(0.4) + np.float32(0.3 * surface.patches - 0.4) * paved
    tone = grain * fade * fine + unevenness * coarse + 1
    np.maximum(tone, np.float32(0.15), out=tone)
    wear = 1 - np.float32(surface.wear) * np.maximum(0.5 + fine + coarse, 0)
    np.maximum(wear, np.float32(0), out=wear)
    return tone, wear


def _brightness(ground: Ground, air: Air) -> Plane:
    """Own headlights on the ground, computed at half the size."""
    ahead, offset = ground.z[::2, ::2], ground.offset[::2, ::2]
    z = np.maximum(ahead, np.float32(0))
    beam = np.exp(-np.square(offset / (1.6 + 0.2 * z)) - z * np.float32(1 / 24))
    beam *= 1.9 * np.clip(z * np.float32(0.2), 0.25, 1)
    beam[ahead < 0] = 0
    wide = cv2.resize(beam.astype(np.float32), ground.z.shape[::-1])
    return np.float32(air.ambient) + np.float32(air.headlights) * wide


def reflect(
    image: NDArray[np.uint8],
    ground: NDArray[np.uint8],
    drivable: NDArray[np.uint8],
    camera: Camera,
    first: int,
    wet: float,
) -> None:
    """Mirror what stands above the horizon in a wet road (``ground`` in place)."""
    rows = ground.shape[0]
    horizon = round(camera.horizon_px)
    source = np.clip(2 * horizon - np.arange(first, first + rows), 0, max(first - 1, 0))
    mirrored = cv2.blur(image[source], (9, 31))
    grazing = np.clip(1.1 - np.arange(rows, dtype=np.float32) / (0.5 * image.shape[0]), 0.1, 1)
    alpha = drivable.astype(np.float32) * (0.55 * wet / 255 * grazing[:, None]).astype(np.float32)
    ground[:] = cv2.blendLinear(ground, mirrored, (1 - 0.3 * wet) * (1 - alpha), alpha)
