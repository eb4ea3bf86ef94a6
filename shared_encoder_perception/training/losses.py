"""The criterion: network logits and targets -> every loss by name, and their weighted ``total``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional

from shared_encoder_perception.model.architectures import LANE_LOGITS, MASK_LOGITS
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.drivable.labels import MASK_DRIVABLE
from shared_encoder_perception.tasks.lanes.answer import LaneId

TASK_PARTS: Final = MappingProxyType(
    {
        "heat": MappingProxyType({"heat": 1.0}),
        "position": MappingProxyType({"position": 1.0}),
        "start": MappingProxyType({"start": 2.0}),
        "mask": MappingProxyType({"mask_bce": 2.0, "mask_region": 1.0}),
    }
)
"""Task -> its losses and their weights, chosen so that all terms are of the same order after the
first hundred steps. Task weighting balances the tasks, starting from these."""

TYPICAL_CELLS: Final = 40.0
"""Cells of an average lane. A head's heat-map loss is divided by this and the number of images that
label the lane, not by the lanes that happen to be there: a head without a positive in the batch
keeps its negatives, and none of them is silent."""


class NonFiniteLossError(RuntimeError):
    """A loss became NaN or infinite; the message holds all parts."""


class Batch(NamedTuple):
    """What one training step needs; N images, a grid of (h, w) cells.

    Attributes:
        images: uint8 (N, H, W, 3) BGR; of another size where pictures are loaded coarser.
        maps: float32 (N, 5, 5, h, w), offsets in cells.
        supervised: bool (N, 5, h, w), cells whose offsets are trained.
        known: float32 (N, 5), how much a head's label counts: 0 for a lane that nobody labelled, 1
            for a sure label, a teacher's confidence in between.
        mask: uint8 (N, H, W): 255 drivable, 0 not.
        mask_weight: uint8 (N, H, W), how much a pixel of the mask counts: 0 to 255.
    """

    images: Tensor
    maps: Tensor
    supervised: Tensor
    known: Tensor
    mask: Tensor
    mask_weight: Tensor

    @property
    def size(self) -> Size:
        """``(H, W)`` of the answers; the images may be coarser."""
        return self.mask.shape[1], self.mask.shape[2]


class Criterion(nn.Module):
    """All losses of the network.

    Sums are divided by counts over the whole batch of all processes, so that several processes
    that average their gradients do what one would do with all their images.
    """

    def __init__(self, region: str = "dice", split_heat: float = 1.0) -> None:
        """Choose the mask's region loss.

        Args:
            region: A key of ``REGION_LOSSES``.
            split_heat: Weight of the split lanes' heat maps relative to the others'.

        Raises:
            ValueError: An unknown name.
        """
        super().__init__()
        if region not in REGION_LOSSES:
            raise ValueError(f"unknown mask loss {region!r}: use one of {list(REGION_LOSSES)}")
        self._region = REGION_LOSSES[region]
        heads = [split_heat if lane.is_split else 1.0 for lane in LaneId]
        self.register_buffer("heads", torch.tensor(heads), persistent=False)

    def forward(self, logits: Mapping[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Compute every loss.

        Args:
            logits: As ``PerceptionNetwork.forward`` returns them.
            batch: The targets.

        Returns:
            A scalar for each part named in ``TASK_PARTS``, and ``total``, their sum with the fixed
            weights.

        Raises:
            NonFiniteLossError: Any of them is NaN or infinite.
        """
        lanes = logits[LANE_LOGITS].float()
        grid = lanes.new_tensor((lanes.shape[-1], lanes.shape[-2])).view(1, 1, 2, 1, 1)
        where = batch.supervised * batch.known[..., None, None]
        mask, labelled = (batch.mask == MASK_DRIVABLE).float(), batch.mask_weight.float() / 255
        mask_logits = logits[MASK_LOGITS].float()
        parts = {
            "heat": heat_loss(lanes[:, :, 0], batch.maps[:, :, 0], batch.known, self.heads),
            "position": masked_l1(lanes[:, :, 3:], batch.maps[:, :, 3:], where),
            "start": masked_l1(lanes[:, :, 1:3], batch.maps[:, :, 1:3] / grid, where),
            "mask_bce": masked_bce(mask_logits, mask, labelled),
            "mask_region": self._region(mask_logits, mask, labelled),
        }
        parts["total"] = torch.stack(list(task_losses(parts).values())).sum()
        if not torch.isfinite(parts["total"]):
            values = {name: value.item() for name, value in parts.items()}
            raise NonFiniteLossError(f"loss is not finite: {values}; lower the learning rate")
        return parts


def task_losses(parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Sum the weighted parts of each task of ``TASK_PARTS``."""
    return {
        task: torch.stack([weight * parts[name] for name, weight in weights.items()]).sum()
        for task, weights in TASK_PARTS.items()
    }


def heat_loss(logits: Tensor, target: Tensor, known: Tensor, heads: Tensor | None = None) -> Tensor:
    """Focal loss of each head, normalised per head, mean over the heads that anybody labelled.

    Args:
        logits: (N, 5, h, w) before the sigmoid.
        target: Same shape, [0, 1], exactly 1 on keypoints.
        known: (N, 5) weights from 0 to 1; an unknown head, 0, costs nothing.
        heads: (5,) weights of the heads; ``None`` for 1.
    """
    cost = (focal(logits, target) * known[..., None, None]).sum(dim=(0, 2, 3))
    images = shared_count(known.sum(dim=0))
    per_head = cost / (images.clamp(min=1e-6) * TYPICAL_CELLS)
    if heads is not None:
        per_head = per_head * heads
    return per_head.sum() / (images > 0).sum().clamp(min=1)


def focal(logits: Tensor, target: Tensor, gamma: float = 2.0, beta: float = 4.0) -> Tensor:
    """Penalty-reduced focal loss per cell (CornerNet, Law & Deng 2018, eq. 1).

    Args:
        logits: Any shape, before the sigmoid.
        target: Same shape, [0, 1], exactly 1 on keypoints.
        gamma: How much easy cells are discounted; 0 leaves the cross-entropy.
        beta: How much cells near a keypoint are.
    """
    log_p, log_not_p = functional.logsigmoid(logits), functional.logsigmoid(-logits)
    p = log_p.exp()
    negative = -((1 - target) ** beta) * p**gamma * log_not_p
    return torch.where(target >= 1.0, -((1 - p) ** gamma) * log_p, negative)


def masked_l1(prediction: Tensor, target: Tensor, where: Tensor) -> Tensor:
    """Mean over cells of the summed |dx| + |dy|, weighted by ``where`` (N, 5, h, w).

    Prediction and target are (N, 5, 2, h, w).
    """
    distance = (prediction - target).abs().sum(dim=2)
    return (distance * where).sum() / _divisor(where.sum())


def masked_bce(logits: Tensor, target: Tensor, where: Tensor) -> Tensor:
    """Mean binary cross-entropy over the pixels, weighted by ``where``; all (N, H, W)."""
    loss = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (loss * where).sum() / _divisor(where.sum())


def dice(logits: Tensor, target: Tensor, where: Tensor) -> Tensor:
    """Soft Dice loss (Milletari et al. 2016), mean over images with a label.

    Pixels are weighted by ``where``, all (N, H, W).
    """
    p = torch.sigmoid(logits) * where
    overlap = (p * target).sum(dim=(1, 2))
    size = (p + target * where).sum(dim=(1, 2))
    labelled = where.flatten(1).any(dim=1)
    each = (1 - (2 * overlap + 1) / (size + 1)) * labelled
    return each.sum() / _divisor(labelled.sum())


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
    return total / _divisor(where.flatten(1).any(dim=1).sum())


def _lovasz_gradient(truth: Tensor) -> Tensor:
    """Change of the Jaccard loss with each error, errors sorted from worst to least."""
    drivable = truth.sum()
    jaccard = 1 - (drivable - truth.cumsum(0)) / (drivable + (1 - truth).cumsum(0))
    return torch.cat((jaccard[:1], jaccard.diff()))


REGION_LOSSES: Final = MappingProxyType({"dice": dice, "lovasz": lovasz})
"""What the mask's cross-entropy is joined with."""


def shared_count(count: Tensor) -> Tensor:
    """Mean of a count over all processes, as float; the count itself in a single process."""
    count = count.float()
    if distributed.is_available() and distributed.is_initialized():
        distributed.all_reduce(count)
        count = count / distributed.get_world_size()
    return count


def _divisor(count: Tensor) -> Tensor:
    """Return ``shared_count``, where 0 would be a division of nothing by nothing."""
    shared = shared_count(count)
    return torch.where(shared > 0, shared, torch.ones_like(shared))
