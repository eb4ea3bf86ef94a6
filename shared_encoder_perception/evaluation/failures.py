# SPDX-License-Identifier: Apache-2.0
"""The frames a model does worst on, as pictures: what a table of scores does not show."""

from __future__ import annotations

from heapq import heappush, heappushpop
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.drawing.overlay import draw_beside_labels
from shared_encoder_perception.drawing.pictures import tile
from shared_encoder_perception.evaluation.frame_counts import FullCounts
from shared_encoder_perception.evaluation.frame_record import scores_of
from shared_encoder_perception.images.preprocess import Crop, default_crop
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.structures import Perception, Size

KEPT: Final = 6
"""Pictures of each source."""
COLUMNS: Final = 3


class WorstFrames:
    """Keeps the worst few frames of each source; memory does not grow with the set."""

    def __init__(self, input_size: Size, kept: int = KEPT) -> None:
        """Keep ``kept`` of each source; ``input_size`` as ``Scorer`` takes it."""
        self._input_size, self._kept = input_size, kept
        self._worst: dict[str, list[tuple[float, int, str, NDArray[np.uint8]]]] = {}
        self._count = 0

    def update(
        self,
        source: str,
        perception: Perception,
        sample: Sample,
        crop: Crop | None = None,
        name: str = "",
    ) -> None:
        """Look at one image; arguments as ``Scorer.update`` takes them, and its name."""
        used = crop or default_crop(perception.image_size, self._input_size)
        badness = how_bad(perception, sample, used)
        worst = self._worst.setdefault(source, [])
        if not badness or (len(worst) == self._kept and badness <= worst[0][0]):
            return
        self._count += 1  # so that pictures are never compared
        picture = draw_beside_labels(sample.image, perception, sample.labels, used)
        (heappush if len(worst) < self._kept else heappushpop)(
            worst, (badness, self._count, name, picture)
        )

    @property
    def found(self) -> bool:
        """Whether any frame had a fault."""
        return any(self._worst.values())

    def sheet(self) -> NDArray[np.uint8]:
        """Draw the worst frames, source by source, the worst first, with names and faults.

        Raises:
            ValueError: No frame had a fault.
        """
        rows = []
        for source, worst in sorted(self._worst.items()):
            ordered = sorted(worst, key=lambda one: -one[0])
            told = [
                f"{': '.join(filter(None, (source, name)))}, faults {badness:.2f}"
                for badness, _, name, _ in ordered
            ]
            pictures = [picture for *_, picture in ordered]
            rows += [tile(pictures, COLUMNS, captions=told)] if pictures else []
        if not rows:
            raise ValueError("no frame has a fault to be drawn")
        return np.vstack(rows)


def how_bad(perception: Perception, sample: Sample, crop: Crop) -> float:
    """Say how wrong an answer is, 0 for faultless: the faults of all tasks together."""
    counts = FullCounts()
    counts.update(perception, sample, crop)
    return sum(scores.faults for scores in scores_of(perception, counts).values())
