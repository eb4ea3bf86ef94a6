# SPDX-License-Identifier: Apache-2.0
"""A sample as the network sees it: cropped, resized, with its labels in network-input pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks as table
from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.structures import Size


class View(NamedTuple):
    """Image and labels at the size of the network input.

    Attributes:
        image: (h, w, 3) uint8 BGR.
        labels: As ``Sample.labels``, in pixels of ``image``; lines may leave it.
    """

    image: NDArray[np.uint8]
    labels: Mapping[str, Any]


def view_sample(sample: Sample, transform: ImageTransform) -> View:
    """Look at ``sample`` through ``transform``: the runtime's preprocessing, for labels too."""
    image = transform.image_to_input(sample.image)
    return View(image, moved(sample.labels, lambda room, label: room.view(label, transform)))


def answer_at(view: View, size: Size) -> View:
    """Return the labels in pixels of an input of ``size``; the image stays as it is."""
    transform = ImageTransform.fit((view.image.shape[0], view.image.shape[1]), size)
    if transform.is_identity:
        return view
    return view._replace(labels=moved(view.labels, lambda room, label: room.view(label, transform)))


def moved(labels: Mapping[str, Any], move: Callable[[Any, Any], Any]) -> dict[str, Any]:
    """Return what ``move(room, label)`` makes of the label of each task."""
    return {task: move(table.part(task, "labels"), label) for task, label in labels.items()}
