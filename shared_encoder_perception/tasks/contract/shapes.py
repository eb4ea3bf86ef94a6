# SPDX-License-Identifier: Apache-2.0
"""What people draw of a label in annotation tools: ``shapes.py``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.runtime import Label
from shared_encoder_perception.tasks.shapes import Drawing, Name


class Shapes(Protocol):
    """``shapes.py`` (optional): a label as people draw and correct it, and back.

    ``legend`` is JSON: what of a set's labels stands in none of its pictures, such as a table of
    classes; ``None`` for tasks without.
    """

    COUNTS: Sequence[str]
    """What ``changes`` counts, as columns of a table."""

    def legend(self, files: Sequence[Path]) -> Any:
        """(optional) Return the legend of a set.

        Args:
            files: Those that ``labels.MEANING`` names in the set's lines, each once.
        """

    def names(self, legend: Any) -> Sequence[Name]:
        """Return every name that a shape of the task may have; no other task has one of them.

        Raises:
            ValueError: The legend is none.
        """

    def draw(self, label: Label, size: Size, legend: Any) -> Drawing:
        """Return what is drawn of a label of a picture of ``(height, width)``."""

    def read(
        self, drawing: Drawing, legend: Any, had: Label | None, *, reviewed: bool
    ) -> Label | None:
        """Return the label that people drew; ``None`` where they say nothing of it.

        Args:
            drawing: As it came back.
            legend: Of the set.
            had: The label that the drawing was made from, where it is at hand. What is not drawn,
                and what people left as it was, is taken from it as it is.
            reviewed: Whether people stand for all of it: nothing of it is doubted any more.

        Raises:
            ShapeError: A shape that no label can be made of.
        """

    def changes(self, before: Label | None, after: Label | None) -> Mapping[str, int]:
        """Count what people changed: some of ``COUNTS``, those that are not 0."""
