# SPDX-License-Identifier: Apache-2.0
"""Masks without labels: equal answers cost nothing, and what is not sure stays unknown."""

from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from shared_encoder_perception.tasks.drivable.consistency import (
    apart,
    believed,
    mirrored,
    planes,
)
from shared_encoder_perception.tasks.drivable.head import LOGITS

SETTINGS = SimpleNamespace(floor=0.001, confidence=0.9)


def logits(seed=0, scale=1.0):
    return {LOGITS: scale * torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(seed))}


def test_the_same_answer_costs_nothing_and_another_one_something():
    one = {LOGITS: logits(scale=4.0)[LOGITS].requires_grad_()}
    loss = apart(one, planes(one), torch.ones(2, 6, 8))
    assert abs(loss.item()) < 1e-6
    (gradient,) = torch.autograd.grad(loss, one[LOGITS])
    assert gradient.abs().max() < 1e-7
    assert apart(one, planes(logits(seed=1)), torch.ones(2, 6, 8)).item() > 0.1
    assert apart(one, planes(logits(seed=1)), torch.zeros(2, 6, 8)).item() == 0


def test_certain_planes_are_labels():
    said = logits()
    yes = torch.ones(2, 1, 6, 8)
    expected = torch.nn.functional.softplus(-said[LOGITS]).mean()
    torch.testing.assert_close(apart(said, yes, torch.ones(2, 6, 8)), expected)


def test_mirrored_twice_is_the_answer_itself():
    said = planes(logits())
    assert torch.equal(mirrored(mirrored(said)), said)
    assert torch.equal(mirrored(said)[..., 0], said[..., -1])


def test_of_a_confident_network_all_is_believed_and_of_an_unsure_one_nothing():
    said = logits(scale=1e6)
    labels, sure = believed(planes(said), SETTINGS)
    assert bool((sure == 1).all())
    assert torch.equal(labels[:, 0] == 1, said[LOGITS] > 0)
    _, sure = believed(torch.full((2, 1, 6, 8), 0.5), SETTINGS)
    assert not sure.any()


def test_what_is_between_a_sure_yes_and_a_sure_no_stays_unknown():
    said = torch.tensor([0.0, 0.1, 0.11, 0.5, 0.89, 0.9, 1.0]).reshape(1, 1, 1, 7)
    labels, sure = believed(said, SETTINGS)
    assert sure.flatten().tolist() == [1, 1, 0, 0, 0, 1, 1]
    assert labels.flatten()[sure.flatten() > 0].tolist() == [0, 0, 1, 1]
