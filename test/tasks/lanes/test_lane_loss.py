# SPDX-License-Identifier: Apache-2.0
"""The lanes' losses: known limits, partial labels, and no silence for rare heads."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from torch.nn import functional

from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.lanes.head import LOGITS
from shared_encoder_perception.tasks.lanes.labels import Label
from shared_encoder_perception.tasks.lanes.loss import PARTS, Config, focal, heat_loss, make_loss
from shared_encoder_perception.tasks.lanes.spec import Block
from shared_encoder_perception.tasks.lanes.target import encode

LINE = [[30.0, 60.0], [50.0, 10.0]]
NOWHERE = dict.fromkeys(LaneId, None)


def targets(lines):
    """Return the targets of one image of 64x96, batched; ``None`` for no label at all."""
    label = None
    if lines is not None:
        points = {lane: None if line is None else np.array(line) for lane, line in lines.items()}
        label = Label(points)
    arrays = encode(label, (64, 96), Block())
    return {name: torch.from_numpy(array)[None] for name, array in arrays.items()}


def logits():
    generator = torch.Generator().manual_seed(0)
    return {LOGITS: torch.randn(1, 5, 5, 8, 12, generator=generator).requires_grad_()}


def losses(answer, lines, config=None):
    return make_loss(config or Config())(answer, targets(lines))


def total(parts):
    return torch.stack(list(parts.values())).sum()


def perfect(lines):
    """Logits that say exactly what the targets say."""
    maps = targets(lines)["maps"]
    grid = torch.tensor([12.0, 8.0]).view(1, 1, 2, 1, 1)
    heat = torch.where(maps[:, :, :1] >= 1, 20.0, -20.0)
    return {LOGITS: torch.cat((heat, maps[:, :, 1:3] / grid, maps[:, :, 3:]), dim=2)}


def test_all_parts_are_there():
    names = {name for parts in PARTS.values() for name in parts}
    assert set(losses(logits(), {LaneId.EGO: LINE})) == names


def test_perfect_answers_cost_nothing():
    lines = NOWHERE | {LaneId.EGO: LINE}
    for name, value in losses(perfect(lines), lines).items():
        assert value < 1e-3, name


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
    answer = logits()
    losses(answer, NOWHERE)["heat"].backward()
    assert answer[LOGITS].grad[:, :, 0].abs().amin(dim=(0, 2, 3)).min() > 0


@pytest.mark.parametrize("lines", [None, {}])
def test_unknown_lanes_train_nothing(lines):
    answer = logits()
    cost = total(losses(answer, lines))
    assert cost.item() == 0
    cost.backward()
    assert answer[LOGITS].grad.abs().max() == 0


def test_a_batch_of_absent_lanes_is_finite_and_teaches_absent():
    """Gradient descent on such batches alone drives every heat map towards zero."""
    answer = logits()
    parts = losses(answer, NOWHERE)
    assert all(torch.isfinite(value) for value in parts.values())
    parts["heat"].backward()
    assert (answer[LOGITS].grad[:, :, 0] > 0).all()
    assert answer[LOGITS].grad[:, :, 1:].abs().max() == 0


def test_heads_count_alike_however_seldom_they_are_labelled():
    """One image that knows the split head weighs as much as four that know the ego head."""
    maps, many = torch.zeros(4, 5, 8, 12), torch.zeros(4, 5, dtype=torch.bool)
    many[:, 0], many[0, 3] = True, True
    answer = torch.zeros(4, 5, 8, 12, requires_grad=True)
    heat_loss(answer, maps, many).backward()
    per_head = answer.grad.abs().sum(dim=(0, 2, 3))
    assert torch.allclose(per_head[0], per_head[3])
    assert per_head[[1, 2, 4]].max() == 0


def test_split_heads_count_as_much_as_the_config_says():
    gradients = []
    for weight in (1.0, 3.0):
        answer = logits()
        losses(answer, NOWHERE, Config(split_heat=weight))["heat"].backward()
        gradients.append(answer[LOGITS].grad.abs().sum(dim=(0, 2, 3, 4)))
    ratio = (gradients[1] / gradients[0]).tolist()
    assert ratio == pytest.approx([3.0 if lane.is_split else 1.0 for lane in LaneId])


def test_an_ignored_head_has_zero_gradient():
    answer = logits()
    total(losses(answer, {LaneId.EGO: LINE})).backward()
    assert answer[LOGITS].grad[:, 0].abs().max() > 0
    assert answer[LOGITS].grad[:, 1:].abs().max() == 0
