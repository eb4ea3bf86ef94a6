"""The answers of the baselines for the images that a model is scored on.

A constant baseline must not learn from the image that it is scored on: see ``LabelledSet.learn``.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from shared_encoder_perception.compat import perception_of
from shared_encoder_perception.evaluation.baselines import ConstantBaseline, empty_perception
from shared_encoder_perception.evaluation.labelled_images import Labels
from shared_encoder_perception.structures import Perception, Size

CONSTANT, EMPTY = "constant", "empty"
BASELINES: Final = {
    CONSTANT: "each head's mean line and the usual drivable surface, for every image the same",
    EMPTY: "no lane and no drivable surface",
}
"""Name -> what it says."""
KEPT_SIZES: Final = 8
"""Answers that are kept: images of a source are mostly of one size."""


class BaselineAnswers:
    """What the baselines say of an image, by its source, half and size alone."""

    def __init__(self) -> None:
        """Start without knowing what is usual."""
        self._usual: dict[tuple[str, int], ConstantBaseline] = {}
        self._constant = lru_cache(KEPT_SIZES)(self._perceive)

    def learn(self, labels: Iterable[Labels]) -> None:
        """Learn what is usual, for each source and half."""
        for label in labels:
            usual = self._usual.setdefault((label.source, label.half), ConstantBaseline())
            usual.update(label.lanes, label.mask, label.size)
        self._constant.cache_clear()

    def answer(self, name: str, source: str, half: int, size: Size, with_mask: bool) -> Perception:
        """Return what a baseline says.

        Args:
            name: Of ``BASELINES``.
            source: Of the image.
            half: Of its source.
            size: ``(height, width)`` of the image.
            with_mask: Whether the model that it stands beside has that task.

        Returns:
            Without anything learned, the constant one says that there is nothing.
        """
        answer = self._constant(source, half, size) if name == CONSTANT else empty_perception(size)
        return answer if with_mask else perception_of(size, answer.lanes, None)

    def _perceive(self, source: str, half: int, size: Size) -> Perception:
        """Return what is usual; without a labelled mask, that nothing is drivable."""
        usual = self._usual.get((source, half))
        nothing = empty_perception(size)
        if usual is None:
            return nothing
        answer = usual.perceive(size)
        return (
            answer if answer.mask is not None else perception_of(size, answer.lanes, nothing.mask)
        )
