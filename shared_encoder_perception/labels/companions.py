# SPDX-License-Identifier: Apache-2.0
"""Pictures that belong to a picture, such as one of the empty place: labels carry them along."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks as table
from shared_encoder_perception.artifact.tensors import blank
from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.spec import INPUT_IMAGE, ModelSpec

Pictures = dict[str, NDArray[np.uint8]]
"""By the name of a network's input, (H, W, 3) uint8 BGR."""


def companions_of(labels: Mapping[str, Any]) -> Pictures:
    """Return all that the labels of one picture carry, of its size."""
    found: Pictures = {}
    for task, room in table.parts("labels", labels).items():
        if hasattr(room, "companions"):
            found |= room.companions(labels[task])
    return found


def companions_for(
    names: Iterable[str], image: NDArray[np.uint8], labels: Mapping[str, Any]
) -> Pictures:
    """Return what a network takes beside an image.

    Where no label carries it, it is the image itself: nothing is new then, and as the answer that
    needs it is not labelled either, nobody scores it.

    Args:
        names: Of the network's inputs.
        image: (H, W, 3) uint8 BGR.
        labels: Of the image, in its pixels.
    """
    known = companions_of(labels)
    return {name: known.get(name, image) for name in names}


def network_inputs(
    spec: ModelSpec, sample: Sample, transform: ImageTransform
) -> dict[str, NDArray[Any]]:
    """Return what a network takes of a labelled image, by name, each with a batch axis of 1.

    Args:
        spec: Of the model; what it takes that is no picture is 0.
        sample: Image, and the labels that carry its companions.
        transform: How its pictures become the network's input.
    """
    beside = companions_for(spec.companions(), sample.image, sample.labels)
    pictures = {INPUT_IMAGE: sample.image, **beside}
    shown = {name: transform.image_to_input(one)[np.newaxis] for name, one in pictures.items()}
    return {**blank(spec.input_tensors()), **shown}
