# SPDX-License-Identifier: Apache-2.0
"""Several answers to one image, made one: ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from shared_encoder_perception.images.looks import Look
from shared_encoder_perception.tasks.contract.runtime import Outputs


class Ensemble(Protocol):
    """``ensemble.py`` (optional): the outputs for mirrored and resized pictures of one image.

    Without it a model with the task is refused by ``--tta``. What comes out is decoded as if the
    network had said it of the plain picture. Looks and outputs in another order give the same, but
    for rounding; the plain look alone gives its own outputs, bit for bit.
    """

    def merge(
        self, looks: Sequence[Look], outputs: Sequence[Outputs], block: Any
    ) -> dict[str, NDArray]:
        """Bring the task's outputs to the plain picture's grid, and make them one.

        What a look does not show counts for the others only.

        Args:
            looks: What the network was shown; the plain picture first.
            outputs: What it said of each, without the batch axis.
            block: The task's, of the model's spec.

        Returns:
            The tensors that the block promises.
        """
