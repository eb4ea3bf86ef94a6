# SPDX-License-Identifier: Apache-2.0
"""The edge of what the network saw, in every picture that shows more than that."""

import cv2
import numpy as np
import pytest

from shared_encoder_perception.drawing.overlay import draw, draw_beside_labels, resized
from shared_encoder_perception.node.debug_overlay import DebugOptions, render
from shared_encoder_perception.structures import Crop, Perception

SIZE = (480, 640)
GREY = np.full((*SIZE, 3), 100, np.uint8)
CROP = Crop(0, 224, 640, 256)


def marked(picture, area):
    """Return the share of rows or columns of an area that differ from the plain grey."""
    return (picture[area] != 100).any(axis=2).mean()


def test_a_dashed_line_runs_along_the_edge_and_the_legend_says_what_it_is():
    picture = draw(GREY, Perception(SIZE, {}, crop=CROP))
    along = (picture[222:226] != 100).any(axis=(0, 2))
    assert 0.5 < along.mean() < 0.98, "dashes and gaps, from side to side"
    assert along[:40].any() and along[-40:].any()
    assert marked(picture, np.s_[:20, :200]) > 0.7, "the legend"
    assert marked(picture, np.s_[25:218]) == marked(picture, np.s_[232:]) == 0


@pytest.mark.parametrize("crop", [None, Crop(0, 0, 640, 480)])
def test_nothing_is_drawn_where_all_was_seen_or_nobody_says(crop):
    assert np.array_equal(draw(GREY, Perception(SIZE, {}, crop=crop)), GREY)


def test_every_side_inside_of_the_picture_is_drawn():
    picture = draw(GREY, Perception(SIZE, {}, crop=Crop(200, 100, 300, 200)))
    for side in (
        np.s_[120:280, 198:203],
        np.s_[120:280, 497:502],
        np.s_[98:102, 220:480],
        np.s_[298:302, 220:480],
    ):
        assert marked(picture, side) > 0.15
    assert marked(picture, np.s_[120:280, 220:480]) == 0


def test_the_debug_picture_scales_the_edge():
    large = cv2.resize(GREY, (1600, 1200))
    perception = Perception((1200, 1600), {}, crop=Crop(0, 560, 1600, 640))
    assert resized(perception, (600, 800)).crop == Crop(0, 280, 800, 320)
    picture = render(large, perception, [], DebugOptions(overlay_width=800))
    assert marked(picture, np.s_[277:283]) > 0.2
    assert marked(picture, np.s_[100:270]) == 0


def test_beside_labels_only_what_another_crop_left_out_is_marked():
    other = Crop(0, 300, 640, 180)
    same = draw_beside_labels(GREY, Perception(SIZE, {}, crop=CROP), {}, CROP)
    assert np.array_equal(same, GREY[CROP.window])
    narrower = draw_beside_labels(GREY, Perception(SIZE, {}, crop=other), {}, CROP)
    assert marked(narrower, np.s_[300 - 224 - 2 : 300 - 224 + 2]) > 0.2
