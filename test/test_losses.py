"""Losses: known limits, partial labels, and no silence for rare heads."""

import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from torch.nn import functional

from shared_encoder_perception.model.network import LANE_LOGITS, MASK_LOGITS
from shared_encoder_perception.structures import LaneId
from shared_encoder_perception.training.losses import (
    LOSS_WEIGHTS,
    Batch,
    Criterion,
    NonFiniteLossError,
    dice,
    focal,
)
from shared_encoder_perception.training.targets import encode_lanes

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
        torch.from_numpy(targets.known)[None],
        torch.full((1, 64, 96), mask, dtype=torch.uint8),
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


def test_total_is_the_weighted_sum_of_all_parts():
    parts = Criterion()(logits(), batch({LaneId.EGO: LINE}))
    assert set(parts) == {*LOSS_WEIGHTS, "total"}
    total = sum(weight * parts[name] for name, weight in LOSS_WEIGHTS.items())
    assert torch.allclose(parts["total"], total)


def test_perfect_answers_cost_nothing():
    one = batch(dict.fromkeys(LaneId, None) | {LaneId.EGO: LINE})
    for name, value in Criterion()(perfect(one), one).items():
        assert value < 1e-3, name


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


def test_dice_limits():
    full = torch.ones(1, 8, 8)
    assert dice(full * 30, full, full > 0) < 1e-3
    assert dice(full * -30, full, full > 0) > 0.9


def test_non_finite_loss_stops_with_all_parts():
    answer = logits()
    answer[MASK_LOGITS][0, 0, 0] = float("nan")
    with pytest.raises(NonFiniteLossError, match=r"heat.*mask_bce.*learning rate"):
        Criterion()(answer, batch({LaneId.EGO: LINE}))
