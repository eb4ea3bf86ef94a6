"""Raw mask -> foreground in source-image pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.foreground.answer import ForegroundMask
from shared_encoder_perception.tasks.foreground.spec import OUTPUT_FOREGROUND, Block
from shared_encoder_perception.tasks.masks.decode import MaskOptions, Probability
from shared_encoder_perception.tasks.masks.values import NOT_KNOWN


@dataclass(frozen=True)
class Options(MaskOptions):
    """What may change from one image to the next; see ``MaskOptions``."""

    mask_unseen_value: int = NOT_KNOWN


class Decoder:
    """Decodes the masks of models with one spec."""

    def __init__(self, block: Block, input_size: Size) -> None:
        """Precompute what depends on the spec only; ``input_size`` is of no importance here."""
        self._probability = Probability(block)

    def __call__(
        self, outputs: Mapping[str, NDArray], transform: ImageTransform, options: Options
    ) -> ForegroundMask:
        """Decode one image.

        Args:
            outputs: ``foreground`` uint8 (rows, columns), without the batch axis.
            transform: How the source image became the network input.
            options: The threshold, and what stands for "not known".
        """
        probability = self._probability(outputs[OUTPUT_FOREGROUND], transform)
        return ForegroundMask(
            probability, options.lowest_value, transform.crop, options.mask_unseen_value
        )
