# SPDX-License-Identifier: Apache-2.0
"""Depthwise convolutions that go back in float32: the same gradients, wherever they stand."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training needs torch")

from timm.layers import Conv2dSame
from torch import nn

from shared_encoder_perception.training import precision
from shared_encoder_perception.training.precision import quicken_depthwise

CASES = [
    (nn.Conv2d, {"kernel_size": 5, "padding": 2}),
    (nn.Conv2d, {"kernel_size": 3, "stride": 2, "padding": 1}),
    (nn.Conv2d, {"kernel_size": 3, "padding": 1}),
    (nn.Conv2d, {"kernel_size": 5, "padding": "same"}),
    (Conv2dSame, {"kernel_size": 5, "stride": 2}),
    (Conv2dSame, {"kernel_size": (5, 3), "stride": (1, 2)}),
]


def gradients(layer, feature, mixed):
    feature = feature.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        out = layer(feature)
    wave = torch.sin(torch.arange(out.numel(), dtype=torch.float32)).reshape(out.shape)
    layer.zero_grad()
    (out.float() * wave).sum().backward()
    return out.detach().float(), feature.grad, layer.weight.grad.clone()


@pytest.mark.parametrize(("kind", "keys"), CASES)
def test_gradients_are_those_of_float32(kind, keys):
    torch.manual_seed(0)
    layer = kind(8, 8, groups=8, bias=False, **keys)
    feature = torch.randn(2, 8, 17, 22).to(memory_format=torch.channels_last)
    expected = gradients(layer, feature, mixed=False)
    quicken_depthwise(layer)
    found = gradients(layer, feature, mixed=True)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, other, rtol=0.03, atol=0.02 * float(other.abs().max()))


@pytest.mark.parametrize(("kind", "keys"), CASES)
def test_without_mixed_precision_nothing_changes(kind, keys):
    torch.manual_seed(0)
    layer = kind(8, 8, groups=8, bias=False, **keys)
    feature = torch.randn(1, 8, 9, 14)
    before = gradients(layer, feature, mixed=False)
    quicken_depthwise(layer)
    for one, other in zip(gradients(layer, feature, mixed=False), before, strict=True):
        assert torch.equal(one, other)


def test_only_slow_ones_take_the_other_way(monkeypatch):
    taken = []
    apply = precision._BackInFloat32.apply
    monkeypatch.setattr(
        precision._BackInFloat32, "apply", lambda *args: taken.append(args[1].shape) or apply(*args)
    )
    network = nn.Sequential(
        nn.Conv2d(3, 8, 5, padding=2, bias=False),  # not depthwise
        nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False),  # fast
        nn.Conv2d(8, 8, 3, padding=1, groups=8, stride=2),  # with a bias: as it is
        Conv2dSame(8, 8, 3, stride=2, groups=8, bias=False),
        nn.Conv2d(8, 8, 5, padding=2, groups=8, bias=False),
    )
    quicken_depthwise(network)
    quicken_depthwise(network)  # once more changes nothing
    with torch.autocast("cpu", torch.bfloat16):
        network(torch.randn(1, 3, 32, 32)).float().sum().backward()
        assert taken == [(8, 1, 3, 3), (8, 1, 5, 5)]
        with torch.inference_mode():
            network(torch.randn(1, 3, 32, 32))
    assert len(taken) == 2
    assert next(iter(network.state_dict())) == "0.weight" and len(network.state_dict()) == 6
