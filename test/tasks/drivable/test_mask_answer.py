# SPDX-License-Identifier: Apache-2.0
"""The mask of an image: what it refuses, and where its threshold lies."""

import numpy as np
import pytest

from shared_encoder_perception.tasks.drivable.answer import DrivableMask


def test_mask_threshold_splits_exactly():
    mask = DrivableMask(np.array([[127, 128]], np.uint8), threshold=128)
    assert mask.binary().tolist() == [[0, 255]]


@pytest.mark.parametrize("bad", [np.zeros((2, 2), np.float32), np.zeros((2, 2, 1), np.uint8)])
def test_bad_mask_is_refused(bad):
    with pytest.raises(ValueError, match="expected uint8"):
        DrivableMask(bad)


def test_it_is_not_copied_and_cannot_be_changed_through_it():
    source = np.zeros((2, 3), np.uint8)
    mask = DrivableMask(source)
    assert np.shares_memory(mask.probability, source)
    with pytest.raises(ValueError, match="read-only"):
        mask.probability[0, 0] = 1


def test_it_belongs_to_images_of_its_own_size():
    mask = DrivableMask(np.zeros((6, 4), np.uint8))
    mask.check((6, 4))
    with pytest.raises(ValueError, match="expected the image's"):
        mask.check((4, 6))
