# SPDX-License-Identifier: Apache-2.0
"""What depth has to be where nobody has measured it: as it was in another picture of the same.

How a camera moved is not known. If it went straight ahead, everything that stands came nearer by
one and the same length: that is one number for each pair of frames, and it is taken as the median
over the cells near by. Turns are small from frame to frame; what drives itself is wrong by its own
way, and few.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor

from shared_encoder_perception.layers.shared_count import divisor
from shared_encoder_perception.tasks.depth.head import LOGITS, log_depth
from shared_encoder_perception.tasks.depth.spec import Block

TEMPORAL: Final = "depth"
"""Weight by which it is held to earlier frames."""
NEAR_M: Final = 40.0
"""Canonical depth up to which frames are compared: beyond, an error is larger than any way."""
_BLOCK: Final = Block()


def planes(logits: Mapping[str, Tensor]) -> Tensor:
    """Return (N, 1, h, w) canonical metres."""
    return log_depth(logits[LOGITS], _BLOCK).exp()[:, None]


def mirrored(said: Tensor) -> Tensor:
    """Return the planes of the mirrored picture."""
    return said.flip(-1)


def scaled(said: Tensor, factor: Tensor) -> Tensor:
    """Return the planes of pictures that are ``factor`` (N,) times as large: a longer lens."""
    return said / factor[:, None, None, None].to(said)


def apart(logits: Mapping[str, Tensor], wanted: Tensor, weight: Tensor) -> Tensor:
    """Mean absolute difference of the logarithms.

    Args:
        logits: Of the network that learns.
        wanted: (N, 1, h, w) canonical metres; they learn nothing.
        weight: (N, h, w) of each cell, 0 to 1.
    """
    off = log_depth(logits[LOGITS], _BLOCK) - wanted.detach()[:, 0].log()
    return (off.abs() * weight).sum() / divisor(weight.sum())


def apart_in_time(logits: Mapping[str, Tensor], before: Tensor, weight: Tensor) -> Tensor:
    """Likewise, from what an earlier frame's answer, moved here, has become by the way between.

    Args:
        logits: Of the network that learns.
        before: (N, 1, h, w) canonical metres, seen from where the camera was.
        weight: (N, h, w) of each cell, 0 to 1.
    """
    now, before = planes(logits).detach(), before.detach()
    near = weight * ((before < NEAR_M) & (now < NEAR_M))[:, 0]
    way = torch.stack([_median(*pair) for pair in zip((before - now)[:, 0], near, strict=True)])
    wanted = (before - way[:, None, None, None]).clamp(min=_BLOCK.min_m)
    return apart(logits, wanted, near)


def _median(values: Tensor, where: Tensor) -> Tensor:
    """Median of the values that count; 0 of none."""
    counted = values[where > 0]
    return counted.median() if counted.numel() else values.new_zeros(())
