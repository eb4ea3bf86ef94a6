# SPDX-License-Identifier: Apache-2.0
"""The field's decoders: parameters counted by hand, and maps of the size that they promise."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from shared_encoder_perception.layers.decoders import PanopticFpn, ResidualBlock, UnetDecoder
from shared_encoder_perception.model.config import NetworkConfig
from shared_encoder_perception.model.network import PerceptionNetwork

RESNEXT50 = (256, 512, 1024, 2048)
"""Channels of resnext50_32x4d at strides 4 to 32."""


def count(module):
    return sum(one.numel() for one in module.parameters())


def convolution(inputs, outputs, kernel, bias=True):
    return inputs * outputs * kernel**2 + outputs * bias


def test_the_pyramids_parameters_are_those_of_its_parts():
    laterals = sum(convolution(level, 256, 1) for level in RESNEXT50)
    # 3, 2, 1, 1 convolutions for strides 32, 16, 8, 4, each with a group norm
    first, others = convolution(256, 128, 3, bias=False), convolution(128, 128, 3, bias=False)
    branches = 4 * first + 3 * others + 7 * 2 * 128
    assert (laterals, branches) == (984_064, 1_623_808)
    assert count(PanopticFpn(RESNEXT50)) == laterals + branches


def test_the_u_nets_four_blocks_are_those_of_its_parts():
    widths = ((2048, 1024, 512), (512 + 1024, 1024, 512), (512 + 512, 512, 128))
    widths += ((128 + 256, 256, 256),)
    blocks = sum(convolution(i, m, 3) + convolution(m, o, 4) for i, m, o in widths)
    assert blocks == 57_512_064
    assert count(UnetDecoder(RESNEXT50)) == blocks


def test_residual_blocks_add_exactly_what_they_have():
    plain, residual = (UnetDecoder(RESNEXT50, residual=which) for which in (False, True))
    assert count(residual) - count(plain) == 10_923_008
    assert count(residual) - count(plain) == sum(
        2 * convolution(c, c, 3) + 3 * 2 * c for c in plain.outputs
    )


def test_a_whole_network_has_as_many_as_its_parts():
    """The widely used library has 25 588 808 for the same encoder, pyramid and eight classes."""
    network = PerceptionNetwork(
        NetworkConfig("resnext50_32x4d", architecture="fpn", tasks=["semantic"], classes="8")
    )
    assert count(network.encoder) == 22_979_904
    assert count(network) == 25_588_808


@pytest.mark.parametrize(("residual", "parameters"), [(False, 80_494_024), (True, 91_417_032)])
def test_a_u_net_has_as_many_as_its_parts(residual, parameters):
    """57 512 064 in four blocks and 2 056 in the last convolution, on the same encoder."""
    config = NetworkConfig(
        "resnext50_32x4d",
        architecture="unet",
        decoder_residual=residual,
        tasks=["semantic"],
        classes="8",
    )
    assert count(PerceptionNetwork(config)) == parameters


@pytest.mark.parametrize("size", [(64, 160), (40, 100)])
def test_maps_have_the_size_that_they_promise(size):
    levels = [torch.rand(2, 8 * 2**i, size[0] // 2**i, size[1] // 2**i) for i in range(4)]
    channels = [level.shape[1] for level in levels]
    fpn = PanopticFpn(channels, 32, 16).eval()
    assert fpn(levels).shape == (2, 16, *size)
    unet = UnetDecoder(channels, 4, residual=True).eval()
    assert unet(levels).shape == (2, 16, 2 * size[0], 2 * size[1])


def test_a_residual_block_that_adds_nothing_changes_nothing():
    block = ResidualBlock(6).eval()
    torch.nn.init.zeros_(block.body[-1].weight)
    feature = torch.randn(2, 6, 5, 7)
    torch.testing.assert_close(block(feature), feature)
