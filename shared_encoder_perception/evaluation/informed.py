"""Answers with what labels tell of how an image was taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from shared_encoder_perception import tasks
from shared_encoder_perception.structures import Perception


def informed(perception: Perception, labels: Mapping[str, Any]) -> Perception:
    """Return a perception whose answers know what the labels of their image say of its camera."""
    told = {
        name: room.informed(perception.answers[name], labels[name])
        for name, room in tasks.parts("metric", perception.answers).items()
        if name in labels and hasattr(room, "informed")
    }
    return replace(perception, answers={**perception.answers, **told}) if told else perception
