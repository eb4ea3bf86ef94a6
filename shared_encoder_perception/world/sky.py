# SPDX-License-Identifier: Apache-2.0
"""Sky, clouds, and what closes the view at the horizon."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.world.atlas import Colour
from shared_encoder_perception.world.classes import BUILDING, SKY, VEGETATION
from shared_encoder_perception.world.noise import TILE, noise_tile


@dataclass(frozen=True, eq=False)
class Sky:
    """Colours BGR, 0 to 255.

    Attributes:
        top: Far above the horizon.
        low: At the horizon.
        clouds: How much of it they hide.
        cloud: Their colour.
        layers: Hills, woods or houses at the horizon, far ones first: height in pixels at an image
            height of 320, colour, and whether they have straight edges.
        seed: Of shapes.
    """

    top: Colour
    low: Colour
    clouds: float
    cloud: Colour
    layers: tuple[tuple[float, Colour, bool], ...]
    seed: int


@dataclass(frozen=True, eq=False)
class Light:
    """A lamp far away, by night.

    Attributes:
        column_px: Where it is.
        above_px: Its height above the horizon.
        radius_px: Of its halo.
        colour: BGR, 0 to 255.
    """

    column_px: float
    above_px: float
    radius_px: float
    colour: Colour


def paint_sky(
    sky: Sky,
    size: Size,
    horizon_px: float,
    tilt: float,
    classes: NDArray[np.uint8] | None = None,
) -> NDArray[np.float32]:
    """Paint what is far away.

    Args:
        sky: What it looks like.
        size: ``(height, width)`` of the image.
        horizon_px: Row of the horizon in the middle.
        tilt: Of the horizon, a tangent.
        classes: (H, W), written in place.

    Returns:
        (H, W, 3) float32 BGR.
    """
    if classes is not None:
        classes[:] = SKY
    height, width = size
    rows = np.arange(height, dtype=np.float32)
    reach = 0.6 * height
    ramp = np.clip(1 - (horizon_px - rows) / reach, 0, 1)[:, None, None]
    top, low = np.array(sky.top, np.float32), np.array(sky.low, np.float32)
    image = np.empty((height, width, 3), np.float32)
    image[:] = top + (low - top) * ramp
    last = int(np.clip(horizon_px + 0.05 * width, 0, height))
    if sky.clouds > 0.05 and last:
        # Clouds get flatter towards the horizon.
        away = 30.0 / np.maximum((horizon_px - rows[:last]) / height + 0.08, 0.04)
        i = (away * 4).astype(np.int32) % TILE
        j = (np.arange(width) * 260 // width + sky.seed % 300) % TILE
        cover = np.clip(noise_tile(sky.seed)[i[:, None], j[None]] * 1.3 + sky.clouds - 0.5, 0, 1)
        image[:last] += (cover * 0.8)[:, :, None] * (np.array(sky.cloud, np.float32) - image[:last])
    for index, layer in enumerate(sky.layers):
        _horizon_layer(image, classes, layer, horizon_px, tilt, sky.seed + index)
    return image


def _horizon_layer(
    image: NDArray[np.float32],
    classes: NDArray[np.uint8] | None,
    layer: tuple[float, Colour, bool],
    horizon_px: float,
    tilt: float,
    seed: int,
) -> None:
    """Draw one layer (in place)."""
    height, width = image.shape[:2]
    high, colour, straight = layer
    columns = np.arange(width)
    at = columns * 200 // width + seed * 37
    if straight:
        at = at // 5 * 5
    profile = noise_tile(seed)[(seed * 91) % TILE][at % TILE]
    base = horizon_px + tilt * (columns - width / 2)
    top = base + 2 - high * height / 320 * np.clip(0.75 + profile, 0.05, 2)
    first = int(np.clip(top.min(), 0, height))
    last = int(np.clip(base.max() + 0.12 * height, first, height))
    rows = np.arange(first, last, dtype=np.float32)[:, None]
    cover = np.clip(rows - top[None].astype(np.float32), 0, 1)[:, :, None]
    rough = noise_tile(seed + 2)[
        (np.arange(first, last) * 3)[:, None] % TILE, (columns * 2)[None] % TILE
    ]
    shade = (1 + 0.25 * rough)[:, :, None].astype(np.float32)
    image[first:last] += cover * (np.array(colour, np.float32) * shade - image[first:last])
    if classes is not None:
        classes[first:last][cover[:, :, 0] > 0.5] = BUILDING if straight else VEGETATION
