# SPDX-License-Identifier: Apache-2.0
"""Grids of ids and confidence -> classes of source-image pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.byte_confidence import calibrated_table
from shared_encoder_perception.tasks.semantic.answer import SemanticMask
from shared_encoder_perception.tasks.semantic.classes import UNLABELLED
from shared_encoder_perception.tasks.semantic.spec import OUTPUT_CONFIDENCE, OUTPUT_IDS, Block


@dataclass(frozen=True)
class Options:
    """What may change from one image to the next.

    Attributes:
        unlabelled_below: Pixels of a lower probability, 0 to 1, are said to be nothing; calibrated
            if the model is.
    """

    unlabelled_below: float = 0.0

    @classmethod
    def of(cls, block: Block) -> Options:
        """Say all that the model says."""
        return cls()


class Decoder:
    """Decodes the classes of models with one spec."""

    def __init__(self, block: Block, input_size: Size) -> None:
        """Keep the spec; ``input_size`` is of no importance here."""
        self._classes, self._stride = block.classes, block.semantic_stride
        calibration = (block.confidence_temperature, block.confidence_bias)
        self._table = None if calibration == (1.0, 0.0) else calibrated_table(*calibration)

    def __call__(
        self, outputs: Mapping[str, NDArray], transform: ImageTransform, options: Options
    ) -> SemanticMask:
        """Decode one image; ids and confidence go to pixels by the nearest cell, never mixed.

        Args:
            outputs: ``semantic`` and ``semantic_confidence``, uint8 (rows, columns).
            transform: How the source image became the network input.
            options: From where on a pixel has a class.
        """
        ids = transform.ids_to_image(outputs[OUTPUT_IDS], UNLABELLED, self._stride)
        values = outputs[OUTPUT_CONFIDENCE]
        if self._table is not None:
            values = cv2.LUT(values, self._table)
        confidence = transform.ids_to_image(values, 0, self._stride)
        least = math.ceil(min(options.unlabelled_below, 1.0) * 255)
        if least > 0:
            ids = ids.copy()
            ids[confidence < least] = UNLABELLED
        return SemanticMask(ids, confidence, self._classes, transform.crop)
