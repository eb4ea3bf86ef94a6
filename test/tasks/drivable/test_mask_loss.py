# SPDX-License-Identifier: Apache-2.0
"""The mask's losses: known limits, and pixels that do not count."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from shared_encoder_perception.tasks.drivable.head import LOGITS
from shared_encoder_perception.tasks.drivable.labels import Label
from shared_encoder_perception.tasks.drivable.loss import PARTS, Config, make_loss
from shared_encoder_perception.tasks.drivable.spec import Block
from shared_encoder_perception.tasks.drivable.target import encode
from shared_encoder_perception.tasks.masks.losses import REGION_LOSSES, dice, lovasz

SIZE = (64, 96)


def losses(answer, label, region="dice"):
    arrays = encode(label, SIZE, Block())
    targets = {name: torch.from_numpy(array)[None] for name, array in arrays.items()}
    return make_loss(Config(region))({LOGITS: answer}, targets)


def half_drivable():
    mask = np.zeros(SIZE, np.uint8)
    mask[32:] = 255
    return mask


@pytest.mark.parametrize("region", REGION_LOSSES)
def test_perfect_answers_cost_nothing(region):
    mask = half_drivable()
    parts = losses(
        torch.where(torch.from_numpy(mask)[None] == 255, 20.0, -20.0), Label(mask), region
    )
    assert set(parts) == {name for weights in PARTS.values() for name in weights}
    assert all(value < 1e-3 for value in parts.values())


@pytest.mark.parametrize("region", REGION_LOSSES)
@pytest.mark.parametrize("label", [None, Label(np.full(SIZE, 127, np.uint8))])
def test_what_is_not_labelled_trains_nothing(region, label):
    answer = torch.randn(1, *SIZE, requires_grad=True)
    cost = torch.stack(list(losses(answer, label, region).values())).sum()
    assert cost.item() == 0
    cost.backward()
    assert answer.grad.abs().max() == 0


def test_a_doubtful_pixel_counts_less():
    gradients = []
    for confidence in (255, 51):
        answer = torch.zeros(1, *SIZE, requires_grad=True)
        weight = np.full(SIZE, 255, np.uint8)
        weight[0, 0] = confidence
        losses(answer, Label(half_drivable(), weight))["mask_bce"].backward()
        gradients.append(answer.grad[0, 0, 0] / answer.grad[0, 0, 1])
    assert gradients[0] == pytest.approx(1.0)
    assert gradients[1] == pytest.approx(0.2)


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


def test_unknown_region_loss_is_named():
    with pytest.raises(ValueError, match=r"'iou'.*dice.*lovasz"):
        Config("iou")
