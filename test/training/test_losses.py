"""Losses: known limits, partial labels, and no silence for rare heads."""

import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from torch.nn import functional

from shared_encoder_perception.model.architectures import LANE_LOGITS, MASK_LOGITS
from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.lanes.target import encode_lanes
from shared_encoder_perception.training.losses import (
    REGION_LOSSES,
    TASK_PARTS,
    Batch,
    Criterion,
    NonFiniteLossError,
    dice,
    focal,
    heat_loss,
    lovasz,
    task_losses,
)

LINE = [[30.0, 60.0], [50.0, 10.0]]


def batch(lanes, mask=255):
    import numpy as np

    targets = encode_lanes(
        {lane: None if p is None else np.array(p) for lane, p in lanes.items()}, (64, 96), 8
    )
    return Batch(
        torch.zeros(1, 64, 96, 3, dtype=torch.uint8),
        torch.from_numpy(targets.maps)[None],
        torch.from_numpy(targets.supervised)[None],
        torch.from_numpy(targets.known)[None].float(),
        torch.full((1, 64, 96), mask, dtype=torch.uint8),
        torch.full((1, 64, 96), 0 if mask == 127 else 255, dtype=torch.uint8),
    )


def logits(requires_grad=False):
    generator = torch.Generator().manual_seed(0)
    return {
        LANE_LOGITS: torch.randn(1, 5, 5, 8, 12, generator=generator).requires_grad_(requires_grad),
        MASK_LOGITS: torch.randn(1, 64, 96, generator=generator).requires_grad_(requires_grad),
    }


def perfect(one):
    """Logits that say exactly what the targets of ``one`` say."""
    maps = one.maps.clone()
    grid = torch.tensor([12.0, 8.0]).view(1, 1, 2, 1, 1)
    heat = torch.where(maps[:, :, :1] >= 1, 20.0, -20.0)
    return {
        LANE_LOGITS: torch.cat((heat, maps[:, :, 1:3] / grid, maps[:, :, 3:]), dim=2),
        MASK_LOGITS: torch.where(one.mask == 255, 20.0, -20.0),
    }


@pytest.mark.parametrize("region", REGION_LOSSES)
def test_total_is_the_weighted_sum_of_all_parts(region):
    parts = Criterion(region)(logits(), batch({LaneId.EGO: LINE}))
    weights = {name: weight for part in TASK_PARTS.values() for name, weight in part.items()}
    assert set(parts) == {*weights, "total"}
    total = sum(weight * parts[name] for name, weight in weights.items())
    assert torch.allclose(parts["total"], total)
    assert torch.allclose(parts["total"], sum(task_losses(parts).values()))


@pytest.mark.parametrize("region", REGION_LOSSES)
def test_perfect_answers_cost_nothing(region):
    one = batch(dict.fromkeys(LaneId, None) | {LaneId.EGO: LINE})
    for name, value in Criterion(region)(perfect(one), one).items():
        assert value < 1e-3, name


def test_unknown_region_loss_is_named():
    with pytest.raises(ValueError, match=r"'iou'.*dice.*lovasz"):
        Criterion("iou")


def test_focal_with_gamma_0_is_binary_cross_entropy():
    x, target = torch.randn(1000, requires_grad=True), (torch.rand(1000) > 0.5).float()
    entropy = functional.binary_cross_entropy_with_logits(x, target, reduction="none")
    ours = focal(x, target, gamma=0.0)
    assert torch.allclose(ours, entropy, atol=1e-6)
    (theirs,) = torch.autograd.grad(entropy.sum(), x)
    (mine,) = torch.autograd.grad(ours.sum(), x)
    assert torch.allclose(mine, theirs, atol=1e-6)


def test_focal_is_binary_cross_entropy_times_its_modulation():
    x, target = torch.randn(1000), (torch.rand(1000) > 0.5).float()
    p = torch.sigmoid(x)
    modulation = torch.where(target > 0, (1 - p) ** 2, p**2)
    entropy = functional.binary_cross_entropy_with_logits(x, target, reduction="none")
    assert torch.allclose(focal(x, target), modulation * entropy, atol=1e-6)


def test_a_head_without_a_positive_keeps_its_gradient():
    answer = logits(requires_grad=True)
    Criterion()(answer, batch(dict.fromkeys(LaneId, None)))["heat"].backward()
    assert answer[LANE_LOGITS].grad[:, :, 0].abs().amin(dim=(0, 2, 3)).min() > 0


def test_unknown_lanes_and_ignored_pixels_train_nothing():
    answer = logits(requires_grad=True)
    Criterion()(answer, batch({}, mask=127))["total"].backward()
    assert answer[LANE_LOGITS].grad.abs().max() == 0
    assert answer[MASK_LOGITS].grad.abs().max() == 0


def test_a_batch_of_absent_lanes_is_finite_and_teaches_absent():
    """Gradient descent on such batches alone drives every heat map towards zero."""
    absent = batch(dict.fromkeys(LaneId, None))
    answer = logits(requires_grad=True)
    parts = Criterion()(answer, absent)
    assert all(torch.isfinite(value) for value in parts.values())
    parts["heat"].backward()
    assert (answer[LANE_LOGITS].grad[:, :, 0] > 0).all()
    assert answer[LANE_LOGITS].grad[:, :, 1:].abs().max() == 0


def test_heads_count_alike_however_seldom_they_are_labelled():
    """One image that knows the split head weighs as much as four that know the ego head."""
    maps, many = torch.zeros(4, 5, 8, 12), torch.zeros(4, 5, dtype=torch.bool)
    many[:, 0], many[0, 3] = True, True
    answer = torch.zeros(4, 5, 8, 12, requires_grad=True)
    heat_loss(answer, maps, many).backward()
    per_head = answer.grad.abs().sum(dim=(0, 2, 3))
    assert torch.allclose(per_head[0], per_head[3])
    assert per_head[[1, 2, 4]].max() == 0


def test_an_ignored_head_has_zero_gradient():
    answer = logits(requires_grad=True)
    Criterion()(answer, batch({LaneId.EGO: LINE}))["total"].backward()
    assert answer[LANE_LOGITS].grad[:, 0].abs().max() > 0
    assert answer[LANE_LOGITS].grad[:, 1:].abs().max() == 0


def test_ignored_pixels_do_not_change_the_mask_losses():
    torch.manual_seed(0)
    x, truth = torch.randn(2, 8, 8), (torch.rand(2, 8, 8) > 0.5).float()
    where = torch.rand(2, 8, 8) > 0.3
    other = torch.where(where, x, torch.randn(2, 8, 8) * 9)
    for loss in REGION_LOSSES.values():
        assert torch.allclose(loss(x, truth, where), loss(other, truth, where))


def test_lovasz_of_hard_answers_is_the_jaccard_loss():
    """At margins of exactly 1 the hinge of a wrong pixel is 2, of a right one 0 (Berman 2018)."""
    torch.manual_seed(1)
    truth, said = (torch.rand(2, 1, 50) > 0.5).float()
    intersection, union = (truth * said).sum(), ((truth + said) > 0).sum()
    value = lovasz(said * 2 - 1, truth, torch.ones(1, 50, dtype=torch.bool))
    assert value == pytest.approx(2 * float(1 - intersection / union), abs=1e-5)


def test_dice_limits():
    full = torch.ones(1, 8, 8)
    assert dice(full * 30, full, full > 0) < 1e-3
    assert dice(full * -30, full, full > 0) > 0.9


def test_non_finite_loss_stops_with_all_parts():
    answer = logits()
    answer[MASK_LOGITS][0, 0, 0] = float("nan")
    with pytest.raises(NonFiniteLossError, match=r"heat.*mask_bce.*learning rate"):
        Criterion()(answer, batch({LaneId.EGO: LINE}))
