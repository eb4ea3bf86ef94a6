# SPDX-License-Identifier: Apache-2.0
"""A network that begins in the middle: at the features of its encoder, without a picture."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor

from shared_encoder_perception.layers.encoder_parts import EncoderParts
from shared_encoder_perception.model.network import PerceptionNetwork, scaled_size
from shared_encoder_perception.structures import Size

WHOLE: Final = 0
"""``latent.cut`` of plain replay: in front of the whole encoder."""
PROBE: Final = (64, 96)
"""Size of the picture that shows what a decoder reads."""


def answer(
    network: PerceptionNetwork, levels: Sequence[Tensor], size: Size, asked: Collection[str]
) -> dict[str, Tensor]:
    """Return the logits of a network whose encoder has spoken, as ``PerceptionNetwork.forward``.

    Args:
        network: None of its tasks reads a picture.
        levels: Of the encoder.
        size: ``(H, W)`` of the answers.
        asked: The tasks that are to answer.

    Raises:
        ValueError: One of them reads a picture.
    """
    *finer, coarsest = levels
    missing = _Missing(asked)
    levels = (*finer, network.attention(coarsest))
    logits: dict[str, Tensor] = network.decoder(levels, size, missing, missing, asked)
    return logits


class _Missing(Mapping[str, Any]):
    """What is given beside features where there is no picture: whoever asks is told so."""

    def __init__(self, asked: Collection[str]) -> None:
        """Take the tasks that are asked."""
        self._asked = ", ".join(asked)

    def __getitem__(self, name: str) -> Any:
        """Refuse."""
        raise ValueError(
            f"{self._asked} reads the picture {name}, and latent_replay keeps features and no "
            f"pictures: leave the task out, or set latent.cut to {WHOLE}, which is plain replay"
        )

    def __iter__(self) -> Iterator[str]:
        """Yield nothing."""
        return iter(())

    def __len__(self) -> int:
        """There is nothing."""
        return 0


def read_levels(network: PerceptionNetwork, cut: int) -> tuple[int, ...]:
    """Return the strides of the levels in front of a cut that are to be kept.

    That is the last one, and which of the finer ones the decoder reads: where one of them holds no
    numbers, and all answers are numbers, it does not.

    Args:
        network: Each of its tasks is asked; left in inference mode.
        cut: One of ``encoder_parts.CUTS``.

    Raises:
        ValueError: The encoder cannot be cut, or a task reads a picture.
    """
    parts, names = EncoderParts(network.eval().encoder, cut), network.config.tasks
    read = [cut]
    with torch.no_grad():
        size = scaled_size(PROBE, network.config.encoder_scale)
        levels = parts.rest(parts.front(torch.zeros(1, *PROBE, 3, dtype=torch.uint8), size))
        for task in names:  # one by one, so that the one that reads a picture is named
            answer(network, levels, PROBE, [task])
        for at, stride in enumerate(parts.strides[:-1]):
            blank = [*levels[:at], torch.full_like(levels[at], torch.nan), *levels[at + 1 :]]
            said = answer(network, blank, PROBE, names).values()
            if not all(torch.isfinite(one).all() for one in said):
                read.append(stride)
    return tuple(sorted(read))
