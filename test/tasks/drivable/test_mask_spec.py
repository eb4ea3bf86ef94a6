# SPDX-License-Identifier: Apache-2.0
"""The mask's block: what it refuses, and what the network is to give."""

import pytest

from shared_encoder_perception.spec import SpecError, Tensor
from shared_encoder_perception.tasks.drivable.spec import Block


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mask_threshold": 0.0}, "mask_threshold is 0.0, expected between 0 and 1"),
        ({"mask_threshold": 1.0}, "mask_threshold"),
        ({"mask_temperature": 0.0}, "expected a number above 0"),
        ({"mask_temperature": float("inf")}, "expected a number above 0"),
        ({"mask_bias": float("nan")}, "mask_bias"),
    ],
)
def test_a_bad_block_is_refused(changes, message):
    with pytest.raises(SpecError, match=message):
        Block(**changes)


def test_there_is_a_byte_for_each_pixel_and_nothing_but_the_image_is_needed():
    assert Block().outputs((64, 96)) == {"mask": Tensor("uint8", (64, 96))}
    assert Block().inputs((64, 96)) == {}
