# SPDX-License-Identifier: Apache-2.0
"""Pictures that composites are made of: places, and things cut out of other pictures."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.picture_bytes import PictureError
from shared_encoder_perception.images.picture_file import UNCHANGED, decode
from shared_encoder_perception.images.picture_header import read_header
from shared_encoder_perception.labels.composites.index import SHORTEST_PX
from shared_encoder_perception.world.paste import SEEN, Cutout

LONGEST_PX: Final = 1280
"""Of a picture's sides; larger ones are made smaller: no network takes so much."""
PLACE_PX: Final = SHORTEST_PX["backgrounds"]
THING_PX: Final = SHORTEST_PX["foregrounds"]
FAINT: Final = 16
"""Alpha below which nobody sees anything: what is around a cut-out is cut off by this."""
PNG: Final = "PNG"


def place_of(content: bytes) -> NDArray[np.uint8]:
    """Decode a background.

    Returns:
        (H, W, 3) uint8 BGR, at most ``LONGEST_PX`` long, not to be written to.

    Raises:
        PictureError: It is no picture, damaged, or too small.
    """
    picture = decode(content)
    if min(picture.shape[:2]) < PLACE_PX:
        raise PictureError(
            f"is {picture.shape[1]}x{picture.shape[0]} pixels, expected {PLACE_PX} or more each way"
        )
    return _kept(picture)


def thing_of(content: bytes) -> Cutout:
    """Decode a cut-out, and cut off what is around it.

    Raises:
        PictureError: It is no PNG with an alpha channel, damaged, or what is cut out is nothing or
            too small.
    """
    kind = read_header(content).kind
    expected = "expected a PNG with an alpha channel, transparent around the thing"
    if kind != PNG:
        raise PictureError(f"is a {kind}: {expected}")
    pixels = decode(content, UNCHANGED)
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    if pixels.ndim != 3 or pixels.shape[2] != 4:
        raise PictureError(f"has no alpha channel: {expected}")
    alpha = pixels[:, :, 3]
    if alpha.max() < SEEN:
        raise PictureError(f"is transparent all over, alpha is at most {alpha.max()}: {expected}")
    if alpha.min() >= SEEN:
        raise PictureError(f"is transparent nowhere, alpha is at least {alpha.min()}: {expected}")
    rows, columns = (np.flatnonzero((alpha >= FAINT).any(axis)) for axis in (1, 0))
    seen = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    if min(seen.shape[:2]) < THING_PX:
        raise PictureError(
            f"shows a thing of {seen.shape[1]}x{seen.shape[0]} pixels, expected {THING_PX} or more "
            "each way"
        )
    return Cutout(_kept(seen[:, :, :3]), _kept(seen[:, :, 3]))


def _kept(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture that is not too large, to be read by many."""
    share = LONGEST_PX / max(picture.shape[:2])
    if share < 1:
        height, width = (max(round(side * share), 1) for side in picture.shape[:2])
        picture = np.asarray(
            cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8
        )
    picture = np.ascontiguousarray(picture)
    picture.flags.writeable = False
    return picture
