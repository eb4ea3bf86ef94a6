# SPDX-License-Identifier: Apache-2.0
"""What a deviation is worth: it is scaled so that 68.3 % of the pixels are within one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.depth.answer import METRIC, DepthMap
from shared_encoder_perception.tasks.depth.decode import Decoder, Options
from shared_encoder_perception.tasks.depth.height import at_height
from shared_encoder_perception.tasks.depth.label import Label
from shared_encoder_perception.tasks.depth.metric import informed
from shared_encoder_perception.tasks.depth.spec import Block

WITHIN: Final = 0.6827
"""Share of a normal distribution that is within one standard deviation."""
RATIOS: Final = np.geomspace(1e-3, 1e3, 1201)
"""Error in deviations, bins of their counts."""


def uncalibrated(block: Block) -> Block:
    """Return the block with the network's own deviations."""
    return replace(block, sigma_scale=1.0, sigma_scale_height=0.0)


class Events:
    """Errors of an uncalibrated model in its own deviations.

    Attributes:
        counts: Of each source, (2, 1202) pixels below, between and above ``RATIOS``: as the model
            says, and scaled by the height of the camera where the label knows it.
    """

    def __init__(self, block: Block, input_size: Size) -> None:
        """Start empty, with an uncalibrated block."""
        self._block, self._options = block, Options.of(block)
        self._decode = Decoder(block, input_size)
        self.counts: dict[str, NDArray[np.int64]] = {}

    def update(
        self,
        source: str,
        real: bool,
        outputs: Mapping[str, NDArray],
        transform: ImageTransform,
        label: Label,
    ) -> None:
        """Add a frame; see ``contract.training.Events``."""
        answer = informed(self._decode(outputs, transform, self._options), label)
        if label.kind != METRIC or not answer.in_metres or answer.sigma is None:
            return
        counts = [_count(answer, label, transform)]
        known = not math.isnan(label.height_m)
        placed = at_height(answer, label.height_m) if known else answer
        seen = not math.isnan(placed.height_m)
        counts.append(_count(placed, label, transform) if seen else np.zeros_like(counts[0]))
        both = np.stack(counts)
        self.counts[source] = self.counts.get(source, np.zeros_like(both)) + both

    def fit(self) -> Block:
        """Return the block with the scales that are right on average over the sources."""
        plain, placed = (self._scale(which) for which in (0, 1))
        if plain is None:
            return self._block
        return replace(self._block, sigma_scale=plain, sigma_scale_height=placed or 0.0)

    def _scale(self, which: int) -> float | None:
        """Return the scale of one of both; ``None`` where nothing was counted."""
        shares = [
            both[which] / both[which].sum() for both in self.counts.values() if both[which].any()
        ]
        if not shares:
            return None
        below = np.cumsum(np.mean(shares, axis=0))
        place = int(np.searchsorted(below, WITHIN).clip(0, len(RATIOS) - 1))
        return round(float(RATIOS[place]), 4)

    def lines(self, block: Block) -> list[str]:
        """Say in words what was learned from which sources."""
        learned = [source for source, both in sorted(self.counts.items()) if both[0].any()]
        by_height = block.sigma_scale_height or block.sigma_scale
        return [
            f"depth: deviations times {block.sigma_scale:.2f}, {by_height:.2f} where the camera's "
            f"height is known, from {', '.join(learned) or 'nothing'}"
        ]


def _count(answer: DepthMap, label: Label, transform: ImageTransform) -> NDArray[np.int64]:
    """Return (1202,) pixels by their error in deviations."""
    assert answer.sigma is not None
    window = answer.seen(transform.crop).window
    said, truth, sigma = (one[window] for one in (answer.depth, label.depth, answer.sigma))
    counted = np.isfinite(said) & np.isfinite(truth) & np.isfinite(sigma)
    ratios = np.abs(np.log(said[counted] / truth[counted])) / sigma[counted]
    return np.bincount(np.searchsorted(RATIOS, ratios), minlength=len(RATIOS) + 1)
