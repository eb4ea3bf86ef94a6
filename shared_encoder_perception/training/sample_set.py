# SPDX-License-Identifier: Apache-2.0
"""What training asks of a set of samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.labels.sample import Sample


class Entry(NamedTuple):
    """A sample, the crop suggested for it, and what it belongs to."""

    sample: Sample
    crop: Crop | None
    source: str


class SampleSet(Protocol):
    """Samples by index.

    Attributes:
        rare: Indices of the samples that show what training sees too seldom, where that is known.
        complete: Indices of those with all that the tasks can answer.
        in_no_order: Whether neighbours have nothing in common: they can be seen one after the
            other, and no order of theirs has to be remembered.
        description: For the record of a run.
    """

    rare: Sequence[int]
    complete: Sequence[int]
    in_no_order: bool
    description: dict[str, str | int]

    def __len__(self) -> int:
        """Return how many there are."""

    def __getitem__(self, index: int) -> Entry:
        """Read one."""
