# SPDX-License-Identifier: Apache-2.0
"""Masks of several pictures of one image: their mean, to the byte."""

import numpy as np
import pytest

from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.images.variants import parse_variants
from shared_encoder_perception.tasks.drivable.ensemble import merge
from shared_encoder_perception.tasks.drivable.spec import OUTPUT_MASK, Block

SIZE = (64, 160)


@pytest.mark.parametrize("stride", [1, 8])
def test_a_mask_is_averaged_with_its_mirror_image(stride):
    looks = [variant.look(ImageTransform.fit(SIZE, SIZE)) for variant in parse_variants("flip")]
    grid = (SIZE[0] // stride, SIZE[1] // stride)
    plain, mirrored = np.random.default_rng(0).integers(0, 256, (2, *grid), np.uint8)
    outputs = [{OUTPUT_MASK: plain}, {OUTPUT_MASK: mirrored}]
    found = merge(looks, outputs, Block(mask_stride=stride))[OUTPUT_MASK]
    total = plain.astype(int) + mirrored[:, ::-1]
    np.testing.assert_array_equal(found, (total + 1) // 2)  # halves up
    other = merge(looks, outputs[::-1], Block(mask_stride=stride))[OUTPUT_MASK]
    np.testing.assert_array_equal(other, found[:, ::-1])


def test_a_slope_is_the_same_slope_at_any_scale():
    """Cells that lie between those of a resized look get what lies between."""
    columns = np.arange(SIZE[1])
    text = "scale:0.5,scale:2"
    looks = [variant.look(ImageTransform.fit(SIZE, SIZE)) for variant in parse_variants(text)]
    outputs = []
    for scale in (1.0, 0.5, 2.0):
        seen_at = (columns - 79.5) / scale + 79.5
        row = np.clip(np.round(seen_at + 40), 0, 255).astype(np.uint8)
        outputs.append({OUTPUT_MASK: np.tile(row, (SIZE[0], 1))})
    found = merge(looks, outputs, Block())[OUTPUT_MASK].astype(int)
    error = found - (columns + 40)
    assert np.abs(error[:, 2:-2]).max() <= 1
    assert abs(error[:, 2:-2].mean()) < 0.3


def test_where_a_half_goes_does_not_depend_on_the_order():
    """Sums of tenths differ in their last bit, and thousands of means are just a half."""
    size = (320, 800)
    looks = [
        variant.look(ImageTransform.fit(size, size)) for variant in parse_variants("flip,scale:0.6")
    ]
    masks = np.random.default_rng(0).integers(0, 256, (4, *size), np.uint8)
    outputs = [{OUTPUT_MASK: mask} for mask in masks]
    found = merge(looks, outputs, Block())[OUTPUT_MASK]
    for order in ((1, 0, 3, 2), (3, 2, 1, 0), (2, 0, 3, 1)):
        again = merge([looks[one] for one in order], [outputs[one] for one in order], Block())
        np.testing.assert_array_equal(again[OUTPUT_MASK], found)
