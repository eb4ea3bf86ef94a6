# SPDX-License-Identifier: Apache-2.0
"""The ground seen from above, in road coordinates: what lies on it is drawn here, then looked up.

Drawing in metres along and across the road makes every line a rectangle, whatever the road's
course; the camera's view is one look-up per pixel. Near ground is kept finer than far ground.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.world.camera import Ground
from shared_encoder_perception.world.classes import TERRAIN

Polygon = NDArray[np.float64]
"""(N, 2): offset from the road's reference line and distance ahead of the vehicle, m."""
Colour = tuple[float, float, float]
"""BGR, 0 to 255."""
LAYOUT: Final = (
    # from, to, texel along, texel across, half width; m
    (0.9, 9.0, 0.03, 0.02, 13.0),
    (9.0, 30.0, 0.12, 0.035, 27.0),
    (30.0, 75.0, 0.4, 0.07, 45.0),
    (75.0, 185.0, 1.4, 0.15, 66.0),
)
COLOUR, WHITE, YELLOW, LIGHT, DRIVABLE, CLASS = range(6)
"""Layers: colour (BGR); cover by white and by yellow paint; share of direct light; drivable; class
of what has the colour, where classes are asked for."""
SHIFT: Final = 4


def bgr(value: NDArray | Sequence[float]) -> Colour:
    """A colour from three numbers, kept within range."""
    blue, green, red = np.clip(value, 2.0, 252.0)
    return float(blue), float(green), float(red)


@dataclass(frozen=True, eq=False)
class Band:
    """One range of distances.

    Attributes:
        start_m: Nearest distance.
        end_m: Farthest.
        along_m: Length of a texel.
        across_m: Width of a texel.
        half_m: Offsets reach from minus this to plus this.
        layers: (n, m, 3) uint8 of colour, then four or five of (n, m) uint8.
    """

    start_m: float
    end_m: float
    along_m: float
    across_m: float
    half_m: float
    layers: tuple[NDArray[np.uint8], ...]

    def texels(self, polygon: Polygon) -> NDArray[np.int32]:
        """Road coordinates to OpenCV's fixed-point texel coordinates."""
        x = (polygon[:, 0] + self.half_m) / self.across_m - 0.5
        y = (polygon[:, 1] - self.start_m) / self.along_m - 0.5
        fixed = np.stack((x, y), axis=1) * (1 << SHIFT)
        return np.round(np.clip(fixed, -1e6, 1e6)).astype(np.int32)

    def columns(self, low_m: float, high_m: float) -> slice:
        """Texel columns of a strip."""
        count = self.layers[0].shape[1]
        edges = [round((at + self.half_m) / self.across_m) for at in (low_m, high_m)]
        return slice(*(min(max(edge, 0), count) for edge in edges))


class Atlas:
    """Bare ground to draw on."""

    def __init__(self, classes: bool = False, layout: Sequence[tuple[float, ...]] = LAYOUT) -> None:
        """Everything is black, lit, unpainted and not drivable; terrain, if there are classes."""
        self._classes = classes
        self.bands: list[Band] = []
        for start, end, along, across, half in layout:
            shape = (round((end - start) / along), round(2 * half / across))
            values = (0, 0, 255, 0, TERRAIN) if classes else (0, 0, 255, 0)
            single = [np.full(shape, v, np.uint8) for v in values]
            layers = (np.zeros((*shape, 3), np.uint8), *single)
            self.bands.append(Band(start, end, along, across, half, layers))

    def strip(
        self,
        layer: int,
        low_m: float,
        high_m: float,
        value: Colour | float,
        kind: int | None = None,
    ) -> None:
        """Fill between two offsets along the whole road.

        ``kind`` is the class of what gets a colour; ``None``: what was there has another one.
        """
        for band in self.bands:
            columns = band.columns(low_m, high_m)
            if columns.start < columns.stop:
                last = (columns.stop - 1, len(band.layers[layer]) - 1)
                cv2.rectangle(band.layers[layer], (columns.start, 0), last, value, cv2.FILLED)
                if self._classes and kind is not None:
                    cv2.rectangle(band.layers[CLASS], (columns.start, 0), last, kind, cv2.FILLED)

    def fill(
        self,
        layer: int,
        polygons: Sequence[Polygon],
        value: Colour | float,
        kind: int | None = None,
    ) -> None:
        """Fill polygons; two that overlap in one call leave a hole. ``kind`` as of ``strip``."""
        spans = [(float(p[:, 1].min()), float(p[:, 1].max())) for p in polygons]
        for band in self.bands:
            inside = [
                band.texels(polygon)
                for polygon, (low, high) in zip(polygons, spans, strict=True)
                if high > band.start_m - band.along_m and low < band.end_m + band.along_m
            ]
            if inside:
                cv2.fillPoly(band.layers[layer], inside, value, cv2.LINE_AA, SHIFT)
                if self._classes and kind is not None:
                    cv2.fillPoly(band.layers[CLASS], inside, kind, cv2.LINE_8, SHIFT)

    def look(
        self, ground: Ground
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8] | None]:
        """Look up what the camera sees.

        Returns:
            (R, W, 3) colours, (R, W, 4) cover by white and yellow, light and drivable, and (R, W)
            classes, ``None`` where nobody asked for them.
        """
        shape = ground.z.shape
        colours = np.zeros((*shape, 3), np.uint8)
        others = np.zeros((*shape, 4), np.uint8)
        classes = np.zeros(shape, np.uint8) if self._classes else None
        for band in self.bands:
            inside = ground.hit & (ground.z < band.end_m)
            if band.start_m > LAYOUT[0][0]:
                inside &= ground.z >= band.start_m
            rows = np.flatnonzero(inside.any(axis=1))
            if not len(rows):
                continue
            part = slice(int(rows[0]), int(rows[-1]) + 1)
            x = (ground.offset[part] + np.float32(band.half_m)) * np.float32(1 / band.across_m)
            y = (ground.z[part] - np.float32(band.start_m)) * np.float32(1 / band.along_m)
            x, y = x - np.float32(0.5), y - np.float32(0.5)
            chosen = inside[part].view(np.uint8)
            wanted = [
                (band.layers[COLOUR], colours[part], cv2.INTER_LINEAR),
                (cv2.merge(band.layers[WHITE:CLASS]), others[part], cv2.INTER_LINEAR),
            ]
            if classes is not None:
                wanted.append((band.layers[CLASS], classes[part], cv2.INTER_NEAREST))
            for source, target, way in wanted:
                seen = cv2.remap(source, x, y, way, borderMode=cv2.BORDER_REPLICATE)
                cv2.copyTo(seen, chosen, target)
        return colours, others, classes


def box(low_m: float, high_m: float, start_m: float, end_m: float) -> Polygon:
    """A rectangle: offsets and distances."""
    return np.array(
        [(low_m, start_m), (high_m, start_m), (high_m, end_m), (low_m, end_m)], np.float64
    )


def ribbon(centre_m: NDArray, half_m: NDArray | float, ahead_m: NDArray) -> Polygon:
    """A strip around a line that need not be straight: (N,) offsets at (N,) distances."""
    left = np.stack((centre_m - half_m, ahead_m), axis=1)
    right = np.stack((centre_m + half_m, ahead_m), axis=1)
    return np.concatenate((left, right[::-1]))
