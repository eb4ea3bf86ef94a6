"""Raw mask -> drivable surface in source-image pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.byte_confidence import calibrated_table
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.drivable.spec import OUTPUT_MASK, Block


@dataclass(frozen=True)
class Options:
    """What may change from one image to the next.

    Attributes:
        mask_threshold: Lowest mask probability that counts as drivable, 0 to 1; calibrated if the
            model is.
        mask_unseen_value: Of pixels outside of the crop, in masks for others; see ``DrivableMask``.
    """

    mask_threshold: float
    mask_unseen_value: int = 0

    @classmethod
    def of(cls, block: Block) -> Options:
        """Take the threshold the model was shipped with."""
        return cls(block.mask_threshold)


class Decoder:
    """Decodes the masks of models with one spec."""

    def __init__(self, block: Block, input_size: Size) -> None:
        """Precompute what depends on the spec only; ``input_size`` is of no importance here."""
        self._stride = block.mask_stride
        calibration = (block.mask_temperature, block.mask_bias)
        self._table = None if calibration == (1.0, 0.0) else calibrated_table(*calibration)

    def __call__(
        self, outputs: Mapping[str, NDArray], transform: ImageTransform, options: Options
    ) -> DrivableMask:
        """Decode one image.

        Args:
            outputs: ``mask`` uint8 (rows, columns), without the batch axis.
            transform: How the source image became the network input.
            options: The threshold, and what stands for "not seen".
        """
        threshold = min(max(math.ceil(options.mask_threshold * 255), 1), 255)
        values = outputs[OUTPUT_MASK]
        if self._table is not None:
            values = cv2.LUT(values, self._table)
        probability = transform.mask_to_image(values, self._stride)
        return DrivableMask(probability, threshold, transform.crop, options.mask_unseen_value)
