# SPDX-License-Identifier: Apache-2.0
"""What the confidence of a class is worth: how often the most probable class is the right one.

The graph gives the winner's probability alone, so that is what is calibrated, not each class's:
the ids stay as they are, and the host looks bytes up in a table, as it does for the mask.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.byte_confidence import fit_calibration
from shared_encoder_perception.tasks.semantic.decode import Decoder, Options
from shared_encoder_perception.tasks.semantic.label import Label
from shared_encoder_perception.tasks.semantic.metric import Metric
from shared_encoder_perception.tasks.semantic.spec import Block


def uncalibrated(block: Block) -> Block:
    """Return the block with the network's own probabilities."""
    return replace(block, confidence_temperature=1.0, confidence_bias=0.0)


class Events:
    """What an uncalibrated model said about labelled pixels, and whether that was right.

    Attributes:
        metrics: Of each source, of all its frames.
    """

    def __init__(self, block: Block, input_size: Size) -> None:
        """Start empty, with an uncalibrated block."""
        self._block, self._options = block, Options.of(block)
        self._decode = Decoder(block, input_size)
        self.metrics: dict[str, Metric] = {}

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
        metric = self.metrics.setdefault(source, Metric())
        metric.update(answer, label, transform.image_size, transform.crop)

    def fit(self) -> Block:
        """Return the block with its calibration."""
        said = {source: metric.stated for source, metric in self.metrics.items()}
        temperature, bias = fit_calibration(said)
        return replace(self._block, confidence_temperature=temperature, confidence_bias=bias)

    def lines(self, block: Block) -> list[str]:
        """Say what was learned from which sources."""
        learned = [source for source, metric in sorted(self.metrics.items()) if metric.stated.any()]
        return [
            f"classes: temperature {block.confidence_temperature:.2f}, "
            f"bias {block.confidence_bias:+.2f}, from {', '.join(learned) or 'nothing'}"
        ]
