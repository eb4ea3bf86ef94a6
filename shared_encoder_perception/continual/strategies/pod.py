# SPDX-License-Identifier: Apache-2.0
"""Local POD (Douillard et al., PLOP, CVPR 2021): what rows and columns of features hold stays.

Features of the network before the task and of the one that is trained are squared and averaged
over the width, and over the height, of each part of the map: of all of it, of its quarters, of its
sixteenths. What is in a part may move along what is averaged, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from shared_encoder_perception.continual.config import ContinualConfig
from shared_encoder_perception.continual.strategies.before import as_before
from shared_encoder_perception.continual.strategies.contract import Learned, Step
from shared_encoder_perception.model.network import PerceptionNetwork, scaled_size

LOSS: Final = "pod"


class Pod:
    """Holds the encoder's features to those that it had before the task."""

    def __init__(self, config: ContinualConfig) -> None:
        """Take the weight and the scales.

        Raises:
            ValueError: A weight that would reward forgetting, or no scale.
        """
        self._weight, self._scales = config.pod.weight, list(config.pod.scales)
        if not self._weight >= 0:
            raise ValueError(f"pod.weight is {self._weight}, expected 0 or more")
        if not self._scales or min(self._scales) < 1:
            raise ValueError(
                f"pod.scales is {self._scales}, expected at least one, each 1 or more: into how "
                "many parts each side of a map is cut"
            )
        self._encoder: nn.Module | None = None
        self._encoder_scale = 1.0

    def begin(self, task: int, network: PerceptionNetwork) -> None:
        """Freeze a copy of the encoder of ``network``; of the first task there is none."""
        self._encoder = None
        if task and self._weight:
            self._encoder = as_before(network).encoder
            self._encoder_scale = network.config.encoder_scale

    def losses(self, step: Step) -> dict[str, Tensor]:
        """Return ``pod``, weighted: the mean of the levels' distances."""
        if self._encoder is None:
            return {}
        images = step.batch.images
        self._encoder.to(images.device)
        with torch.no_grad():
            before = self._encoder(images, scaled_size(step.batch.size, self._encoder_scale))
        now = [level[: len(images)] for level in step.features]  # companions come behind
        return {LOSS: self._weight * distance(now, before, self._scales)}

    def end(self, learned: Learned) -> None:
        """Remember nothing: the teacher is the network that the next task begins with."""
        self._encoder = None

    def state(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take nothing back."""


def distance(now: Sequence[Tensor], before: Sequence[Tensor], scales: Sequence[int]) -> Tensor:
    """Return how far features are apart, mean over images and levels, 0 to the root of 2.

    Of each image and level it is the Euclidean distance of both embeddings, each of length 1, as
    in the paper's code; so a level counts alike whatever its size and the size of its numbers.

    Args:
        now: (N, C_i, h_i, w_i) each.
        before: Likewise.
        scales: As of ``embedding``.
    """
    each = []
    for level, other in zip(now, before, strict=True):
        own, its = (functional.normalize(embedding(one, scales), dim=1) for one in (level, other))
        each.append(torch.linalg.vector_norm(own - its, dim=1).mean())
    return torch.stack(each).mean()


def embedding(features: Tensor, scales: Sequence[int]) -> Tensor:
    """Return the means of squared features over rows and over columns of parts of the map.

    Args:
        features: (N, C, h, w).
        scales: Into how many parts each side is cut; parts are of one size as far as whole cells
            allow, and no smaller than a cell.

    Returns:
        (N, K) float32, K = sum over the scales of C * (h * parts of w + parts of h * w).
    """
    height, width = features.shape[-2:]
    squared = features.float().square()
    found = []
    for scale in scales:
        across = functional.adaptive_avg_pool2d(squared, (height, min(scale, width)))
        along = functional.adaptive_avg_pool2d(squared, (min(scale, height), width))
        found += [across.flatten(1), along.flatten(1)]
    return torch.cat(found, dim=1)
