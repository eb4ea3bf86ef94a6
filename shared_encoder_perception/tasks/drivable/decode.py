"""Raw mask -> drivable surface in source-image pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.drivable.spec import OUTPUT_MASK, Block
from shared_encoder_perception.tasks.masks.decode import MaskOptions, Probability


@dataclass(frozen=True)
class Options(MaskOptions):
    """What may change from one image to the next; see ``MaskOptions``."""


class Decoder:
    """Decodes the masks of models with one spec."""

    def __init__(self, block: Block, input_size: Size) -> None:
        """Precompute what depends on the spec only; ``input_size`` is of no importance here."""
        self._probability = Probability(block)

    def __call__(
        self, outputs: Mapping[str, NDArray], transform: ImageTransform, options: Options
    ) -> DrivableMask:
        """Decode one image.

        Args:
            outputs: ``mask`` uint8 (rows, columns), without the batch axis.
            transform: How the source image became the network input.
            options: The threshold, and what stands for "not seen".
        """
        probability = self._probability(outputs[OUTPUT_MASK], transform)
        return DrivableMask(
            probability, options.lowest_value, transform.crop, options.mask_unseen_value
        )
