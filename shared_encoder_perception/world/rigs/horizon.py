# SPDX-License-Identifier: Apache-2.0
"""The sky all round: colours, clouds, and what closes the view, painted once for a world."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from shared_encoder_perception.world.atlas import Colour, bgr
from shared_encoder_perception.world.classes import BUILDING, SKY, VEGETATION
from shared_encoder_perception.world.noise import TILE, noise_tile
from shared_encoder_perception.world.rigs.lens import Lens
from shared_encoder_perception.world.sky import Sky
from shared_encoder_perception.world.view import light_up

COLUMNS: Final = 2048
ROWS: Final = 360
LOWEST: Final = -0.2
HIGHEST: Final = 1.0
"""Tangents of the elevation at the lower and the upper edge; above, the sky is as at the latter."""
PICTURE: Final = 0.45
"""Height of a usual picture, in focal lengths: ``Sky`` counts in its shares."""
AROUND: Final = 1024
"""Places of the noise in a circle, for what stands at the horizon; three halves for clouds."""
BLUR: Final = (61, 15)
"""Pixels, columns and rows, of what a wet road mirrors."""


@dataclass(frozen=True)
class DistantLight:
    """A lamp far away, by night.

    Attributes:
        bearing_rad: From x ahead towards y left.
        tangent: Of its elevation.
        radius_px: Of its halo, in the panorama.
        colour: BGR, 0 to 255.
    """

    bearing_rad: float
    tangent: float
    radius_px: float
    colour: Colour


def roll_lights(rng: Generator) -> tuple[DistantLight, ...]:
    """Lamps, windows and signs of a town beyond what is modelled."""
    return tuple(
        DistantLight(
            float(rng.uniform(-np.pi, np.pi)),
            float(rng.exponential(0.06) * PICTURE),
            float(np.exp(rng.uniform(-0.2, 1.6))),
            bgr(rng.uniform(90, 255, 3) if rng.random() < 0.5 else (150, 215, 255)),
        )
        for _ in range(int(rng.integers(0, 60)))
    )


class Panorama:
    """What is infinitely far, by bearing and elevation.

    Attributes:
        image: (ROWS, COLUMNS, 3) uint8 BGR; the first column looks behind, the middle one ahead.
        classes: (ROWS, COLUMNS) uint8.
    """

    def __init__(self, sky: Sky, lights: tuple[DistantLight, ...] = ()) -> None:
        """Paint it."""
        tangent = np.linspace(HIGHEST, LOWEST, ROWS, dtype=np.float32)[:, None]
        share = tangent / np.float32(PICTURE)
        self.classes: NDArray[np.uint8] = np.full((ROWS, COLUMNS), SKY, np.uint8)
        top, low = np.array(sky.top, np.float32), np.array(sky.low, np.float32)
        image = np.empty((ROWS, COLUMNS, 3), np.float32)
        image[:] = top + (low - top) * np.clip(1 - share / 0.6, 0, 1)[:, :, None]
        columns = np.arange(COLUMNS)
        if sky.clouds > 0.05:
            # Clouds get flatter towards the horizon.
            away = 30.0 / np.maximum(share + 0.08, 0.04)
            i = (away * 4).astype(np.int32) % TILE
            j = (columns * (AROUND * 3 // 2) // COLUMNS + sky.seed % 300) % TILE
            tile = noise_tile(sky.seed)
            cover = np.clip(tile[i, j[None]] * 1.3 + sky.clouds - 0.5, 0, 1) * 0.8
            image += cover[:, :, None] * (np.array(sky.cloud, np.float32) - image)
        for index, (high, colour, straight) in enumerate(sky.layers):
            seed = sky.seed + index
            at = columns * AROUND // COLUMNS
            at = (at // 8 * 8 if straight else at) + seed * 37
            profile = noise_tile(seed)[(seed * 91) % TILE][at % TILE]
            above = PICTURE / 320 * (high * np.clip(0.75 + profile, 0.05, 2) - 2)
            step = (HIGHEST - LOWEST) / (ROWS - 1)
            first = int(np.clip((HIGHEST - above.max()) / step - 1, 0, ROWS - 1))
            cover = np.clip((above[None] - tangent[first:]) / step, 0, 1)
            rows = np.arange(first, ROWS)[:, None]
            shade = (1 + 0.25 * noise_tile(seed + 2)[rows % TILE, columns[None] % TILE])[:, :, None]
            colours = np.array(colour, np.float32) * shade
            image[first:] += cover[:, :, None].astype(np.float32) * (colours - image[first:])
            self.classes[first:][cover > 0.5] = BUILDING if straight else VEGETATION
        self.image: NDArray[np.uint8] = image.clip(0, 255).astype(np.uint8)
        for light in lights:
            where = _places(np.array(light.bearing_rad), np.array(light.tangent))
            centre = np.array([float(axis) for axis in where])
            light_up(self.image, centre, light.radius_px, np.array(light.colour) * 0.9)

    @cached_property
    def blurred(self) -> NDArray[np.uint8]:
        """As a wet road mirrors it."""
        return np.asarray(cv2.blur(self.image, BLUR, borderType=cv2.BORDER_REPLICATE), np.uint8)

    def look(self, view: SkyView) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return colours and classes as a camera sees them."""
        colours = _wrapped(self.image, view.columns, view.rows, cv2.INTER_LINEAR)
        return colours, _wrapped(self.classes, view.columns, view.rows, cv2.INTER_NEAREST)

    def mirrored(self, view: SkyView, first: int) -> NDArray[np.uint8]:
        """Return what flat water would mirror below row ``first`` of a camera's picture."""
        level = 2 * np.float32(_places(np.zeros(()), np.zeros(()))[1])
        rows = level - view.rows[first:]
        return _wrapped(self.blurred, view.columns[first:], rows, cv2.INTER_LINEAR)


@lru_cache(maxsize=4)
def panorama_of(sky: Sky, lights: tuple[DistantLight, ...]) -> Panorama:
    """Return what is far in a world; who asks again for the same objects gets the same."""
    return Panorama(sky, lights)


class SkyView:
    """Where in a panorama each pixel of a camera looks."""

    def __init__(self, lens: Lens) -> None:
        """Compute (H, W) float32 columns and rows."""
        x, y, z = (np.ascontiguousarray(lens.directions[..., axis]) for axis in range(3))
        with np.errstate(invalid="ignore", divide="ignore"):
            tangent = (z / np.hypot(x, y)).clip(-100, 100)
        columns, rows = _places(np.arctan2(y, x), tangent)
        self.columns = np.nan_to_num(columns.astype(np.float32))
        self.rows = np.nan_to_num(rows.astype(np.float32))


def _places(bearing: NDArray, tangent: NDArray) -> tuple[NDArray, NDArray]:
    """Columns and rows of the panorama: to the right is what is to the right."""
    columns = (0.5 - bearing / (2 * np.pi)) * COLUMNS - 0.5
    return columns, (HIGHEST - tangent) / (HIGHEST - LOWEST) * (ROWS - 1)


def _wrapped(
    picture: NDArray[np.uint8], columns: NDArray[np.float32], rows: NDArray[np.float32], way: int
) -> NDArray[np.uint8]:
    """Look up where the left and the right edge are neighbours."""
    wide = cv2.copyMakeBorder(picture, 0, 0, 1, 1, cv2.BORDER_WRAP)
    seen = cv2.remap(wide, columns + 1, rows, way, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(seen, np.uint8)
