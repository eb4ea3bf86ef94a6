# SPDX-License-Identifier: Apache-2.0
"""What a mask's values are worth, and from which on a pixel counts as yes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.planes import plane_inside
from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.tasks.byte_confidence import (
    calibrated_probability,
    fit_calibration,
)
from shared_encoder_perception.tasks.masks.decode import Probability
from shared_encoder_perception.tasks.masks.reliability import mask_histogram
from shared_encoder_perception.tasks.masks.spec import MaskBlock
from shared_encoder_perception.tasks.masks.values import NOT_KNOWN

B = TypeVar("B", bound=MaskBlock)

NEARLY_BEST: Final = 1e-3
"""IoU below the best one's at which a threshold is as good."""
UNFITTED: Final = 0.5
"""Threshold where there is nothing to choose it by."""


def uncalibrated(block: B) -> B:
    """Return the block with the network's own probabilities."""
    return replace(block, mask_temperature=1.0, mask_bias=0.0)


class MaskEvents(Generic[B]):
    """What an uncalibrated model said about labelled pixels.

    Attributes:
        masks: Of each source, ``mask_histogram`` of all its frames.
    """

    def __init__(self, block: B, output: str, name: str) -> None:
        """Start empty.

        Args:
            block: Uncalibrated.
            output: Name of the tensor.
            name: What people call the mask.
        """
        self._block, self._output, self._name = block, output, name
        self._probability = Probability(block)
        self.masks: dict[str, NDArray[np.int64]] = {}

    def update(
        self,
        source: str,
        real: bool,
        outputs: Mapping[str, NDArray],
        transform: ImageTransform,
        label: Any,
    ) -> None:
        """Add a frame, whose label has a ``mask``; see ``contract.training.Events``."""
        said = self._probability(outputs[self._output], transform)
        counts = mask_histogram(said, plane_inside(label.mask, transform.crop, NOT_KNOWN))
        self.masks[source] = self.masks.get(source, 0) + counts

    def fit(self) -> B:
        """Return the block with calibration and threshold."""
        temperature, bias = fit_calibration(self.masks)
        return replace(
            self._block,
            mask_temperature=temperature,
            mask_bias=bias,
            mask_threshold=fit_mask_threshold(self.masks, temperature, bias),
        )

    def lines(self, block: B) -> list[str]:
        """Say what was learned from which sources."""
        return [
            f"{self._name}: temperature {block.mask_temperature:.2f}, bias {block.mask_bias:+.2f}, "
            f"from {', '.join(sorted(self.masks)) or 'nothing'}"
        ]


def fit_mask_threshold(
    masks: Mapping[str, NDArray[np.int64]], temperature: float, bias: float
) -> float:
    """Choose the calibrated probability from which on a pixel counts as yes.

    By the IoU, pooled over each source and then mean over the sources: a probability of one half is
    best for the share of right pixels, not for the IoU. Of equally good ones the middle one.

    Args:
        masks: As ``fit_calibration`` takes them.
        temperature: As it returned.
        bias: Likewise.

    Returns:
        Between 0 and 1; one half without a pixel of yes.
    """
    ious = []
    for counts in masks.values():
        yes = counts[1].sum()
        if yes:
            said = counts[:, ::-1].cumsum(axis=1)[:, ::-1]  # from each value on
            ious.append(said[1] / (yes + said[0]))
    if not ious:
        return UNFITTED
    iou = np.mean(ious, axis=0)[1:]
    good = np.flatnonzero(iou >= iou.max() - NEARLY_BEST) + 1
    value = int(good[len(good) // 2])
    return round(float(np.clip(calibrated_probability(temperature, bias)[value], 0.01, 0.99)), 4)
