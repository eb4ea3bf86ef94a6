# SPDX-License-Identifier: Apache-2.0
"""A network in training answers as the runtime would: by the rooms' own decoders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from shared_encoder_perception.model.network import Finish, PerceptionNetwork
from shared_encoder_perception.predictor import Decoder
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.options import own_options
from shared_encoder_perception.training.data import Validation


class Perceiver:
    """Network, then the runtime's own decoder."""

    def __init__(self, spec: ModelSpec) -> None:
        """Take what the network promises."""
        self._size, self._companions = spec.input_size, spec.companions()
        self._finish, self._decoder = Finish(spec.tasks), Decoder(spec)
        self._options = own_options(spec)

    def __call__(
        self, network: PerceptionNetwork, batch: Sequence[Validation], device: torch.device
    ) -> list[Perception]:
        """Answer samples of one size of network input.

        Args:
            network: In inference mode, without gradients.
            batch: The samples.
            device: Where the network is.
        """

        def stacked(pictures: Sequence[NDArray[np.uint8]]) -> torch.Tensor:
            return torch.stack([torch.from_numpy(one) for one in pictures]).to(device)

        images = stacked([item.image for item in batch])
        beside = {
            name: stacked([item.companions[name] for item in batch]) for name in self._companions
        }
        finished = self._finish(network(images, inputs=beside), self._size)
        outputs = {name: output.cpu().numpy() for name, output in finished.items()}
        return [
            self._decoder(
                {name: array[index] for name, array in outputs.items()},
                item.transform,
                self._options,
                item.sample.image,
            )
            for index, item in enumerate(batch)
        ]
