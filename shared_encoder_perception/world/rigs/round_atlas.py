# SPDX-License-Identifier: Apache-2.0
"""The ground seen from above, all round: squares of texels around the vehicle, each coarser."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.world.atlas import (
    CLASS,
    COLOUR,
    DRIVABLE,
    WHITE,
    Atlas,
    Band,
)
from shared_encoder_perception.world.camera import Ground

REACHES_M: Final = (10.0, 32.0, 90.0, 185.0)
LAYOUT: Final = tuple(
    # from, to, texel along, texel across, half width; m
    (-reach, reach, along, across, reach)
    for reach, along, across in zip(
        REACHES_M, (0.03, 0.1, 0.36, 1.4), (0.02, 0.05, 0.14, 0.3), strict=True
    )
)


class RoundAtlas(Atlas):
    """Bare ground to draw on, ahead, behind and to both sides. First all is drawn, then seen."""

    def __init__(self, classes: bool = False) -> None:
        """See ``Atlas``."""
        super().__init__(classes, LAYOUT)

    @cached_property
    def _merged(self) -> list[NDArray[np.uint8]]:
        """Layers that are looked up together, of each band."""
        return [np.asarray(cv2.merge(band.layers[WHITE:CLASS])) for band in self.bands]

    def look(
        self, ground: Ground
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8] | None]:
        """See ``Atlas``."""
        shape = ground.z.shape
        colours = np.zeros((*shape, 3), np.uint8)
        others = np.zeros((*shape, 4), np.uint8)
        classes = np.zeros(shape, np.uint8) if self._classes else None
        outward = np.maximum(np.abs(ground.z), np.abs(ground.offset))
        for (inner, outer), band, merged in zip(
            pairwise((0.0, *REACHES_M[:-1], np.inf)), self.bands, self._merged, strict=True
        ):
            inside = ground.hit & (outward >= np.float32(inner)) & (outward < np.float32(outer))
            part = _occupied(inside)
            if part is None:
                continue
            x, y = _texels(band, ground.offset[part], ground.z[part])
            chosen = inside[part].view(np.uint8)
            wanted = [
                (band.layers[COLOUR], colours[part], cv2.INTER_LINEAR),
                (merged, others[part], cv2.INTER_LINEAR),
            ]
            if classes is not None:
                wanted.append((band.layers[CLASS], classes[part], cv2.INTER_NEAREST))
            for source, target, way in wanted:
                seen = cv2.remap(source, x, y, way, borderMode=cv2.BORDER_REPLICATE)
                target[:] = np.where(chosen[..., None] if seen.ndim == 3 else chosen, seen, target)
        return colours, others, classes

    def drivable(self, road: NDArray) -> NDArray[np.uint8]:
        """Return the share of drivable ground, 0 to 255, at (H, W, 2) offsets and distances."""
        offset, along = (np.ascontiguousarray(road[..., axis], np.float32) for axis in (0, 1))
        found = np.zeros(offset.shape, np.uint8)
        outward = np.maximum(np.abs(along), np.abs(offset))
        for inner, band in zip((0.0, *REACHES_M[:-1]), self.bands, strict=True):
            x, y = _texels(band, offset, along)
            seen = cv2.remap(
                band.layers[DRIVABLE], x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
            np.copyto(found, seen, where=outward >= np.float32(inner))
        return found


def _occupied(inside: NDArray[np.bool_]) -> tuple[slice, slice] | None:
    """The smallest part of a picture that holds all of a mask; ``None`` where it is empty."""
    x, y, width, height = cv2.boundingRect(inside.view(np.uint8))
    return (slice(y, y + height), slice(x, x + width)) if width else None


def _texels(
    band: Band, offset: NDArray[np.float32], along: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Columns and rows of a band at places on the road."""
    x = (offset + np.float32(band.half_m)) * np.float32(1 / band.across_m) - np.float32(0.5)
    y = (along - np.float32(band.start_m)) * np.float32(1 / band.along_m) - np.float32(0.5)
    return x, y
