# SPDX-License-Identifier: Apache-2.0
"""Pictures as files, and many on one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.drawing.text import CAPTION_PX, draw_caption
from shared_encoder_perception.files.whole_file import write_bytes


def tile(
    images: Sequence[NDArray[np.uint8]],
    columns: int = 3,
    width: int = 640,
    captions: Sequence[str] = (),
) -> NDArray[np.uint8]:
    """Arrange pictures of any size on one sheet.

    Args:
        images: (H, W, 3) uint8 BGR each, at least one.
        columns: Pictures beside each other.
        width: Of one picture on the sheet; its height follows the tallest of its row.
        captions: Below each picture, such as its name and its score; none, or one for each.
    """
    if not images:
        raise ValueError("a sheet needs at least one picture")
    rows = []
    for start in range(0, len(images), columns):
        scaled = [
            cv2.resize(
                image,
                (width, max(round(image.shape[0] * width / image.shape[1]), 1)),
                interpolation=cv2.INTER_AREA,
            )
            for image in images[start : start + columns]
        ]
        height = max(image.shape[0] for image in scaled)
        below = CAPTION_PX if captions else 0
        row = np.full((height + below + 4, columns * (width + 4), 3), 255, np.uint8)
        for column, image in enumerate(scaled):
            left = column * (width + 4)
            row[: image.shape[0], left : left + width] = image
            if captions:
                under = row[image.shape[0] : image.shape[0] + below, left : left + width]
                draw_caption(under, captions[start + column])
        rows.append(row)
    return np.vstack(rows)


def as_png(image: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """Return a picture, (H, W) of 8 or 16 bits or (H, W, 3) uint8 BGR, as a PNG file's content."""
    return cv2.imencode(".png", image)[1].tobytes()


def write_picture(path: Path, image: NDArray[np.uint8]) -> None:
    """Write a picture that is never seen half-written; the suffix decides its format.

    Raises:
        OSError: The folder cannot be written, or the format is unknown.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        encoded, data = cv2.imencode(path.suffix, image)
    except cv2.error:
        encoded = False
    if not encoded:
        raise OSError(f"cannot encode {path} as {path.suffix or 'a picture'}: use .png or .jpg")
    write_bytes(path, data.tobytes())
