# SPDX-License-Identifier: Apache-2.0
"""What a teacher's lane maps teach: as far as it, or somebody else, is sure."""

import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from shared_encoder_perception.tasks.lanes.distill import Config, make_distill, soft_heat_loss
from shared_encoder_perception.tasks.lanes.head import LOGITS


def taught():
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(2, 5, 5, 8, 12, generator=generator)
    logits[:, :, 0] -= 2.0
    return {LOGITS: logits}


def losses(logits, known=1.0, **weights):
    compare = make_distill(Config(**weights))
    return compare(logits, taught(), {"known": torch.full((2, 5), known)})


def test_a_student_that_agrees_has_nothing_to_learn():
    same = {LOGITS: taught()[LOGITS].requires_grad_()}
    found = losses(same)
    assert found["distill_heat"].item() == pytest.approx(0, abs=1e-6)
    assert found["distill_vectors"].item() == 0
    torch.stack(list(found.values())).sum().backward()
    assert same[LOGITS].grad.abs().max() < 1e-6


@pytest.mark.parametrize("part", ["heat", "vectors"])
def test_disagreement_costs_and_its_weight_scales_it(part):
    other = {LOGITS: taught()[LOGITS] + 2}
    once, twice = (losses(other, **{part: weight})[f"distill_{part}"] for weight in (1.0, 2.0))
    assert once > 0
    assert twice.item() == pytest.approx(2 * once.item(), rel=1e-4)


def test_an_unlabelled_head_is_believed_as_far_as_the_teacher_sees_a_lane():
    logits = taught()[LOGITS]
    peak = torch.sigmoid(logits[:, :, 0]).amax().item()
    shifted = {LOGITS: logits + 2}
    sure = losses(shifted, known=1.0)["distill_heat"].item()
    unlabelled = losses(shifted, known=0.0)["distill_heat"].item()
    assert 0 < unlabelled <= peak * sure * 1.001
    assert peak < 0.9  # else the line above shows nothing


def test_the_soft_loss_is_least_at_the_target():
    target = torch.rand(1, 5, 8, 12, generator=torch.Generator().manual_seed(2)) * 0.98 + 0.01
    one = torch.ones(1, 5, 1, 1)
    at = torch.logit(target)
    assert soft_heat_loss(at, target, one).item() == pytest.approx(0, abs=1e-7)
    costs = [soft_heat_loss(at + shift, target, one).item() for shift in (0.5, 1.0, 2.0, 4.0)]
    assert costs == sorted(costs)
    assert costs[0] > 0
