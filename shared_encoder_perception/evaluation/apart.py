# SPDX-License-Identifier: Apache-2.0
"""How far two answers to one image are apart, whoever is right."""

from __future__ import annotations

from shared_encoder_perception import tasks
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.structures import Perception


def apart(one: Perception, other: Perception, crop: Crop) -> dict[str, float]:
    """Compare two answers.

    Args:
        one: The answer that is taken for right.
        other: The answer that is held against it; of an image of the same size.
        crop: What the network saw.

    Returns:
        Part of an answer -> how far it is apart, 0 to 1, as the rooms' ``drift.py`` measure it: of
        the tasks that both answer.
    """
    parts: dict[str, float] = {}
    names = [name for name in one.answers if name in other.answers]
    for name, room in tasks.parts("drift", names).items():
        answers = one.answers[name], other.answers[name]
        parts |= room.apart(*answers, one.image_size, crop)
    return parts
