# SPDX-License-Identifier: Apache-2.0
"""Lines and areas: where they are said to be, and nowhere else."""

import numpy as np
import pytest

from shared_encoder_perception.drawing.shapes import (
    dashes,
    draw_line,
    outline_area,
    outline_line,
    tint_area,
)

COLOUR = (66, 228, 240)


def grey():
    return np.full((100, 200, 3), 100, np.uint8)


@pytest.mark.parametrize(("length", "count"), [(1.0, 5), (3.0, 2), (100.0, 1)])
def test_dashes_begin_and_end_with_the_line(length, count):
    line = np.array([[0.0, 0.0], [4.0, 3.0], [4.0, 8.0]])
    pieces = dashes(line, length)
    assert len(pieces) == count
    assert pieces[0][0].tolist() == [0, 0] and pieces[-1][-1].tolist() == [4, 8]
    lengths = [np.hypot(*np.diff(piece, axis=0).T).sum() for piece in pieces]
    np.testing.assert_allclose(lengths, 10 / (2 * count - 1))


def test_a_line_has_its_colour_and_a_dark_rim():
    canvas = grey()
    draw_line(canvas, np.array([[50.0, 90.0], [50.0, 10.0]]), COLOUR)
    assert canvas[50, 50].tolist() == list(COLOUR)
    assert canvas[50, [47, 53]].max() < 100, "darker than the road"
    assert (canvas[50, 60:] == 100).all()


def test_a_dashed_line_has_gaps():
    canvas = grey()
    draw_line(canvas, np.array([[50.0, 90.0], [50.0, 10.0]]), COLOUR, dashed=True)
    lit = (canvas[10:91, 50] == COLOUR).all(axis=1)
    assert 0.3 < lit.mean() < 0.8 and lit[0] and lit[-1]


def test_an_outlined_line_is_thin_and_white():
    canvas = grey()
    outline_line(canvas, np.array([[50.0, 90.0], [50.0, 10.0]]))
    assert canvas[50, 50].min() > 230
    assert ((canvas[50] != 100).any(axis=1)).sum() <= 3


def test_a_tint_covers_its_pixels_only():
    canvas, area = grey(), np.zeros((100, 200), bool)
    area[20:60, 30:90] = True
    tint_area(canvas, area, COLOUR)
    assert (canvas[area] != 100).any(axis=1).all()
    assert (canvas[65:] == 100).all() and (canvas[:, 95:] == 100).all()


def test_the_outline_of_an_area_knows_its_holes():
    canvas, area = grey(), np.zeros((100, 200), bool)
    area[20:80, 30:90] = True
    area[40:60, 50:70] = False
    outline_area(canvas, area)
    assert canvas[20, 60].min() > 230
    assert canvas[39, 60].min() > 230, "the hole"
    assert (canvas[30, 40:80] == 100).all(), "inside"
