# SPDX-License-Identifier: Apache-2.0
"""Losses of masks, by name: cross-entropy of the pixels, and losses of the whole region.

All take logits, truth (0 or 1) and the weight of each pixel (0 to 1), (N, H, W) each, and are
divided by counts over all processes. Where nothing is labelled they are 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import torch
from kornia.filters import spatial_gradient
from kornia.metrics import ssim as structural_similarity
from torch import Tensor
from torch.nn import functional

from shared_encoder_perception.layers.neck import upsample
from shared_encoder_perception.layers.shared_count import divisor
from shared_encoder_perception.tasks.masks.values import YES

SSIM_WINDOW: Final = 11
"""Pixels; Gaussian, as in the paper."""


def at_size(logits: Tensor, like: Tensor) -> Tensor:
    """Resize (N, h, w) to the size of another (N, H, W), as answers are for the image."""
    if logits.shape[-2:] == like.shape[-2:]:
        return logits
    return upsample(logits[:, None], (like.shape[-2], like.shape[-1]))[:, 0]


def compared(logits: Tensor, targets: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Return what every loss here takes: logits, truth and weights, (N, H, W) each.

    Args:
        logits: (N, h, w) of a network.
        targets: Of ``target.encode_mask``, batched.
    """
    said = at_size(logits.float(), targets["mask"])
    return said, (targets["mask"] == YES).float(), targets["weight"].float() / 255


def masked_bce(logits: Tensor, target: Tensor, where: Tensor) -> Tensor:
    """Mean binary cross-entropy over the pixels, weighted by ``where``; all (N, H, W)."""
    loss = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (loss * where).sum() / divisor(where.sum())


def dice(logits: Tensor, target: Tensor, where: Tensor) -> Tensor:
    """Soft Dice loss (Milletari et al. 2016), mean over images with a label.

    Pixels are weighted by ``where``, all (N, H, W).
    """
    p = torch.sigmoid(logits) * where
    overlap = (p * target).sum(dim=(1, 2))
    size = (p + target * where).sum(dim=(1, 2))
    labelled = where.flatten(1).any(dim=1)
    each = (1 - (2 * overlap + 1) / (size + 1)) * labelled
    return each.sum() / divisor(labelled.sum())


def lovasz(logits: Tensor, target: Tensor, where: Tensor) -> Tensor:
    """Lovász hinge (Berman et al. 2018, algorithm 1), mean over labelled images.

    It has no weights: pixels count where ``where`` is above 0.
    """
    where = where > 0
    total = logits.sum() * 0.0
    for image_logits, image_target, image_where in zip(logits, target, where, strict=True):
        truth = image_target[image_where]
        errors, order = (1 - image_logits[image_where] * (2 * truth - 1)).sort(descending=True)
        if len(errors):
            total = total + functional.relu(errors) @ _lovasz_gradient(truth[order])
    return total / divisor(where.flatten(1).any(dim=1).sum())


def _lovasz_gradient(truth: Tensor) -> Tensor:
    """Change of the Jaccard loss with each error, errors sorted from worst to least."""
    yes = truth.sum()
    jaccard = 1 - (yes - truth.cumsum(0)) / (yes + (1 - truth).cumsum(0))
    return torch.cat((jaccard[:1], jaccard.diff()))


def mean_error(logits: Tensor, target: Tensor, where: Tensor) -> Tensor:
    """Mean absolute error of the probability (L1)."""
    error = (torch.sigmoid(logits) - target).abs()
    return (error * where).sum() / divisor(where.sum())


def ssim(logits: Tensor, target: Tensor, where: Tensor) -> Tensor:
    """Return ``(1 - SSIM) / 2`` of the probability (Wang et al. 2004), mean over labelled pixels.

    What is not labelled is taken for right, so that it does not reach into windows beside it.
    """
    said = torch.where(where > 0, torch.sigmoid(logits), target)[:, None]
    unlike: Tensor = (1 - structural_similarity(said, target[:, None], SSIM_WINDOW)[:, 0]) / 2
    return (unlike * where).sum() / divisor(where.sum())


def edges(logits: Tensor, target: Tensor, where: Tensor) -> Tensor:
    """How little the probability's edges are the labelled ones, mean over images with a label.

    Of their Sobel gradients: the L1 of what they differ by, as a share of what both are; 0 where
    they agree, 1 where they nowhere meet. What is not labelled is taken for right, so that no edge
    is asked for along its rim.
    """
    said = torch.where(where > 0, torch.sigmoid(logits), target)
    has, wants = (spatial_gradient(one[:, None])[:, 0] for one in (said, target))
    wrong, has, wants = (
        (one.abs().sum(dim=1) * where).sum(dim=(1, 2)) for one in (has - wants, has, wants)
    )
    labelled = where.flatten(1).any(dim=1)
    return (wrong / (has + wants + 1) * labelled).sum() / divisor(labelled.sum())


REGION_LOSSES: Final = MappingProxyType({"dice": dice, "lovasz": lovasz})
"""What the mask's cross-entropy is joined with."""
