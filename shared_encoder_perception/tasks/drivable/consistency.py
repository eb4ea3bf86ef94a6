# SPDX-License-Identifier: Apache-2.0
"""What a mask has to be where nobody has labelled it: as sure, and as it was elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from shared_encoder_perception.tasks.drivable.head import LOGITS
from shared_encoder_perception.tasks.masks.losses import masked_bce


def planes(logits: Mapping[str, Tensor]) -> Tensor:
    """Return (N, 1, h, w) probabilities."""
    return torch.sigmoid(logits[LOGITS].float())[:, None]


def mirrored(said: Tensor) -> Tensor:
    """Return the planes of the mirrored picture."""
    return said.flip(-1)


def apart(logits: Mapping[str, Tensor], wanted: Tensor, weight: Tensor) -> Tensor:
    """Binary cross-entropy above that of what is wanted itself, mean over the cells.

    Args:
        logits: Of the network that learns.
        wanted: (N, 1, h, w) probabilities; they learn nothing.
        weight: (N, h, w) of each cell, 0 to 1.
    """
    said, wanted = logits[LOGITS].float(), wanted.detach()[:, 0]
    certain = torch.logit(wanted, eps=1e-7)
    return masked_bce(said, wanted, weight) - masked_bce(certain, wanted, weight)


def believed(said: Tensor, settings: Any) -> tuple[Tensor, Tensor]:
    """Return what a teacher is sure of: yes and no alike; the rest stays unknown.

    Args:
        said: (N, 1, h, w) planes of the teacher.
        settings: ``confidence``: least probability of a yes, and 1 minus it the largest of a no.

    Returns:
        (N, 1, h, w), 1 for yes and 0 for no; and (N, h, w), 1 where that is believed, else 0.
    """
    yes, no = said >= settings.confidence, said <= 1 - settings.confidence
    return yes.to(said), (yes | no)[:, 0].to(said)
