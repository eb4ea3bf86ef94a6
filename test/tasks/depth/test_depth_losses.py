# SPDX-License-Identifier: Apache-2.0
"""The losses of depth: identities, symmetries and limits."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from shared_encoder_perception.tasks.depth.answer import RELATIVE
from shared_encoder_perception.tasks.depth.head import FARTHER, LOGITS, log_depth
from shared_encoder_perception.tasks.depth.label import Label
from shared_encoder_perception.tasks.depth.loss import (
    NORMS,
    Config,
    deviation,
    dissimilarity,
    gradients,
    make_loss,
    norm,
    unscaled,
)
from shared_encoder_perception.tasks.depth.spec import Block
from shared_encoder_perception.tasks.depth.target import encode

SIZE = (16, 24)
BLOCK = Block(focal_px=100.0)


def scene(seed=0):
    return torch.from_numpy(np.random.default_rng(seed).uniform(0.5, 4.0, (2, *SIZE))).float()


EVERY = torch.ones(2, *SIZE, dtype=torch.bool)


def logits_of(depth):
    """Logits that say (N, h, w) logarithms of depth."""
    near, far = math.log(BLOCK.min_m), math.log(FARTHER * BLOCK.max_m)
    place = (depth - near) / (far - near)
    said = torch.stack((torch.logit(place), torch.full_like(place, -2.0)), dim=1)
    torch.testing.assert_close(log_depth(said, BLOCK), depth)
    return said


@pytest.mark.parametrize("name", NORMS)
def test_what_is_right_costs_nothing(name):
    truth = scene()
    assert norm(name, truth - truth, truth, truth, EVERY).item() == pytest.approx(0, abs=1e-6)
    off = truth + 0.3 * torch.randn_like(truth)
    assert norm(name, off - truth, off, truth, EVERY).item() > 0.01


@pytest.mark.parametrize("name", NORMS)
def test_what_is_not_known_counts_for_nothing(name):
    truth, said = scene(), scene(1)
    known = EVERY.clone()
    known[:, :, 12:] = False
    one = norm(name, said - truth, said, truth, known)
    other = torch.where(known, said, said + 3.0)
    assert torch.allclose(one, norm(name, other - truth, other, truth, known))


@pytest.mark.parametrize("name", NORMS)
def test_the_batch_doubled_costs_the_same(name):
    truth, said = scene(), scene(1)
    twice = [torch.cat((one, one)) for one in (said, truth, EVERY)]
    once = norm(name, said - truth, said, truth, EVERY)
    torch.testing.assert_close(norm(name, twice[0] - twice[1], *twice), once)


def test_silog_forgives_half_of_a_wrong_scale():
    truth = scene()
    shift = torch.full_like(truth, 0.4)
    cost = norm("silog", shift, truth + shift, truth, EVERY).item()
    assert cost == pytest.approx(0.4 * math.sqrt(0.5), abs=2e-3)
    spread = torch.where(torch.arange(SIZE[1]) % 2 == 0, 0.4, -0.4).expand_as(truth)
    assert norm("silog", spread, truth + spread, truth, EVERY).item() == pytest.approx(
        0.4, abs=2e-3
    )


def test_gradients_see_edges_and_not_a_shift():
    truth = scene()
    assert gradients(torch.full_like(truth, 0.7), EVERY).item() == 0
    ramp = torch.arange(SIZE[1]).float().expand_as(truth) * 0.01
    # Only one of the two directions changes: half of each step, 1, 2, 4 and 8 cells wide.
    assert gradients(ramp, EVERY).item() == pytest.approx(0.01 * (1 + 2 + 4 + 8) / 4 / 2, rel=0.2)


def test_ssim_is_of_windows_that_are_alike():
    truth = scene()
    assert dissimilarity(truth, truth).abs().max() < 1e-5
    assert dissimilarity(scene(1), truth).mean() > 0.2


def test_a_depth_without_scale_is_right_at_any():
    truth = scene()
    inverse = torch.exp(-truth)
    for scale, shift in ((1.0, 0.0), (7.0, 0.2), (0.01, 3.0)):
        cost, difference = unscaled(truth, inverse * scale + shift, EVERY)
        assert cost.item() == pytest.approx(0, abs=1e-4)
        assert difference.abs().max() < 1e-3
    cost, _ = unscaled(truth, -inverse, EVERY)
    assert cost.item() > 0.5


def test_a_deviation_is_best_where_it_is_right():
    off = torch.distributions.Laplace(0.0, 0.2 / math.sqrt(2)).sample((2, 200, 200))
    every = torch.ones_like(off, dtype=torch.bool)
    costs = {s: deviation(off, torch.full_like(off, s), every).item() for s in (0.1, 0.2, 0.4)}
    assert min(costs, key=costs.get) == 0.2 and min(costs.values()) > 0


def test_the_parts_of_a_labelled_picture():
    depth = np.full(SIZE, 20.0, np.float32)
    depth[:4], depth[12:] = np.inf, np.nan
    target = encode(Label(depth, 50.0), SIZE, BLOCK)
    batch = {key: torch.from_numpy(value)[None] for key, value in target.items()}
    # The camera's focal length is half the canonical one: canonical depth is twice as far.
    right = torch.full((1, *SIZE), math.log(40.0))
    right[:, :4] = math.log(BLOCK.max_m * 1.25)
    loss = make_loss(Config())
    parts = loss({LOGITS: logits_of(right)}, batch)
    assert parts["depth_error"].item() == pytest.approx(0, abs=1e-5)
    assert parts["depth_edges"].item() == pytest.approx(0, abs=1e-5)
    assert parts["depth_beyond"].item() == 0
    near = right.clone()
    near[:, :4] = math.log(30.0)
    assert loss({LOGITS: logits_of(near)}, batch)["depth_beyond"].item() > 1
    unknown = right.clone()
    unknown[:, 12:] = 1.0
    again = loss({LOGITS: logits_of(unknown)}, batch)
    for name in ("depth_error", "depth_edges", "depth_beyond"):
        torch.testing.assert_close(again[name], parts[name])


def test_a_teachers_relative_depth_trains_by_its_own_loss():
    inverse = np.random.default_rng(0).uniform(0.01, 0.5, SIZE).astype(np.float32)
    label = Label((1 / inverse).astype(np.float32), math.nan, RELATIVE)
    target = encode(label, SIZE, BLOCK)
    batch = {key: torch.from_numpy(value)[None] for key, value in target.items()}
    loss = make_loss(Config())
    said = logits_of(torch.from_numpy(np.log(3 / inverse))[None].clamp(max=5.0))
    right = loss({LOGITS: said}, batch)
    wrong = loss({LOGITS: logits_of(scene(3)[:1])}, batch)
    assert right["depth_error"] < 0.3 * wrong["depth_error"]
    assert right["depth_sigma"].item() == 0 and right["depth_beyond"].item() == 0


def test_another_name_is_refused():
    with pytest.raises(ValueError, match="silog"):
        Config(depth="l3")
