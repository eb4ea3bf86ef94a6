# SPDX-License-Identifier: Apache-2.0
"""What the network says of depth: a plane by three numbers, a picture that can be learned."""

import math

import pytest

torch = pytest.importorskip("torch")

from smallest import ENCODER

from shared_encoder_perception.model.config import NetworkConfig
from shared_encoder_perception.model.network import PerceptionNetwork, promised
from shared_encoder_perception.tasks.depth.head import (
    FAR,
    LOGITS,
    NEAR,
    GroundPlane,
    finish,
    log_depth,
    sigma,
)
from shared_encoder_perception.tasks.depth.loss import Config, make_loss
from shared_encoder_perception.tasks.depth.spec import OUTPUT_DEPTH, OUTPUT_SIGMA, Block
from shared_encoder_perception.tasks.depth.target import encode
from shared_encoder_perception.world.synthetic import render_sample

GRID = (40, 104)


def plane_of(level, across, down):
    """Depth of the plane that three numbers say."""
    made = GroundPlane(8).eval()
    with torch.no_grad():
        made.said[2].weight.zero_()
        made.said[2].bias.copy_(torch.tensor((level, across, down)))
        place = torch.sigmoid(made(torch.randn(1, 8, 5, 13), GRID))[0, 0]
    return torch.exp(NEAR + (FAR - NEAR) * place)


def test_inverse_depth_of_the_plane_is_linear_in_the_picture():
    """A plane whose horizon is high above, so that no pixel is near it."""
    inverse = 1 / plane_of(0.3, 0.03, 0.12)
    rows, columns = inverse.diff(dim=0), inverse.diff(dim=1)
    torch.testing.assert_close(rows, torch.full_like(rows, 0.24 / (GRID[0] - 1)), rtol=2e-3, atol=0)
    torch.testing.assert_close(
        columns, torch.full_like(columns, 0.06 / (GRID[1] - 1)), rtol=5e-3, atol=0
    )


def test_above_the_horizon_the_plane_is_as_far_as_can_be_said():
    depth = plane_of(0.0, 0.0, 0.16)
    assert depth[0].min() > Block().max_m and depth[-1].max() < 7
    assert (depth.diff(dim=0) <= 0).all()


def test_outputs_are_within_what_can_be_said():
    logits = {LOGITS: 50 * torch.randn(2, 2, *GRID)}
    found = finish(logits, (160, 416), Block())
    depth, deviation = found[OUTPUT_DEPTH], found[OUTPUT_SIGMA]
    assert depth.min() >= 0.999 * Block().min_m and depth.max() <= 1.501 * Block().max_m
    assert deviation.min() >= 0.999e-3 and deviation.max() <= 4.001
    middle = log_depth(torch.zeros(1, 2, *GRID), Block())
    assert middle.mean().item() == pytest.approx((NEAR + FAR) / 2, abs=1e-5)
    assert sigma(torch.zeros(1, 2, 1, 1)).item() == 1


@pytest.mark.parametrize("architecture", ["light_fpn", "shared_fpn", "baseline", "fpn", "unet"])
def test_a_network_of_any_architecture_learns_a_picture(architecture):
    """Forty steps on one world: its depth is half as wrong as before."""
    torch.manual_seed(0)
    size = (64, 160)
    config = NetworkConfig(
        ENCODER, architecture=architecture, channels=16, head_channels=16, tasks=["depth"]
    )
    network, block = PerceptionNetwork(config).train(), promised(config, size)["depth"]
    assert block.focal_px == size[1]
    sample = render_sample(5, size, tasks=("depth",))
    target = encode(sample.labels["depth"], size, block)
    batch = {
        name: torch.from_numpy(value)[None].repeat_interleave(2, 0)
        for name, value in target.items()
    }
    images = torch.from_numpy(sample.image)[None].repeat_interleave(2, 0)
    loss = make_loss(Config())
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    errors = []
    for _ in range(40):
        parts = loss(network(images), batch)
        errors.append(parts["depth_error"].item())
        optimizer.zero_grad()
        sum(parts.values()).backward()
        optimizer.step()
    assert math.isfinite(errors[-1]) and min(errors[-5:]) < 0.5 * errors[0]
