"""A sample as the network sees it: cropped, resized, with its labels in network-input pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.preprocess import ImageTransform
from shared_encoder_perception.structures import LaneId
from shared_encoder_perception.training.sample import MASK_IGNORE, Sample

Lanes = Mapping[LaneId, NDArray | None]


class View(NamedTuple):
    """Image and labels at the size of the network input.

    Attributes:
        image: (h, w, 3) uint8 BGR.
        lanes: As ``Sample.lanes``, in pixels of ``image``; points may lie outside of it.
        mask: (h, w) uint8 of 255, 0 and 127 ignore; all ignore when unknown.
    """

    image: NDArray[np.uint8]
    lanes: Lanes
    mask: NDArray[np.uint8]


def view_sample(sample: Sample, transform: ImageTransform) -> View:
    """Look at ``sample`` through ``transform``: the runtime's preprocessing, for labels too."""
    lanes = {
        lane: None if points is None else transform.points_to_input(points)
        for lane, points in sample.lanes.items()
    }
    mask = np.full(transform.input_size, MASK_IGNORE, np.uint8)
    if sample.mask is not None:
        x, y, width, height = transform.crop
        part = sample.mask[y : y + height, x : x + width]
        mask = cv2.resize(part, transform.input_size[::-1], interpolation=cv2.INTER_NEAREST)
    return View(transform.image_to_input(sample.image), lanes, mask)
