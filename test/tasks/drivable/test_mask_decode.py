# SPDX-License-Identifier: Apache-2.0
"""The mask's decoder: its threshold, its calibration, and nothing outside of the crop."""

import numpy as np
import pytest

from shared_encoder_perception.images.preprocess import Crop, ImageTransform
from shared_encoder_perception.tasks.byte_confidence import calibrated_probability, calibrated_table
from shared_encoder_perception.tasks.drivable.decode import Decoder, Options
from shared_encoder_perception.tasks.drivable.spec import Block

SIZE = (320, 800)
SAME = ImageTransform.fit(SIZE, SIZE)
VALUES = np.arange(SIZE[0] * SIZE[1]).astype(np.uint8).reshape(SIZE)
"""Every byte, many times."""


def decode(block=None, transform=SAME, options=None):
    block = block or Block()
    return Decoder(block, SIZE)({"mask": VALUES}, transform, options or Options.of(block))


def test_mask_table_rises_and_is_the_identity_where_nothing_changes():
    assert np.array_equal(calibrated_table(1.0, 0.0), np.arange(256))
    for temperature, bias in ((0.5, 0.0), (2.0, 1.0), (1.3, -2.0)):
        assert np.all(np.diff(calibrated_table(temperature, bias).astype(int)) >= 0)
    flat = calibrated_table(2.0, 0.0).astype(int)
    assert 0 < flat[0] < 20 and 235 < flat[255] < 255
    assert np.abs(flat + flat[::-1] - 255).max() <= 1
    assert np.isfinite(calibrated_probability(1e-3, 0.0)).all()


def test_the_mask_is_calibrated_before_it_leaves_the_crop():
    cautious = Block(mask_temperature=2.0, mask_bias=0.5)
    assert np.array_equal(decode().probability, VALUES)
    assert np.array_equal(decode(cautious).probability, calibrated_table(2.0, 0.5)[VALUES])
    transform = ImageTransform.fit((400, 800), SIZE, Crop(0, 80, 800, 320))
    assert not decode(cautious, transform).probability[:80].any()


@pytest.mark.parametrize(
    ("threshold", "lowest"), [(0.5, 128), (0.0, 1), (1.0, 255), (0.502, 129), (100 / 255, 100)]
)
def test_a_pixel_counts_from_the_threshold_on_and_never_without_any_probability(threshold, lowest):
    mask = decode(options=Options(threshold))
    assert np.array_equal(mask.binary() > 0, np.greater_equal(VALUES, lowest))


def test_the_threshold_is_the_one_that_the_model_was_shipped_with():
    assert Options.of(Block(mask_threshold=0.7)) == Options(0.7)
    assert decode(Block(mask_threshold=0.7)).threshold == 179
