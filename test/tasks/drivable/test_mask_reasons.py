# SPDX-License-Identifier: Apache-2.0
"""When the drivable surface is worth labelling."""

import numpy as np

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.drivable.reasons import UNSURE_MASK, planes, reasons


def test_pixels_between_yes_and_no_are_unsure_inside_the_crop_only():
    probability = np.zeros((10, 20), np.uint8)
    probability[5:, :5] = 128
    answer = DrivableMask(probability)
    assert reasons(answer, Crop(0, 5, 20, 5))[UNSURE_MASK] == (0.25, "25.0% of the mask")
    assert reasons(answer, Crop(10, 0, 10, 10))[UNSURE_MASK].score == 0.0
    probability[5:, :5] = 250
    assert reasons(DrivableMask(probability), Crop(0, 5, 20, 5))[UNSURE_MASK].score == 0.0
    (plane,) = planes(answer, Crop(0, 5, 20, 5))
    assert plane.shape == (5, 20)
