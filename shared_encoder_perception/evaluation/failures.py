"""The frames a model does worst on, as pictures: what a table of scores does not show."""

from __future__ import annotations

from heapq import heappush, heappushpop
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.drawing.visualize import draw_beside_labels, tile
from shared_encoder_perception.evaluation.metrics import rows_within_tolerance
from shared_encoder_perception.evaluation.scorer import lanes_inside
from shared_encoder_perception.images.preprocess import Crop, default_crop
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.structures import Perception, Size
from shared_encoder_perception.tasks.drivable.labels import MASK_DRIVABLE, MASK_IGNORE

KEPT: Final = 6
"""Pictures of each source."""
COLUMNS: Final = 3


class WorstFrames:
    """Keeps the worst few frames of each source; memory does not grow with the set."""

    def __init__(self, input_size: Size, kept: int = KEPT) -> None:
        """Keep ``kept`` of each source; ``input_size`` as ``Scorer`` takes it."""
        self._input_size, self._kept = input_size, kept
        self._worst: dict[str, list[tuple[float, int, NDArray[np.uint8]]]] = {}
        self._count = 0

    def update(
        self, source: str, perception: Perception, sample: Sample, crop: Crop | None = None
    ) -> None:
        """Look at one image; arguments as ``Scorer.update`` takes them."""
        used = crop or default_crop(perception.image_size, self._input_size)
        badness = how_bad(perception, sample, used)
        worst = self._worst.setdefault(source, [])
        if not badness or (len(worst) == self._kept and badness <= worst[0][0]):
            return
        self._count += 1  # so that pictures are never compared
        picture = draw_beside_labels(sample.image, perception, sample.lanes.values(), used)
        (heappush if len(worst) < self._kept else heappushpop)(
            worst, (badness, self._count, picture)
        )

    def sheet(self) -> NDArray[np.uint8]:
        """Draw the worst frames, source by source, the worst first.

        Raises:
            ValueError: No frame had a fault.
        """
        rows = []
        for _, worst in sorted(self._worst.items()):
            pictures = [picture for *_, picture in sorted(worst, key=lambda one: -one[0])]
            rows += [tile(pictures, COLUMNS)] if pictures else []
        if not rows:
            raise ValueError("no frame has a fault to be drawn")
        return np.vstack(rows)


def how_bad(perception: Perception, sample: Sample, crop: Crop) -> float:
    """Say how wrong an answer is, 0 for faultless.

    Returns:
        Sum over labelled lanes of the share of rows that are wrong (1 for a false alarm), plus one
        minus the IoU of the mask.
    """
    bad = 0.0
    for lane, truth in lanes_inside(sample.lanes, crop).items():
        line = perception.lane(lane)
        if truth is None:
            bad += line.detected
        else:
            bad += 1 - rows_within_tolerance(line, truth, perception.image_size[1]).mean()
    if sample.mask is not None and perception.mask is not None:
        part = np.s_[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width]
        truth_mask, said = sample.mask[part], perception.mask.binary()[part] > 0
        labelled, drivable = truth_mask != MASK_IGNORE, truth_mask == MASK_DRIVABLE
        union = ((said | drivable) & labelled).sum()
        bad += 1 - (said & drivable).sum() / union if union else 0.0
    return float(bad)
