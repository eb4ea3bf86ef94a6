# SPDX-License-Identifier: Apache-2.0
"""What classes have to be where nobody has labelled them: as sure, and as they were elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from shared_encoder_perception.layers.shared_count import divisor
from shared_encoder_perception.tasks.semantic.head import LOGITS


def planes(logits: Mapping[str, Tensor]) -> Tensor:
    """Return (N, C, h, w) probabilities of the classes."""
    return torch.softmax(logits[LOGITS].float(), dim=1)


def mirrored(said: Tensor) -> Tensor:
    """Return the planes of the mirrored picture: a class has no side."""
    return said.flip(-1)


def apart(logits: Mapping[str, Tensor], wanted: Tensor, weight: Tensor) -> Tensor:
    """Kullback-Leibler divergence from what is wanted, mean over the cells.

    Args:
        logits: Of the network that learns.
        wanted: (N, C, h, w) probabilities; they learn nothing.
        weight: (N, h, w) of each cell, 0 to 1.
    """
    wanted = wanted.detach()
    said = functional.log_softmax(logits[LOGITS].float(), dim=1)
    each = (torch.special.xlogy(wanted, wanted) - wanted * said).sum(dim=1)
    return (each * weight).sum() / divisor(weight.sum())


def believed(said: Tensor, settings: Any) -> tuple[Tensor, Tensor]:
    """Return the classes that a teacher is sure of.

    As in PLOP (Douillard et al., CVPR 2021): where the entropy is below the median of all cells of
    that class. The median is of these pictures, for the teacher learns; PLOP's stays, over a whole
    set.

    Args:
        said: (N, C, h, w) planes of the teacher.
        settings: ``floor``: below this share of the largest entropy a class is always believed.

    Returns:
        (N, C, h, w), 1 for the most probable class and 0 for the others; and (N, h, w), 1 where
        that is believed, else 0.
    """
    classes = said.shape[1]
    entropy = -torch.special.xlogy(said, said).sum(dim=1)
    entropy = entropy / torch.log(said.new_tensor(float(max(classes, 2))))
    best = said.argmax(dim=1)
    limits = said.new_full((classes,), settings.floor)
    for one in best.unique().tolist():
        limits[one] = entropy[best == one].median().clamp(min=settings.floor)
    labels = functional.one_hot(best, classes).movedim(-1, 1).to(said)
    return labels, (entropy < limits[best]).to(said)
