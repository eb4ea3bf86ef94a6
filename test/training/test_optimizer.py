# SPDX-License-Identifier: Apache-2.0
"""Every trained weight has one optimiser and one rate; Muon turns matrices and nothing else."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training needs torch")

from smallest import ENCODER
from torch import nn

from shared_encoder_perception.model.network import NetworkConfig, PerceptionNetwork
from shared_encoder_perception.training.config import load_config
from shared_encoder_perception.training.frozen import freeze
from shared_encoder_perception.training.optimizer import configure, hidden_matrices

ARCHITECTURES = ("light_fpn", "shared_fpn", "baseline")
DATA = ["data.train=[{path: synthetic}]", "data.val=[{path: synthetic, count: 1}]"]


def network(architecture="light_fpn", stride=0):
    built = PerceptionNetwork(
        NetworkConfig(ENCODER, architecture=architecture, channels=16, head_channels=8)
    )
    freeze(built.encoder, stride)
    return built


def configured(built, *options, beside=(), weighting=()):
    config = load_config(None, [*DATA, *options])
    made = configure(config, config.stages[0], built, beside, weighting)
    return made["optimizer"], made["lr_scheduler"]["scheduler"]


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_each_trained_weight_is_in_one_group_and_a_frozen_one_in_none(optimizer, architecture):
    built = network(architecture, stride=8)
    beside, weighting = [nn.Parameter(torch.ones(2, 2))], [nn.Parameter(torch.ones(2))]
    made, _ = configured(built, f"optimizer={optimizer}", beside=beside, weighting=weighting)
    held = [id(one) for group in made.param_groups for one in group["params"]]
    trained = [id(one) for one in built.parameters() if one.requires_grad]
    assert sorted(held) == sorted([*trained, id(beside[0]), id(weighting[0])])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_muon_turns_no_answer_and_no_depthwise_convolution(architecture):
    built = network(architecture)
    turned = {id(one) for one in hidden_matrices(built)}
    answers = [p for name, p in built.named_parameters() if name.endswith(("logit.weight",))]
    answers += [p for name, p in built.named_parameters() if ".heads.lanes.maps." in name]
    depthwise = [m.weight for m in built.modules() if isinstance(m, nn.Conv2d) and m.groups > 1]
    assert answers and depthwise
    assert not turned & {id(one) for one in (*answers, *depthwise)}
    assert all(one.ndim == 4 for one in hidden_matrices(built))
    body = sum(one.numel() for one in hidden_matrices(built))
    assert body > 0.7 * sum(one.numel() for one in built.parameters())


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_the_rate_rises_and_falls_to_nothing_and_that_of_the_weighting_is_its_own(optimizer):
    own = nn.Parameter(torch.ones(2))
    options = [f"optimizer={optimizer}", "loss.weighting_learning_rate=0.5"]
    options += ["stages=[{size: [64, 160], steps: 20, learning_rate: 0.01, batch_size: 2}]"]
    made, schedule = configured(network(), *options, weighting=[own])
    rates = []
    for _ in range(20):
        rates.append([group["lr"] for group in made.param_groups])
        made.step()
        schedule.step()
    body, others = [row[0] for row in rates], [row[-1] for row in rates]
    assert max(body) == pytest.approx(0.01, rel=0.05)
    assert max(others) == pytest.approx(0.5, rel=0.05)
    assert body[0] < 0.1 * 0.01 and body[-1] < 0.1 * 0.01
    assert body.index(max(body)) < 5


def test_muon_steps_are_as_long_as_adamws_and_of_full_rank():
    """Of a gradient of one direction, AdamW's step has one, Muon's turns it without stretching."""
    torch.manual_seed(0)
    built = network()
    made, _ = configured(built, "optimizer=muon", "weight_decay=0")
    for group in made.param_groups:
        group["lr"] = 1e-2
    matrix = max(hidden_matrices(built), key=lambda one: one.shape[0])
    before = matrix.detach().clone()
    for one in built.parameters():
        one.grad = torch.randn_like(one)
    made.step()
    step = (before - matrix.detach()).flatten(1)
    assert step.square().mean().sqrt() == pytest.approx(0.2 * 1e-2, rel=0.3)
    singular = torch.linalg.svdvals(step)
    assert singular.min() > 0.4 * singular.max()


def test_what_is_learned_by_heart_does_not_decay():
    made, _ = configured(network(), "data.overfit=2")
    assert {group["weight_decay"] for group in made.param_groups} == {0.0}


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_constant_rate_rises_as_the_other_does_and_stays(optimizer):
    rates = {}
    for schedule in ("cosine", "constant"):
        options = (f"optimizer={optimizer}", f"schedule={schedule}", "stages.0.steps=40")
        made, rate = configured(network(), *options, weighting=[nn.Parameter(torch.ones(2))])
        seen = []
        for _ in range(40):
            seen.append([group["lr"] for group in made.param_groups])
            made.step()
            rate.step()
        rates[schedule] = torch.tensor(seen)
    assert torch.allclose(rates["constant"][0], rates["cosine"][0])
    assert torch.allclose(rates["constant"][4:], rates["constant"][4].expand(36, -1))
    assert torch.allclose(rates["constant"][4], rates["cosine"].max(dim=0).values, rtol=0.01)
    assert (rates["cosine"][-1] < 0.01 * rates["cosine"].max(dim=0).values).all()
