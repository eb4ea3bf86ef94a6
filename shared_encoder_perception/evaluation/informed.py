# SPDX-License-Identifier: Apache-2.0
"""Answers of a predictor that is given what labels tell of how an image was taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from shared_encoder_perception import tasks
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.labels.companions import companions_for
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.structures import Perception


def perceive(predictor: Predictor, sample: Sample, crop: Crop | None = None) -> Perception:
    """Perceive a labelled image, beside the pictures that its labels carry; see ``informed``."""
    beside = companions_for(predictor.companions, sample.image, sample.labels)
    return informed(predictor(sample.image, crop, companions=beside), sample.labels)


def informed(perception: Perception, labels: Mapping[str, Any]) -> Perception:
    """Return a perception whose answers know what the labels of their image say of its camera."""
    told = {
        name: room.informed(perception.answers[name], labels[name])
        for name, room in tasks.parts("metric", perception.answers).items()
        if name in labels and hasattr(room, "informed")
    }
    return replace(perception, answers={**perception.answers, **told}) if told else perception
