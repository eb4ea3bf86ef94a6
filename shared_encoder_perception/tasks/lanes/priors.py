# SPDX-License-Identifier: Apache-2.0
"""Where lanes usually start: learned from labels alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.lanes.labels import Label
from shared_encoder_perception.tasks.lanes.spec import Block, StartPrior

MIN_STARTS: Final = 20
"""Fewer observations of a lane's start are no statistics."""
MIN_SIGMA: Final = 3.0
"""Cells: a prior narrower than this would claim more than a few hundred samples can show."""


class Priors:
    """Starts of lanes, in cells of the lane maps."""

    def __init__(self, block: Block, input_size: Size) -> None:
        """Start empty; ``input_size`` is of no importance here."""
        self._block = block
        self._starts: dict[LaneId, list[NDArray[np.float32]]] = {lane: [] for lane in LaneId}

    def update(self, label: Label) -> None:
        """Add the lines of one image, in pixels of the network's input."""
        for lane, points in label.lines.items():
            if points is not None:
                self._starts[lane].append(points[0] / self._block.stride)

    def fit(self) -> Block:
        """Return the block with where each lane starts.

        Raises:
            ValueError: A lane was shown in less than ``MIN_STARTS`` images.
        """
        priors = []
        for lane, starts in self._starts.items():
            if len(starts) < MIN_STARTS:
                raise ValueError(
                    f"only {len(starts)} samples show {lane.label}, expected at least "
                    f"{MIN_STARTS}: use more samples"
                )
            points = np.array(starts)
            median = np.median(points, axis=0)
            spread = np.maximum(1.4826 * np.median(np.abs(points - median), axis=0), MIN_SIGMA)
            priors.append(StartPrior(*(round(float(value), 2) for value in (*median, *spread))))
        return replace(self._block, start_priors=tuple(priors))
