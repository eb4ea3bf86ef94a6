# SPDX-License-Identifier: Apache-2.0
"""Classes without labels: equal answers cost nothing, and only what is sure becomes a label."""

from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from shared_encoder_perception.tasks.semantic.consistency import (
    apart,
    believed,
    mirrored,
    planes,
)
from shared_encoder_perception.tasks.semantic.head import LOGITS

SETTINGS = SimpleNamespace(floor=0.001, confidence=0.9)


def logits(seed=0, scale=1.0, classes=4):
    generator = torch.Generator().manual_seed(seed)
    return {LOGITS: scale * torch.randn(2, classes, 6, 8, generator=generator)}


def everywhere():
    return torch.ones(2, 6, 8)


def test_the_same_answer_costs_nothing_and_another_one_something():
    one = {LOGITS: logits()[LOGITS].requires_grad_()}
    loss = apart(one, planes(one), everywhere())
    assert abs(loss.item()) < 1e-6
    (gradient,) = torch.autograd.grad(loss, one[LOGITS])
    assert gradient.abs().max() < 1e-7
    assert apart(one, planes(logits(seed=1)), everywhere()).item() > 0.1


def test_it_is_the_divergence_of_the_cells_that_count():
    said, wanted = logits(seed=0), planes(logits(seed=1))
    weight = torch.zeros(2, 6, 8)
    weight[0, 2, 3], weight[1, 5, 0] = 1.0, 0.5
    p, q = wanted.log(), torch.log_softmax(said[LOGITS], 1)
    each = torch.nn.functional.kl_div(q, p, reduction="none", log_target=True).sum(1)
    expected = (each[0, 2, 3] + 0.5 * each[1, 5, 0]) / 1.5
    torch.testing.assert_close(apart(said, wanted, weight), expected)
    assert apart(said, wanted, torch.zeros(2, 6, 8)).item() == 0


def test_mirrored_twice_is_the_answer_itself():
    said = planes(logits())
    assert torch.equal(mirrored(mirrored(said)), said)
    assert torch.equal(mirrored(said)[..., 0], said[..., -1])


def test_of_a_confident_network_every_cell_is_believed():
    said = logits(scale=1e6)
    labels, sure = believed(planes(said), SETTINGS)
    assert bool((sure == 1).all())
    assert torch.equal(labels.argmax(1), said[LOGITS].argmax(1))
    assert bool((labels.sum(1) == 1).all())


def test_of_a_network_that_knows_nothing_nothing_is_believed():
    _, sure = believed(torch.full((2, 4, 6, 8), 0.25), SETTINGS)
    assert not sure.any()


def test_of_each_class_the_surer_half_is_believed():
    """Even of a class of which the network is never as sure as of another one."""
    said = torch.zeros(1, 3, 2, 11)
    values = torch.stack((torch.linspace(0.9, 0.99, 11), torch.linspace(0.4, 0.5, 11)))
    for row, best in enumerate((0, 2)):
        said[0, :, row] = (1 - values[row]) / 2
        said[0, best, row] = values[row]
    _, sure = believed(said, SETTINGS)
    assert torch.equal(sure[0].bool(), values > values[:, 5:6])
