# SPDX-License-Identifier: Apache-2.0
"""Losses of masks: limits, symmetry, and pixels that do not count."""

import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from shared_encoder_perception.tasks.masks.losses import (
    dice,
    edges,
    lovasz,
    masked_bce,
    mean_error,
    ssim,
)

LOSSES = {"bce": masked_bce, "dice": dice, "lovasz": lovasz, "l1": mean_error, "ssim": ssim}
SIZE = (32, 48)
SURE = 20.0
each_loss = pytest.mark.parametrize("name", LOSSES)


def square(seed=0):
    """Truth with a square somewhere, (2, H, W)."""
    truth = torch.zeros(2, *SIZE)
    truth[:, 8 + seed : 20, 10:30] = 1
    return truth


def everywhere():
    return torch.ones(2, *SIZE)


@each_loss
def test_a_right_answer_costs_nothing_and_a_wrong_one_most(name):
    truth = square()
    right = LOSSES[name](SURE * (2 * truth - 1), truth, everywhere())
    unsure = LOSSES[name](torch.zeros(2, *SIZE), truth, everywhere())
    wrong = LOSSES[name](-SURE * (2 * truth - 1), truth, everywhere())
    assert right.item() == pytest.approx(0, abs=2e-3)
    assert right < unsure < wrong


@each_loss
def test_it_is_the_same_of_the_mirror_image(name):
    torch.manual_seed(0)
    logits, truth = torch.randn(2, *SIZE), square()
    one = LOSSES[name](logits, truth, everywhere())
    other = LOSSES[name](logits.flip(2), truth.flip(2), everywhere())
    assert one.item() == pytest.approx(other.item(), rel=1e-5)


@each_loss
def test_what_is_not_labelled_does_not_count(name):
    torch.manual_seed(0)
    logits, truth, where = torch.randn(2, *SIZE), square(), everywhere()
    where[:, :, 24:] = 0
    changed = logits.clone()
    changed[:, :, 24:] = -changed[:, :, 24:] * 3
    # SSIM looks at windows: those at the border see the truth beyond, not what was said.
    assert LOSSES[name](logits, truth, where).item() == pytest.approx(
        LOSSES[name](changed, truth, where).item(), rel=1e-5
    )
    assert LOSSES[name](logits, truth, torch.zeros_like(where)).item() == 0


@each_loss
def test_its_gradient_goes_the_right_way(name):
    logits, truth = torch.zeros(2, *SIZE, requires_grad=True), square()
    LOSSES[name](logits, truth, everywhere()).backward()
    inside, outside = logits.grad[truth > 0], logits.grad[truth == 0]
    assert torch.isfinite(logits.grad).all()
    assert inside.mean() < 0 < outside.mean()


def test_l1_is_the_mean_distance_of_the_probability():
    logits, truth = torch.full((1, 4, 4), 0.0), torch.ones(1, 4, 4)
    assert mean_error(logits, truth, torch.ones(1, 4, 4)).item() == pytest.approx(0.5)


def test_ssim_of_two_flat_pictures_is_its_formula():
    """Without structure only the means count: (2 x y + c1) / (x^2 + y^2 + c1)."""
    logits, truth = torch.zeros(1, *SIZE), torch.ones(1, *SIZE)
    likeness = (2 * 0.5 * 1 + 1e-4) / (0.25 + 1 + 1e-4)
    found = ssim(logits, truth, torch.ones(1, *SIZE))
    assert found.item() == pytest.approx((1 - likeness) / 2, rel=1e-3)


def test_edges_cost_by_how_little_they_meet():
    """Nothing where they agree; all where the answer has none, or has them elsewhere."""
    truth, sure = square(), SURE * (2 * square() - 1)
    right, flat = edges(sure, truth, everywhere()), edges(0 * sure, truth, everywhere())
    assert right.item() == pytest.approx(0, abs=1e-3)
    assert flat.item() == pytest.approx(1, abs=0.02)
    beside = [edges(sure.roll(by, 2), truth, everywhere()).item() for by in (1, 2, 8)]
    assert right < beside[0] < beside[1] <= beside[2] < 1.01


def test_edges_of_what_is_not_labelled_are_not_asked_for():
    torch.manual_seed(0)
    logits, truth, where = torch.randn(2, *SIZE), square(), everywhere()
    where[:, :, 24:] = 0
    changed = logits.clone()
    changed[:, :, 24:] = -changed[:, :, 24:] * 3
    said = [edges(one, truth, where).item() for one in (logits, changed)]
    assert said[0] == pytest.approx(said[1], rel=1e-5)
    sure = SURE * (2 * truth - 1)
    sure[:, :, 24:] = -SURE  # an edge along the rim of what is labelled
    assert edges(sure, truth, where).item() == pytest.approx(0, abs=1e-3)
    nothing = torch.zeros(2, *SIZE, requires_grad=True)
    edges(nothing, truth, torch.zeros_like(where)).backward()
    assert nothing.grad.abs().max() == 0
