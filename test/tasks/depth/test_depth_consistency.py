# SPDX-License-Identifier: Apache-2.0
"""Depth without labels: what the camera came nearer by, and nothing else, may differ."""

import math

import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from shared_encoder_perception.tasks.depth.consistency import (
    apart,
    apart_in_time,
    mirrored,
    planes,
    scaled,
)
from shared_encoder_perception.tasks.depth.head import FARTHER, LOGITS
from shared_encoder_perception.tasks.depth.spec import Block

BLOCK = Block()


def says(metres):
    """Return logits that say (N, h, w) canonical metres."""
    near, far = math.log(BLOCK.min_m), math.log(FARTHER * BLOCK.max_m)
    place = torch.logit((metres.log() - near) / (far - near))
    return {LOGITS: torch.stack((place, torch.zeros_like(place)), 1)}


def street(seed=0):
    """Return (2, 6, 8) metres, 5 to 35."""
    return 5 + 30 * torch.rand(2, 6, 8, generator=torch.Generator().manual_seed(seed))


EVERYWHERE = torch.ones(2, 6, 8)


def test_planes_are_metres_and_mirrored_twice_the_same():
    torch.testing.assert_close(planes(says(street()))[:, 0], street())
    said = planes(says(street()))
    assert torch.equal(mirrored(mirrored(said)), said)


def test_the_same_answer_costs_nothing_and_another_one_its_share():
    one = says(street())
    assert apart(one, planes(one), EVERYWHERE).item() < 1e-6
    loss = apart(one, 1.1 * planes(one), EVERYWHERE)
    torch.testing.assert_close(loss, torch.tensor(math.log(1.1)), atol=1e-5, rtol=0)


def test_through_a_longer_lens_canonical_depth_is_that_much_less():
    said = planes(says(street()))
    torch.testing.assert_close(scaled(said, torch.tensor([2.0, 1.0]))[0], said[0] / 2)


def test_a_street_that_came_nearer_costs_nothing_whatever_the_way():
    for way in (0.0, 0.5, 2.0):
        loss = apart_in_time(says(street()), street()[:, None] + way, EVERYWHERE)
        assert loss.item() < 1e-5


def test_a_street_that_became_larger_costs():
    assert apart_in_time(says(street()), 1.3 * street()[:, None], EVERYWHERE).item() > 0.05


def test_what_is_not_seen_or_far_away_does_not_count():
    before, seen = street()[:, None] + 1.0, EVERYWHERE.clone()
    before[0, 0, :2], seen[0, :2] = 3.0, 0.0
    before[1, 0, 3] = 150.0
    assert apart_in_time(says(street()), before, seen).item() < 1e-5
    assert apart_in_time(says(street()), before, torch.zeros_like(seen)).item() == 0
