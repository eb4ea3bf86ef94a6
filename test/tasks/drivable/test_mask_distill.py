# SPDX-License-Identifier: Apache-2.0
"""What a teacher's mask teaches: as far as it, or somebody else, is sure."""

import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from torch.nn import functional

from shared_encoder_perception.tasks.drivable.distill import Config, make_distill
from shared_encoder_perception.tasks.drivable.head import LOGITS

SIZE = (64, 96)


def taught():
    return {LOGITS: 2 * torch.randn(2, *SIZE, generator=torch.Generator().manual_seed(1))}


def loss(logits, weight=255, **weights):
    targets = {"weight": torch.full((2, *SIZE), weight, dtype=torch.uint8)}
    return make_distill(Config(**weights))(logits, taught(), targets)["distill_mask"]


def test_a_student_that_agrees_has_nothing_to_learn():
    same = {LOGITS: taught()[LOGITS].requires_grad_()}
    loss(same).backward()  # the loss is the teacher's own entropy: least, not zero
    assert same[LOGITS].grad.abs().max() < 1e-6


def test_disagreement_costs_and_its_weight_scales_it():
    other = {LOGITS: taught()[LOGITS] + 2}
    assert loss(other) > loss(taught())
    assert loss(other, mask=2.0).item() == pytest.approx(2 * loss(other).item(), rel=1e-4)


def test_a_pixel_nobody_labelled_counts_as_far_as_the_teacher_is_sure():
    opposite, probability = -taught()[LOGITS], torch.sigmoid(taught()[LOGITS])
    entropy = functional.binary_cross_entropy_with_logits(opposite, probability, reduction="none")
    weight = (2 * probability - 1).abs()
    expected = (entropy * weight).sum() / weight.sum()
    assert loss({LOGITS: opposite}, weight=0).item() == pytest.approx(expected.item(), rel=1e-4)
    assert loss({LOGITS: opposite}).item() == pytest.approx(entropy.mean().item(), rel=1e-4)
