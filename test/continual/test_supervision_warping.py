# SPDX-License-Identifier: Apache-2.0
"""Answers that are moved and enlarged: as pictures are, and by nothing not at all."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from unlabelled_pictures import SIZE, cut_out, texture

from shared_encoder_perception.continual.supervision.changes import change, window_of
from shared_encoder_perception.continual.supervision.flow import flow_between
from shared_encoder_perception.continual.supervision.warping import enlarged, moved
from shared_encoder_perception.tasks.semantic.consistency import apart, planes
from shared_encoder_perception.tasks.semantic.head import LOGITS
from shared_encoder_perception.training.augment import AugmentConfig
from shared_encoder_perception.training.look import EFFECTS

PLAIN = AugmentConfig(**dict.fromkeys(EFFECTS, 0.0))
"""Nothing looks otherwise."""


def planes_of(picture):
    """Return a picture as (1, 3, H, W) planes."""
    return torch.from_numpy(np.array(picture)).float().movedim(-1, 0)[None]


def as_batch(found):
    """Return a flow as tensors of one picture."""
    return torch.from_numpy(found.field)[None], torch.from_numpy(found.agreed)[None]


@pytest.mark.parametrize("stride", [1, 2, 8])
def test_no_flow_moves_nothing_on_any_grid(stride):
    planes = torch.rand(1, 5, SIZE[0] // stride, SIZE[1] // stride)
    still = torch.zeros(1, *SIZE, 2), torch.ones(1, *SIZE, dtype=torch.bool)
    out, seen = moved(planes, *still)
    torch.testing.assert_close(out, planes, atol=1e-5, rtol=0)
    assert bool((seen == 1).all())


def test_the_earlier_picture_moved_by_its_flow_is_the_later_one():
    whole = texture(margin=8)
    before, now = cut_out(whole, 8, 8), cut_out(whole, 11, 6)
    out, seen = moved(planes_of(before), *as_batch(flow_between(before, now)))
    off = (out - planes_of(now)).abs().amax(1)
    plain = (planes_of(before) - planes_of(now)).abs().amax(1)
    assert float(seen.mean()) > 0.7
    assert float(off[seen > 0].mean()) < 0.1 * float(plain[seen > 0].mean())


def test_an_answer_that_moves_with_the_picture_costs_next_to_nothing():
    """Classes by colour, pixel by pixel."""
    whole = texture(margin=8)
    before, now = cut_out(whole, 8, 8), cut_out(whole, 11, 6)
    colours = [{LOGITS: planes_of(one) / 40} for one in (before, now)]
    flow = as_batch(flow_between(before, now))
    wanted, seen = moved(planes(colours[0]), *flow)
    equivariant = apart(colours[1], wanted, seen).item()
    fixed = apart(colours[1], planes(colours[0]), seen).item()
    assert equivariant < 0.01 * fixed and fixed > 0.1


def test_on_a_coarser_grid_things_move_by_as_many_pixels():
    field = torch.zeros(1, *SIZE, 2)
    field[..., 0], field[..., 1] = 16.0, -8.0
    planes = torch.rand(1, 1, SIZE[0] // 8, SIZE[1] // 8)
    out, _ = moved(planes, field, torch.ones(1, *SIZE, dtype=torch.bool))
    torch.testing.assert_close(out[..., 1:, :-2], planes[..., :-1, 2:], atol=1e-5, rtol=0)


def test_a_cell_with_a_pixel_that_does_not_agree_is_not_seen():
    agreed = torch.ones(1, *SIZE, dtype=torch.bool)
    agreed[0, 9, 17] = False
    _, seen = moved(torch.rand(1, 1, 8, 12), torch.zeros(1, *SIZE, 2), agreed)
    assert seen[0, 1, 2] == 0 and float(seen.sum()) == 8 * 12 - 1


@pytest.mark.parametrize("window", [(1.0, 0.0, 0.0), (0.8, 0.15, 0.05), (0.5, 0.0, 0.5)])
def test_planes_are_enlarged_as_pictures_are(window):
    picture = texture()
    ours = enlarged(planes_of(picture), torch.tensor([window]))
    theirs = planes_of(window_of(picture, *window))
    inside = (slice(None), slice(None), slice(2, -2), slice(2, -2))
    assert float((ours - theirs)[inside].abs().max()) <= 4  # of 255: OpenCV has 32 places a pixel


def test_changes_are_decided_by_the_seed_and_use_up_nobody_elses_random_numbers():
    pictures = np.stack([texture(seed=seed) for seed in range(6)])
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    looks = AugmentConfig(noise=1.0, shadow=1.0)
    one, two = (change(pictures, looks, 1.25, (0, 1)) for _ in range(2))
    assert torch.equal(torch.rand(3), expected)
    other = change(pictures, looks, 1.25, (0, 2))
    assert torch.equal(one.images, two.images) and torch.equal(one.window, two.window)
    assert not torch.equal(one.images, other.images)
    assert bool((one.window[:, 0] >= 1 / 1.25).all())
    assert bool((one.window[:, 0] + one.window[:, 1:].amax(1) <= 1 + 1e-6).all())


def test_without_looks_and_scale_a_change_is_a_mirror_image_or_nothing():
    pictures = np.stack([texture(seed=seed) for seed in range(8)])
    changed = change(pictures, PLAIN, 1.0, (3,))
    assert 0 < int(changed.mirrored.sum()) < 8
    for number, mirrored in enumerate(changed.mirrored.tolist()):
        expected = pictures[number][:, ::-1] if mirrored else pictures[number]
        assert np.array_equal(changed.images[number].numpy(), expected)
