# SPDX-License-Identifier: Apache-2.0
"""Flow without labels: what stands, what moves by a known length, what was hidden, what is cut."""

import numpy as np
import pytest
from unlabelled_pictures import cut_out, texture

from shared_encoder_perception.continual.supervision.flow import flow_between

SIZE = (120, 200)


def test_what_stands_has_no_flow_and_all_of_it_agrees():
    picture = texture(SIZE)
    found = flow_between(picture, picture)
    assert not found.field.any() and found.agreed.all()
    assert (found.field.dtype, found.agreed.dtype) == (np.float32, np.bool_)


@pytest.mark.parametrize("way", [(4.0, 0.0), (-3.0, 2.0), (2.5, -1.25)])
def test_a_moved_picture_is_found_again_to_half_a_pixel(way):
    """The camera went to the right by ``way``: what is at x now was at x + way."""
    whole = texture(SIZE, margin=8)
    before, now = cut_out(whole, 8, 8, SIZE), cut_out(whole, 8 + way[0], 8 + way[1], SIZE)
    field, agreed = flow_between(before, now)
    assert agreed.mean() > 0.85
    assert np.abs(field[agreed] - way).max() <= 0.5
    assert np.abs(field[agreed] - way).mean() <= 0.1


def test_what_leaves_the_picture_does_not_agree():
    whole = texture(SIZE, margin=10)
    before, now = cut_out(whole, 10, 10, SIZE), cut_out(whole, 18, 10, SIZE)
    _, agreed = flow_between(before, now)
    assert not agreed[:, -7:].any()  # was right of the earlier picture
    assert agreed[10:-10, 10:-20].mean() > 0.95


def test_what_a_square_hid_before_it_moved_on_is_left_out():
    ground, square = texture(SIZE, seed=1), texture((40, 40), seed=2)
    pictures = []
    for x in (60, 68):  # to the right by 8
        picture = ground.copy()
        picture[40:80, x : x + 40] = square
        pictures.append(picture)
    field, agreed = flow_between(*pictures)
    assert agreed[42:78, 60:68].mean() < 0.2
    inside = np.s_[46:74, 76:102]
    assert agreed[inside].mean() > 0.95
    assert np.abs(field[inside] - (-8, 0)).mean() < 0.1
    assert agreed[:30].mean() > 0.95 and np.abs(field[:30]).max() < 0.5


def test_across_a_cut_nothing_agrees():
    assert not flow_between(texture(SIZE, seed=1), texture(SIZE, seed=2)).agreed.any()
