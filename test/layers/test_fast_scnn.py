# SPDX-License-Identifier: Apache-2.0
"""Fast-SCNN's parts: parameters counted by hand, means as torch has them, what sees how far."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from torch.nn.functional import adaptive_avg_pool2d

from shared_encoder_perception.layers.bottleneck import Bottleneck
from shared_encoder_perception.layers.encoder import STRIDES, Encoder
from shared_encoder_perception.layers.encoder_weights import WeightsError
from shared_encoder_perception.layers.fast_scnn import (
    BINS,
    FastScnnDecoder,
    FastScnnEncoder,
    PyramidPooling,
    means,
)

CHANNELS = (48, 64, 64, 128)


def count(module):
    return sum(one.numel() for one in module.parameters())


def convolved(inputs, outputs, kernel=1):
    """Weights of a convolution, and its batch norm."""
    return inputs * outputs * kernel**2 + 2 * outputs


def separable(inputs, outputs):
    return convolved(1, inputs, 3) + convolved(inputs, outputs)


def bottleneck(inputs, outputs):
    wide = 6 * inputs
    return convolved(inputs, wide) + convolved(1, wide, 3) + convolved(wide, outputs)


def images(height, width, number=2):
    return torch.randint(0, 256, (number, height, width, 3), dtype=torch.uint8)


def test_the_encoders_parameters_are_those_of_the_papers_table():
    down = convolved(3, 32, 3) + separable(32, 48) + separable(48, 64)
    stages = bottleneck(64, 64) + 2 * bottleneck(64, 64)
    stages += bottleneck(64, 96) + 2 * bottleneck(96, 96)
    stages += bottleneck(96, 128) + 2 * bottleneck(128, 128)
    pooling = 4 * (128 * 32 + 32) + convolved(256, 128)
    assert (down, stages, pooling) == (6_640, 1_016_448, 49_536)
    assert count(FastScnnEncoder()) == down + stages + pooling


def test_the_decoders_parameters_are_those_of_the_papers_table():
    fusion = convolved(1, 128, 3) + convolved(128, 128) + convolved(64, 128)
    assert count(FastScnnDecoder(CHANNELS)) == fusion + 2 * separable(128, 128)


@pytest.mark.parametrize("size", [(64, 160), (96, 32), (192, 480)])
def test_levels_have_the_sizes_of_their_strides(size):
    encoder = Encoder("fast_scnn").eval()
    assert tuple(encoder.channels) == CHANNELS
    with torch.inference_mode():
        levels = encoder(images(*size), size)
        merged = FastScnnDecoder(CHANNELS, 20).eval()(levels)
    expected = [
        (2, channels, size[0] // stride, size[1] // stride)
        for channels, stride in zip(CHANNELS, STRIDES, strict=True)
    ]
    assert [tuple(level.shape) for level in levels] == expected
    assert merged.shape == (2, 20, size[0] // 8, size[1] // 8)


@pytest.mark.parametrize("bins", BINS)
@pytest.mark.parametrize("size", [(6, 12), (10, 25), (2, 5), (1, 1), (7, 3)])
def test_means_are_those_of_torch(bins, size):
    feature = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    expected = adaptive_avg_pool2d(feature, bins)
    torch.testing.assert_close(means(feature, bins), expected, atol=1e-6, rtol=1e-5)


def test_means_at_their_limits():
    feature = torch.randn(2, 3, 6, 6)
    torch.testing.assert_close(means(feature, 6), feature)
    torch.testing.assert_close(means(feature, 1)[..., 0, 0], feature.mean(dim=(2, 3)))
    assert torch.allclose(means(torch.full((1, 2, 5, 7), 3.0), 3), torch.tensor(3.0))
    turned = means(feature.flip(3).transpose(2, 3), 3)
    torch.testing.assert_close(turned, means(feature, 3).flip(3).transpose(2, 3))


def test_a_bottleneck_that_adds_nothing_changes_nothing():
    block = Bottleneck(6, 6, 1).eval()
    feature = torch.randn(2, 6, 5, 7)
    assert not torch.allclose(block(feature), feature)
    torch.nn.init.zeros_(block.body[-1].weight)
    torch.testing.assert_close(block(feature), feature)
    assert Bottleneck(6, 6, 2).eval()(feature).shape == (2, 6, 3, 4)


def test_every_coarse_cell_sees_the_whole_picture_and_a_fine_one_does_not():
    """What the pooling is for: without it, cells that far apart know nothing of each other."""
    torch.manual_seed(0)
    network = FastScnnEncoder().eval()
    picture = torch.randn(1, 3, 64, 1536)
    other = picture.clone()
    other[..., -32:] += 1.0
    with torch.inference_mode():
        pairs = list(zip(network(picture), network(other), strict=True))
    changes = [(one - two).abs().amax(dim=(0, 1, 2)) for one, two in pairs]
    assert all(change[-1] > 0 for change in changes)
    assert [float(change[0]) for change in changes[:3]] == [0.0, 0.0, 0.0]
    assert (changes[3] > 0).all()


def test_the_decoder_reads_strides_8_and_32_alone():
    decoder = FastScnnDecoder(CHANNELS).eval()
    levels = [
        torch.randn(1, channels, 64 // stride, 96 // stride, requires_grad=True)
        for channels, stride in zip(CHANNELS, STRIDES, strict=True)
    ]
    decoder(levels).sum().backward()
    assert [level.grad is not None for level in levels] == [False, True, False, True]


def test_means_need_no_batch():
    """A picture is pooled as if it were alone, in training, too: no norm stands on its means."""
    pooling = PyramidPooling(8)
    feature = torch.randn(3, 8, 4, 5)
    for part, bins in zip(pooling.parts, BINS, strict=True):
        together, alone = (part(means(one, bins)) for one in (feature, feature[1:2]))
        torch.testing.assert_close(together[1:2], alone)
    assert pooling(feature[:1]).shape == (1, 8, 4, 5)


def test_weights_and_statistics_of_others_are_refused():
    for source in ("timm", "weights.pth", "some-package"):
        with pytest.raises(WeightsError, match=r"no pretrained weights for fast_scnn.*init=RUN"):
            Encoder("fast_scnn", source)
    with pytest.raises(ValueError, match=r"'own', but fast_scnn has no .* set it to 'imagenet'"):
        Encoder("fast_scnn", statistics="own")
    with pytest.raises(ValueError, match="statistics is 'mine', expected one of"):
        Encoder("fast_scnn", statistics="mine")
    with pytest.raises(ValueError, match=r"no encoder 'fastscnn'.*: use one of fast_scnn, "):
        Encoder("fastscnn")
