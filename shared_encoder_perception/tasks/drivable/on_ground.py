# SPDX-License-Identifier: Apache-2.0
"""The drivable surface at single places of an image, for maps of the ground."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import whole_crop
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.drivable.decode import Options

MAP: Final = "drivable"


def read(answer: DrivableMask, pixels: NDArray) -> NDArray[np.float32]:
    """Return how probable it is that one may drive there, (N,) 0 to 1, by the pixel of each place.

    Not a mean of its neighbours: across the edge of what the network saw they know nothing.

    Args:
        answer: Of the image.
        pixels: (N, 2) ``(x, y)`` of the image; what is not finite, or not in the part that the
            network saw, is NaN in the result.
    """
    places = np.asarray(pixels, np.float64)
    found = np.full(len(places), np.nan, np.float32)
    height, width = answer.probability.shape
    seen = answer.seen(whole_crop((height, width)))
    least, most = (seen.x, seen.y), (seen.x + seen.width, seen.y + seen.height)
    with np.errstate(invalid="ignore"):
        pixel = np.floor(places + 0.5)
        known = ((pixel >= least) & (pixel < most)).all(axis=1)
    columns, rows = pixel[known].astype(np.intp).T
    found[known] = answer.probability[rows, columns] / np.float32(255)
    return found


def threshold(options: Options) -> float:
    """Return the lowest probability that counts as drivable, that of the mask."""
    return options.lowest_value / 255
