"""A sample as the network sees it: cropped, resized, with its labels in network-input pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.drivable.labels import MASK_IGNORE
from shared_encoder_perception.tasks.lanes.answer import LaneId

Lanes = Mapping[LaneId, NDArray | None]


class View(NamedTuple):
    """Image and labels at the size of the network input.

    Attributes:
        image: (h, w, 3) uint8 BGR.
        lanes: As ``Sample.lanes``, in pixels of ``image``; points may lie outside of it.
        mask: (h, w) uint8 of 255, 0 and 127 ignore; all ignore when unknown.
        mask_weight: (h, w) uint8, how much each pixel of ``mask`` counts, 255 in full; 0 where it
            is 127.
        lane_weight: How much a lane's label counts, 0 to 1; 1 for those missing.
    """

    image: NDArray[np.uint8]
    lanes: Lanes
    mask: NDArray[np.uint8]
    mask_weight: NDArray[np.uint8]
    lane_weight: Mapping[LaneId, float]


def view_sample(sample: Sample, transform: ImageTransform) -> View:
    """Look at ``sample`` through ``transform``: the runtime's preprocessing, for labels too."""
    lanes = {
        lane: None if points is None else transform.points_to_input(points)
        for lane, points in sample.lanes.items()
    }
    mask = np.full(transform.input_size, MASK_IGNORE, np.uint8)
    if sample.mask is not None:
        mask = _resized(sample.mask, transform)
    weight = np.where(mask == MASK_IGNORE, 0, 255).astype(np.uint8)
    if sample.mask_confidence is not None:
        weight = np.minimum(weight, _resized(sample.mask_confidence, transform))
    image = transform.image_to_input(sample.image)
    return View(image, lanes, mask, weight, sample.lane_confidence)


def answer_at(view: View, size: Size) -> View:
    """Return the labels in pixels of an input of ``size``; the image stays as it is."""
    transform = ImageTransform.fit((view.image.shape[0], view.image.shape[1]), size)
    if transform.is_identity:
        return view
    lanes = {
        lane: None if points is None else transform.points_to_input(points)
        for lane, points in view.lanes.items()
    }
    mask, weight = (_resized(plane, transform) for plane in (view.mask, view.mask_weight))
    return view._replace(lanes=lanes, mask=mask, mask_weight=weight)


def _resized(mask: NDArray[np.uint8], transform: ImageTransform) -> NDArray[np.uint8]:
    """Crop and resize without mixing values."""
    x, y, width, height = transform.crop
    part = mask[y : y + height, x : x + width]
    size = transform.input_size[::-1]
    return np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_NEAREST), np.uint8)
