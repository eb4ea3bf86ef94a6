# SPDX-License-Identifier: Apache-2.0
"""What scores without looking at the image: a number means something only above these.

A constant baseline must not learn from the image that it is scored on: see ``LabelledSet.learn``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any, Final

from shared_encoder_perception import tasks
from shared_encoder_perception.evaluation.labelled_images import Labels
from shared_encoder_perception.evaluation.scorer import in_order
from shared_encoder_perception.structures import Perception, Size
from shared_encoder_perception.tasks.contract.reports import CONSTANT, EMPTY

BASELINES: Final = (CONSTANT, EMPTY)
KEPT_SIZES: Final = 8
"""Answers that are kept: images of a source are mostly of one size."""


class BaselineAnswers:
    """What the baselines say of an image, by its source, half and size alone.

    A task whose room has no baseline is left out.
    """

    def __init__(self, names: Collection[str]) -> None:
        """Start without knowing what is usual; ``names`` of tasks are what the model answers."""
        self._rooms = dict(in_order(tasks.parts("baseline", names)))
        # By source, half and task.
        self._usual: dict[tuple[str, int, str], Any] = {}
        self._constant = lru_cache(KEPT_SIZES)(self._perceive)

    def texts(self) -> dict[str, str]:
        """Return what each baseline says, for people; nothing where no room has one."""
        rooms = self._rooms.values()
        if not rooms:
            return {}
        usual = " and ".join(room.USUAL for room in rooms)
        return {
            CONSTANT: f"{usual}, for every image the same",
            EMPTY: " and ".join(room.NOTHING for room in rooms),
        }

    def learn(self, labels: Iterable[Labels]) -> None:
        """Learn what is usual, for each source and half."""
        for image in labels:
            for name, room in self._rooms.items():
                if name in image.labels:
                    key = (image.source, image.half, name)
                    usual = self._usual.setdefault(key, room.Constant())
                    usual.update(image.labels[name](), image.size)
        self._constant.cache_clear()

    def answer(self, name: str, source: str, half: int, size: Size) -> Perception:
        """Return what a baseline says.

        Args:
            name: Of ``BASELINES``.
            source: Of the image.
            half: Of its source.
            size: ``(height, width)`` of the image.

        Returns:
            Without anything learned, the constant one says that there is nothing.
        """
        if name == CONSTANT:
            return self._constant(source, half, size)
        return Perception(size, {task: room.nothing(size) for task, room in self._rooms.items()})

    def _perceive(self, source: str, half: int, size: Size) -> Perception:
        """Return what is usual."""
        answers = {}
        for task, room in self._rooms.items():
            usual = self._usual.get((source, half, task))
            answers[task] = room.nothing(size) if usual is None else usual.answer(size)
        return Perception(size, answers)
