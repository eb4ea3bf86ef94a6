"""The criterion: network logits and targets -> every loss by name, and their weighted ``total``."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from shared_encoder_perception.model.network import LANE_LOGITS, MASK_LOGITS
from shared_encoder_perception.training.sample import MASK_DRIVABLE, MASK_IGNORE

LOSS_WEIGHTS: Final = MappingProxyType(
    {"heat": 1.0, "position": 1.0, "start": 2.0, "mask_bce": 2.0, "mask_dice": 1.0}
)
"""Weights chosen so that all terms are of the same order after the first hundred steps."""

TYPICAL_CELLS: Final = 40.0
"""Cells of an average lane. The heat-map loss is divided by this and the number of known lanes, not
by the lanes that happen to be in the batch: a head without a positive keeps its negatives."""


class NonFiniteLossError(RuntimeError):
    """A loss became NaN or infinite; the message holds all parts."""


class Batch(NamedTuple):
    """What one training step needs; N images, a grid of (h, w) cells.

    Attributes:
        images: uint8 (N, H, W, 3) BGR.
        maps: float32 (N, 5, 5, h, w), offsets in cells.
        supervised: bool (N, 5, h, w), cells whose offsets are trained.
        known: bool (N, 5), heads whose lane is labelled.
        mask: uint8 (N, H, W): 255 drivable, 0 not, 127 ignore.
    """

    images: Tensor
    maps: Tensor
    supervised: Tensor
    known: Tensor
    mask: Tensor


class Criterion(nn.Module):
    """All losses of the network."""

    def forward(self, logits: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Compute every loss.

        Args:
            logits: As ``PerceptionNetwork.forward`` returns them.
            batch: The targets.

        Returns:
            A scalar for each key of ``LOSS_WEIGHTS``, and ``total``.

        Raises:
            NonFiniteLossError: Any of them is NaN or infinite.
        """
        lanes = logits[LANE_LOGITS].float()
        heads = batch.known.sum().clamp(min=1)
        grid = lanes.new_tensor((lanes.shape[-1], lanes.shape[-2])).view(1, 1, 2, 1, 1)
        where = batch.supervised & batch.known[..., None, None]
        mask, labelled = (batch.mask == MASK_DRIVABLE).float(), batch.mask != MASK_IGNORE
        mask_logits = logits[MASK_LOGITS].float()
        parts = {
            "heat": (
                focal(lanes[:, :, 0], batch.maps[:, :, 0]) * batch.known[..., None, None]
            ).sum()
            / (heads * TYPICAL_CELLS),
            "position": masked_l1(lanes[:, :, 3:], batch.maps[:, :, 3:], where),
            "start": masked_l1(lanes[:, :, 1:3], batch.maps[:, :, 1:3] / grid, where),
            "mask_bce": masked_bce(mask_logits, mask, labelled),
            "mask_dice": dice(mask_logits, mask, labelled),
        }
        parts["total"] = torch.stack(
            [LOSS_WEIGHTS[name] * parts[name] for name in LOSS_WEIGHTS]
        ).sum()
        if not torch.isfinite(parts["total"]):
            values = {name: value.item() for name, value in parts.items()}
            raise NonFiniteLossError(f"loss is not finite: {values}; lower the learning rate")
        return parts


def focal(logits: Tensor, target: Tensor) -> Tensor:
    """Penalty-reduced focal loss per cell (CornerNet, Law & Deng 2018, eq. 1; alpha 2, beta 4).

    Args:
        logits: Any shape, before the sigmoid.
        target: Same shape, [0, 1], exactly 1 on keypoints.
    """
    log_p, log_not_p = functional.logsigmoid(logits), functional.logsigmoid(-logits)
    p = log_p.exp()
    negative = -((1 - target) ** 4) * p**2 * log_not_p
    return torch.where(target >= 1.0, -((1 - p) ** 2) * log_p, negative)


def masked_l1(prediction: Tensor, target: Tensor, where: Tensor) -> Tensor:
    """Mean over cells of the summed |dx| + |dy|; prediction and target (N, 5, 2, h, w)."""
    distance = (prediction - target).abs().sum(dim=2)
    return (distance * where).sum() / where.sum().clamp(min=1)


def masked_bce(logits: Tensor, target: Tensor, where: Tensor) -> Tensor:
    """Mean binary cross-entropy over the pixels of ``where``; all (N, H, W)."""
    loss = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (loss * where).sum() / where.sum().clamp(min=1)


def dice(logits: Tensor, target: Tensor, where: Tensor) -> Tensor:
    """Soft Dice loss (Milletari et al. 2016) over the pixels of ``where``, mean over images."""
    p = torch.sigmoid(logits) * where
    overlap = (p * target).sum(dim=(1, 2))
    size = (p + target * where).sum(dim=(1, 2))
    return (1 - (2 * overlap + 1) / (size + 1)).mean()
