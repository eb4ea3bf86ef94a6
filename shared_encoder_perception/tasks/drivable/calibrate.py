"""What the mask's values are worth, and from which on a pixel counts as drivable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.byte_confidence import (
    calibrated_probability,
    fit_calibration,
)
from shared_encoder_perception.tasks.drivable.decode import Decoder, Options
from shared_encoder_perception.tasks.drivable.labels import Label, inside
from shared_encoder_perception.tasks.drivable.reliability import mask_histogram
from shared_encoder_perception.tasks.drivable.spec import Block

NEARLY_BEST: Final = 1e-3
"""IoU below the best one's at which a threshold is as good."""
UNFITTED: Final = 0.5
"""Threshold where there is nothing to choose it by."""


def uncalibrated(block: Block) -> Block:
    """Return the block with the network's own probabilities."""
    return replace(block, mask_temperature=1.0, mask_bias=0.0)


class Events:
    """What an uncalibrated model said about labelled pixels.

    Attributes:
        masks: Of each source, ``mask_histogram`` of all its frames.
    """

    def __init__(self, block: Block, input_size: Size) -> None:
        """Start empty, with an uncalibrated block."""
        self._block, self._options = block, Options.of(block)
        self._decode = Decoder(block, input_size)
        self.masks: dict[str, NDArray[np.int64]] = {}

    def update(
        self,
        source: str,
        real: bool,
        outputs: Mapping[str, NDArray],
        transform: ImageTransform,
        label: Label,
    ) -> None:
        """Add a frame; see ``contract.training.Events``."""
        answer = self._decode(outputs, transform, self._options)
        counts = mask_histogram(answer.probability, inside(label, transform.crop).mask)
        self.masks[source] = self.masks.get(source, 0) + counts

    def fit(self) -> Block:
        """Return the block with calibration and threshold."""
        temperature, bias = fit_calibration(self.masks)
        return replace(
            self._block,
            mask_temperature=temperature,
            mask_bias=bias,
            mask_threshold=fit_mask_threshold(self.masks, temperature, bias),
        )

    def lines(self, block: Block) -> list[str]:
        """Say what was learned from which sources."""
        return [
            f"mask: temperature {block.mask_temperature:.2f}, bias {block.mask_bias:+.2f}, "
            f"from {', '.join(sorted(self.masks)) or 'nothing'}"
        ]


def fit_mask_threshold(
    masks: Mapping[str, NDArray[np.int64]], temperature: float, bias: float
) -> float:
    """Choose the calibrated probability from which on a pixel counts as drivable.

    By the IoU, pooled over each source and then mean over the sources: a probability of one half is
    best for the share of right pixels, not for the IoU. Of equally good ones the middle one.

    Args:
        masks: As ``fit_calibration`` takes them.
        temperature: As it returned.
        bias: Likewise.

    Returns:
        Between 0 and 1; one half without a drivable pixel.
    """
    ious = []
    for counts in masks.values():
        drivable = counts[1].sum()
        if drivable:
            said = counts[:, ::-1].cumsum(axis=1)[:, ::-1]  # from each value on
            ious.append(said[1] / (drivable + said[0]))
    if not ious:
        return UNFITTED
    iou = np.mean(ious, axis=0)[1:]
    good = np.flatnonzero(iou >= iou.max() - NEARLY_BEST) + 1
    value = int(good[len(good) // 2])
    return round(float(np.clip(calibrated_probability(temperature, bias)[value], 0.01, 0.99)), 4)
