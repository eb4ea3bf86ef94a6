"""Distillation: a student learns what a frozen teacher answers on the very images it sees.

A teacher's answers are soft targets (Hinton et al. 2015): probabilities, not labels. Where people
have labelled, they count in full beside the labels. Where nobody has, a teacher is believed as far
as it is sure: its positives are usually right, but a lane that it does not see is not thereby
absent, and a mask probability near one half says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from shared_encoder_perception.model.architectures import LANE_LOGITS, MASK_LOGITS
from shared_encoder_perception.model.checkpoint import load_network
from shared_encoder_perception.training.losses import (
    TYPICAL_CELLS,
    Batch,
    masked_bce,
    masked_l1,
    shared_count,
)
from shared_encoder_perception.training.precision import keep_depthwise_in_float32

SEEN: Final = 0.3
"""Heat from which a teacher's vectors are learned: elsewhere nobody taught it any."""
FOCUS: Final = 2.0
"""Exponent of the quality focal loss; 2 in the paper."""


@dataclass(frozen=True)
class DistillConfig:
    """What a teacher adds to the loss.

    Attributes:
        teacher: Its checkpoint, the ``network.pt`` of a run; empty for no teacher.
        heat: Weight of its heat maps.
        vectors: Weight of its start vectors and positions.
        mask: Weight of its mask.
    """

    teacher: str = ""
    heat: float = 1.0
    vectors: float = 0.5
    mask: float = 1.0

    def __post_init__(self) -> None:
        """Refuse weights that would reward disagreement."""
        for name in ("heat", "vectors", "mask"):
            if getattr(self, name) < 0:
                raise ValueError(f"distill.{name} is {getattr(self, name)}, expected 0 or more")


class Distiller:
    """A frozen teacher.

    Not a module: it must not be trained, averaged or saved with the student.
    """

    def __init__(self, config: DistillConfig) -> None:
        """Load the teacher.

        Raises:
            CheckpointError: Its checkpoint is missing or unreadable.
        """
        self._config = config
        self._teacher = load_network(Path(config.teacher)).to(memory_format=torch.channels_last)
        self._teacher.requires_grad_(False)
        keep_depthwise_in_float32(self._teacher)

    def __call__(self, logits: Mapping[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Compare a student with the teacher.

        Args:
            logits: The student's, as ``PerceptionNetwork.forward`` returns them.
            batch: The images, and what people said about them.

        Returns:
            ``distill_heat``, ``distill_vectors`` and ``distill_mask``, weighted.
        """
        self._teacher.to(batch.images.device)
        with torch.no_grad():
            answers = self._teacher(batch.images, batch.size)
            taught = {name: value.float() for name, value in answers.items()}
        lanes, teacher = logits[LANE_LOGITS].float(), taught[LANE_LOGITS]
        heat = torch.sigmoid(teacher[:, :, 0])
        believed = torch.maximum(batch.known, heat.amax(dim=(2, 3)))[..., None, None]
        where = heat * (heat >= SEEN)
        probability = torch.sigmoid(taught[MASK_LOGITS])
        sure = torch.maximum(batch.mask_weight.float() / 255, (2 * probability - 1).abs())
        vectors = masked_l1(lanes[:, :, 1:3], teacher[:, :, 1:3], where) + masked_l1(
            lanes[:, :, 3:], teacher[:, :, 3:], where
        )
        return {
            "distill_heat": self._config.heat * soft_heat_loss(lanes[:, :, 0], heat, believed),
            "distill_vectors": self._config.vectors * vectors,
            "distill_mask": self._config.mask
            * masked_bce(logits[MASK_LOGITS].float(), probability, sure),
        }


def soft_heat_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Quality focal loss (Li et al. 2020, eq. 5) of each head, mean over heads.

    It is least where the student says exactly the target, and cells of which that is nearly true
    count little, so that the many empty ones do not drown the lane.

    Args:
        logits: (N, 5, h, w) before the sigmoid.
        target: Same shape, [0, 1].
        weight: Broadcasts to it, [0, 1].
    """
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    # Above the entropy of the target itself, which no student can go below.
    entropy = (
        entropy + torch.special.xlogy(target, target) + torch.special.xlogy(1 - target, 1 - target)
    )
    focus = (target - torch.sigmoid(logits)).abs() ** FOCUS
    heads = shared_count(torch.tensor(float(target.shape[0] * target.shape[1])).to(target))
    return (focus * entropy * weight).sum() / (heads * TYPICAL_CELLS)
