# SPDX-License-Identifier: Apache-2.0
"""An encoder cut in two: front and rest are the whole, to the bit; what cannot be cut is told."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from smallest import ENCODER

from shared_encoder_perception.layers.encoder import PROVEN, STRIDES, Encoder
from shared_encoder_perception.layers.encoder_parts import CUTS, EncoderParts
from shared_encoder_perception.model.config import NetworkConfig
from shared_encoder_perception.model.network import PerceptionNetwork
from shared_encoder_perception.training.frozen import freeze

SIZE = (32, 64)
OTHERS = (ENCODER, "tf_efficientnet_lite0")
"""What other tests use, and one of a kind of features that is not among the proven ones."""
KINDS = (ENCODER, "tf_efficientnet_lite0", "mobilenetv4_conv_small", "fast_scnn")
"""One of each kind of features."""
HALF = 2.0**-10
"""Twice the rounding of a float16, relative to the greatest number: layers behind may double it."""


@pytest.fixture(scope="module")
def encoder():
    """Make an encoder by its name, once; its batch norms have seen some noise."""
    made = {}

    def by_name(name):
        if name not in made:
            torch.manual_seed(0)
            made[name] = Encoder(name).train()
            with torch.no_grad():
                made[name](images(seed=5), SIZE)
        return made[name].requires_grad_(True).eval()

    return by_name


def images(count=2, size=SIZE, seed=0):
    noise = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, *size, 3), dtype=torch.uint8, generator=noise)


def state(module):
    return {name: one.clone() for name, one in module.state_dict().items()}


@pytest.mark.parametrize("name", [*PROVEN, *OTHERS])
def test_front_and_rest_are_the_whole(encoder, name):
    """At each cut, of pictures as they are and of such as are looked at in another size."""
    whole = encoder(name)
    for stride in CUTS:
        parts = EncoderParts(whole, stride)
        for given in (SIZE, (40, 64)):
            with torch.no_grad():
                levels = parts.front(images(size=given), SIZE)
                assert parts.strides == STRIDES[: len(levels)] and parts.strides[-1] == stride
                found, expected = parts.rest(levels), whole(images(size=given), SIZE)
            assert len(found) == len(expected) == len(STRIDES)
            assert all(map(torch.equal, found, expected))


@pytest.mark.parametrize("name", KINDS)
def test_both_parts_learn_as_the_whole(encoder, name):
    """In training: outputs, gradients and the statistics of batch norm, to the bit."""
    whole = encoder(name).train()
    before, found = state(whole), []
    for run in (lambda: whole(images(), SIZE), EncoderParts(whole, 8)):
        whole.load_state_dict(before)
        whole.zero_grad()
        levels = run.rest(run.front(images(), SIZE)) if isinstance(run, EncoderParts) else run()
        torch.stack([level.square().mean() for level in levels]).sum().backward()
        found.append([*levels, *(one.grad for one in whole.parameters()), *state(whole).values()])
    assert all(map(torch.equal, *found))
    whole.load_state_dict(before)


@pytest.mark.parametrize("name", KINDS)
def test_what_is_frozen_up_to_a_stride_is_the_front(encoder, name):
    """No layer of the rest, and each of the front: its weights, and its batch norm."""
    whole = encoder(name)
    for stride in CUTS:
        freeze(whole.train(), stride)
        front = EncoderParts(whole, stride).layers
        still = {id(one) for layer in front for one in layer.parameters()}
        for parameter in whole.parameters():
            assert parameter.requires_grad == (id(parameter) not in still)
        norms = [
            one
            for layer in front
            for one in layer.modules()
            if isinstance(one, torch.nn.modules.batchnorm._BatchNorm)
        ]
        assert norms and not any(one.training for one in norms)


def test_what_is_kept_in_half_the_digits_is_the_whole_up_to_their_rounding(encoder):
    for name in KINDS:
        whole = encoder(name)
        parts = EncoderParts(whole, 8)
        with torch.no_grad():
            kept = [level.half().float() for level in parts.front(images(), SIZE)]
            for found, expected in zip(parts.rest(kept), whole(images(), SIZE), strict=True):
                assert (found - expected).abs().max() < 8 * HALF * expected.abs().max()


def test_cutting_leaves_an_encoder_as_it_is(encoder):
    whole = encoder(ENCODER).train()
    whole.features.layer1.eval()
    before, modes = state(whole), [one.training for one in whole.modules()]
    EncoderParts(whole, 8)
    assert [one.training for one in whole.modules()] == modes
    assert all(torch.equal(one, before[name]) for name, one in whole.state_dict().items())


def test_layers_that_are_changed_later_are_those_of_the_parts(encoder):
    whole = encoder("fast_scnn")
    parts, before = EncoderParts(whole, 8), state(whole)
    with torch.no_grad():
        for one in whole.parameters():
            one.mul_(1.1)
        assert all(map(torch.equal, parts.rest(parts.front(images(), SIZE)), whole(images(), SIZE)))
    whole.load_state_dict(before)


def test_layers_that_do_not_follow_one_another_are_refused():
    """Its branches are: what they look at in fine and in coarse goes on side by side."""
    expected = r"HighResolutionNetFeatures, cannot be cut in two.*mobilenetv4_conv_small.*fast_scnn"
    with pytest.raises(ValueError, match=expected):
        EncoderParts(Encoder("hrnet_w18_small"), 8)


def test_parts_that_are_not_the_whole_are_refused():
    """A class that is known and yet does something between its layers."""
    whole = Encoder(ENCODER)
    whole.features.layer3.register_forward_pre_hook(lambda layer, given: (given[0] + 1,))
    EncoderParts(whole, 8)
    whole.features.register_forward_hook(lambda layer, given, said: [1.5 * one for one in said])
    with pytest.raises(ValueError, match="FeatureListNet, cannot be cut in two"):
        EncoderParts(whole, 8)


@pytest.mark.parametrize("stride", [0, 2, 32])
def test_other_strides_are_refused(stride):
    with pytest.raises(ValueError, match=rf"the stride {stride}, expected one of \(4, 8, 16\)"):
        EncoderParts(Encoder(ENCODER), stride)


def test_a_networks_encoder_is_cut_as_one_alone():
    network = PerceptionNetwork(NetworkConfig(encoder=ENCODER, channels=8, head_channels=8)).eval()
    parts = EncoderParts(network.encoder, 16)
    with torch.no_grad():
        levels = parts.rest(parts.front(images(), SIZE))
        assert all(map(torch.equal, levels, network.encoder(images(), SIZE)))
