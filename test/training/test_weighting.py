# SPDX-License-Identifier: Apache-2.0
"""Task weightings: what each is defined by, on problems small enough to solve by hand."""

import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from torch import nn

from shared_encoder_perception.training.weighting import (
    WEIGHTINGS,
    GradNorm,
    PCGrad,
    UncertaintyWeights,
    make_weighting,
    project_conflicts,
)

GROUPS = ["one", "two", "three", "four"]


class Toy(nn.Module):
    """One shared weight vector, one private weight per group of losses."""

    def __init__(self):
        super().__init__()
        self.shared = nn.Parameter(torch.tensor([1.0, 1.0]))
        self.private = nn.Parameter(torch.ones(len(GROUPS)))

    def shared_parameters(self):
        return [self.shared]

    def last_shared(self):
        return self.shared

    def losses(self, directions):
        return {
            task: (torch.tensor(direction) @ self.shared) * self.private[index]
            for index, (task, direction) in enumerate(zip(GROUPS, directions, strict=True))
        }


AGREEING = [[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [2.0, 1.0]]
FIGHTING = [[1.0, 0.0], [-1.0, 1.0], [0.0, 1.0], [1.0, 1.0]]


def plain_gradient(directions):
    toy = Toy()
    sum(toy.losses(directions).values()).backward()
    return toy.shared.grad, toy.private.grad


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"'pcgrd'.*fixed.*uncertainty.*gradnorm.*pcgrad"):
        make_weighting("pcgrd", GROUPS)


@pytest.mark.parametrize("name", ["fixed", "uncertainty"])
def test_at_the_start_the_objective_is_the_plain_sum(name):
    losses = Toy().losses(AGREEING)
    assert torch.allclose(make_weighting(name, GROUPS).objective(losses), sum(losses.values()))


def test_uncertainty_moves_to_the_inverse_loss():
    """The optimum of exp(-s) L + s is s = log L: a weight of 1 / L."""
    weighting = UncertaintyWeights(GROUPS)
    values = {task: torch.tensor(value) for task, value in zip(GROUPS, (0.3, 1, 2, 4), strict=True)}
    optimiser = torch.optim.SGD(weighting.parameters(), lr=0.2)
    for _ in range(200):
        optimiser.zero_grad()
        weighting.objective(values).backward()
        optimiser.step()
    for task, weight in weighting.weights().items():
        assert weight == pytest.approx(1 / float(values[task]), rel=0.02)


def test_uncertainty_stays_in_its_range_and_can_leave_the_bound():
    weighting = UncertaintyWeights(GROUPS)
    with torch.no_grad():
        weighting.log_variance.fill_(50.0)
    weighting.objective({task: torch.tensor(1.0) for task in GROUPS}).backward()
    assert weighting.log_variance.max() == 4.0
    assert weighting.log_variance.grad.abs().min() > 0.5


def test_pcgrad_without_conflict_is_the_plain_sum():
    toy = Toy()
    PCGrad(GROUPS).backward(toy.losses(AGREEING), toy, step=0)
    shared, private = plain_gradient(AGREEING)
    assert torch.allclose(toy.shared.grad, shared)
    assert torch.allclose(toy.private.grad, private)


def test_pcgrad_leaves_private_parameters_alone_and_changes_shared_ones():
    toy = Toy()
    PCGrad(GROUPS).backward(toy.losses(FIGHTING), toy, step=0)
    shared, private = plain_gradient(FIGHTING)
    assert torch.allclose(toy.private.grad, private)
    assert not torch.allclose(toy.shared.grad, shared)


def test_projection_removes_exactly_the_conflict():
    one, other = torch.tensor([1.0, 0.0]), torch.tensor([-1.0, 1.0])
    projected = project_conflicts([one, other], torch.Generator().manual_seed(0))
    assert projected[0] @ other == pytest.approx(0, abs=1e-6)
    assert projected[1] @ one == pytest.approx(0, abs=1e-6)


def test_gradnorm_raises_the_weight_of_the_task_with_the_small_gradient():
    toy, weighting = Toy(), GradNorm(GROUPS)
    optimiser = torch.optim.SGD(weighting.parameters(), lr=0.02)
    directions = [[0.1, 0.0], [1.0, 0.0], [1.0, 0.0], [3.0, 0.0]]
    for step in range(300):
        weighting.backward(toy.losses(directions), toy, step)
        optimiser.step()
    weights = weighting.weights()
    order = [weights[task] for task in GROUPS]
    assert order[0] > order[1] == pytest.approx(order[2], rel=1e-3)
    assert order[1] > order[3]
    assert sum(order) == pytest.approx(len(GROUPS), rel=0.05)


def test_gradnorm_gradient_is_that_of_the_weighted_sum():
    toy, weighting = Toy(), GradNorm(GROUPS)
    with torch.no_grad():
        weighting.task_weights.copy_(torch.tensor([0.5, 1.5, 1.0, 1.0]))
    weighting.backward(toy.losses(AGREEING), toy, step=0)
    expected = sum(w * torch.tensor(d) for w, d in zip((0.5, 1.5, 1.0, 1.0), AGREEING, strict=True))
    assert torch.allclose(toy.shared.grad, expected)


def test_the_table_is_complete():
    assert set(WEIGHTINGS) == {"fixed", "uncertainty", "gradnorm", "pcgrad"}
