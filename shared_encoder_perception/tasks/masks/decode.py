# SPDX-License-Identifier: Apache-2.0
"""Raw mask -> mask in source-image pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.byte_confidence import calibrated_table
from shared_encoder_perception.tasks.masks.answer import Mask
from shared_encoder_perception.tasks.masks.joint_upsampling import along_edges
from shared_encoder_perception.tasks.masks.spec import MaskBlock
from shared_encoder_perception.tasks.masks.values import NOT_KNOWN

T = TypeVar("T", bound="MaskOptions")
M = TypeVar("M", bound=Mask)


@dataclass(frozen=True)
class MaskOptions:
    """What may change from one image to the next.

    Attributes:
        mask_threshold: Lowest mask probability that counts as yes, 0 to 1; calibrated if the
            model is.
        mask_unseen_value: Of pixels outside of the crop, in masks for others; see ``Mask``.
        along_edges: Whether the mask is brought to the image's pixels along the image's edges.
    """

    mask_threshold: float
    mask_unseen_value: int = NOT_KNOWN
    along_edges: bool = False

    @classmethod
    def of(cls: type[T], block: MaskBlock) -> T:
        """Take the threshold the model was shipped with."""
        return cls(block.mask_threshold)

    @property
    def lowest_value(self) -> int:
        """Lowest value of one byte that counts as yes."""
        return min(max(math.ceil(self.mask_threshold * 255), 1), 255)


class Probability:
    """Brings the masks of models with one spec back to their images."""

    def __init__(self, block: MaskBlock) -> None:
        """Precompute what depends on the spec only."""
        self._stride = block.mask_stride
        calibration = (block.mask_temperature, block.mask_bias)
        self._table = None if calibration == (1.0, 0.0) else calibrated_table(*calibration)

    def __call__(
        self,
        values: NDArray,
        transform: ImageTransform,
        image: NDArray[np.uint8] | None = None,
    ) -> NDArray[np.uint8]:
        """Return (H, W) calibrated values of the source image, 0 outside of the crop.

        Args:
            values: uint8 (rows, columns), the output tensor without the batch axis.
            transform: How the source image became the network input.
            image: The source image, (H, W, 3) uint8 BGR, along whose edges the mask is brought to
                its pixels; ``None``: interpolated between the cells of the network's grid.
        """
        if self._table is not None:
            values = np.asarray(cv2.LUT(values, self._table))
        if image is not None:
            return along_edges(values, image, transform, self._stride)
        return transform.mask_to_image(values, self._stride)


class MaskDecoder(Generic[M]):
    """Decodes the masks of models with one spec.

    Attributes:
        KIND: Of the answer.
        OUTPUT: Name of the tensor.
    """

    KIND: ClassVar[type[Mask]]
    OUTPUT: ClassVar[str]
    SEES_IMAGE: ClassVar[bool] = True

    def __init__(self, block: MaskBlock, input_size: Size) -> None:
        """Precompute what depends on the spec only; ``input_size`` is of no importance here."""
        self._probability = Probability(block)

    def __call__(
        self,
        outputs: Mapping[str, NDArray],
        transform: ImageTransform,
        options: MaskOptions,
        image: NDArray[np.uint8] | None = None,
    ) -> M:
        """Decode one image.

        Args:
            outputs: ``OUTPUT`` uint8 (rows, columns), without the batch axis.
            transform: How the source image became the network input.
            options: The threshold, and what stands for "not seen".
            image: Along whose edges the mask is to end, if so asked; see ``Probability``.
        """
        guide = image if options.along_edges else None
        probability = self._probability(outputs[self.OUTPUT], transform, guide)
        unseen = options.mask_unseen_value
        return self.KIND(probability, options.lowest_value, transform.crop, unseen)  # type: ignore[return-value]
