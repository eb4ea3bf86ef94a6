# SPDX-License-Identifier: Apache-2.0
"""What a teacher's classes teach: each cell's probabilities, and how cells resemble each other.

Structured knowledge distillation (Liu et al., CVPR 2019), its pixel-wise and its pair-wise part.
The former is divided by the number of cells of all images here, so that it does not grow with the
batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from shared_encoder_perception.tasks.semantic.head import FEATURES, LOGITS


@dataclass(frozen=True)
class Config:
    """What a teacher adds to the loss.

    Attributes:
        class_pixel: Weight of its probabilities, cell by cell.
        class_pair: Weight of how the quarters of its features resemble each other.
    """

    class_pixel: float = 1.0
    class_pair: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a weight that would reward disagreement."""
        for name in ("class_pixel", "class_pair"):
            if (value := getattr(self, name)) < 0:
                raise ValueError(f"distill.{name} is {value}, expected 0 or more")


def make_distill(config: Config) -> Callable[..., dict[str, Tensor]]:
    """Return the comparison of a student with its teacher."""

    def compare(
        logits: Mapping[str, Tensor], taught: Mapping[str, Tensor], targets: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Return ``distill_class_pixel`` and ``distill_class_pair``, weighted."""
        parts = {}
        if config.class_pixel:
            loss = pixel_wise(logits[LOGITS].float(), taught[LOGITS].float())
            parts["distill_class_pixel"] = config.class_pixel * loss
        if config.class_pair:
            loss = pair_wise(logits[FEATURES].float(), taught[FEATURES].float())
            parts["distill_class_pair"] = config.class_pair * loss
        return parts

    return compare


def pixel_wise(student: Tensor, teacher: Tensor) -> Tensor:
    """Kullback-Leibler divergence of the student from the teacher, mean over all cells.

    Logits (N, C, h, w); the teacher's grid may be another one. It is their cross-entropy but for
    the teacher's own entropy, which no student can change.
    """
    size = student.shape[-2:]
    if teacher.shape[-2:] != size:
        teacher = functional.interpolate(teacher, size, mode="bilinear", align_corners=False)
    said, truth = functional.log_softmax(student, 1), functional.log_softmax(teacher, 1)
    each = functional.kl_div(said, truth, reduction="none", log_target=True).sum(dim=1)
    return each.mean()


def pair_wise(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean square difference of the similarities of all pairs of nodes, mean over the images.

    A node is the greatest value of each channel over a quarter of the features, brought to length
    1; the similarity of two is their scalar product. Channel counts may differ.
    """
    return (_similarities(student) - _similarities(teacher)).square().mean()


def _similarities(features: Tensor) -> Tensor:
    """(N, C, h, w) -> (N, 4, 4)."""
    nodes = functional.adaptive_max_pool2d(features, 2).flatten(2)
    nodes = functional.normalize(nodes, dim=1)
    return nodes.transpose(1, 2) @ nodes
