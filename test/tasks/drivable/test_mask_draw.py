# SPDX-License-Identifier: Apache-2.0
"""The drivable surface on pictures: a tint, an outline, and what is not labelled."""

import numpy as np

from shared_encoder_perception.drawing.overlay import draw, draw_labels
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.drivable import draw as mask_draw
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.drivable.labels import Label

SIZE = (320, 800)
GREY = np.full((*SIZE, 3), 100, np.uint8)
NAME = "drivable_surface"


def test_the_mask_tints_its_pixels_only():
    probability = np.zeros(SIZE, np.uint8)
    probability[200:300, 300:500] = 255
    picture = draw(GREY, Perception(SIZE, {NAME: DrivableMask(probability)}))
    assert (picture[250, 400] != 100).any()
    assert picture[250, 600].tolist() == [100, 100, 100]
    assert not (picture[:50, :50] != 100).any(), "no legend"


def test_what_is_not_labelled_is_darkened():
    mask = np.zeros(SIZE, np.uint8)
    mask[200:300, 300:500], mask[:100] = 255, 127
    picture = draw_labels(GREY, {NAME: Label(mask)})
    assert (picture[250, 400] != 100).any()
    assert picture[50, 50].tolist() == [50] * 3
    assert picture[150, 50].tolist() == [100] * 3
    canvas = GREY.copy()
    mask_draw.outline_label(canvas, Label(mask))
    assert canvas[200, 400].min() > 230 and (canvas[:150] == 100).all()


def test_a_resized_mask_has_the_size_and_its_place():
    probability = np.zeros(SIZE, np.uint8)
    probability[160:] = 255
    small = mask_draw.resized(DrivableMask(probability, 77), SIZE, (32, 80))
    assert small.probability.shape == (32, 80) and small.threshold == 77
    assert (small.binary()[:16] == 0).all() and (small.binary()[16:] == 255).all()
