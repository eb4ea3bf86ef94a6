# SPDX-License-Identifier: Apache-2.0
"""Lines of text in the corners of a picture: all of them are in it."""

import numpy as np
import pytest

from shared_encoder_perception.drawing.text import draw_legend, draw_notes

SIZE = (160, 800)


def written(count, draw):
    """Return which pixels of a grey picture so many lines change, and the picture."""
    canvas = np.full((*SIZE, 3), 120, np.uint8)
    lines = [(f"line {index}", (0, 0, 255)) for index in range(count)]
    draw(canvas, lines if draw is draw_legend else [text for text, _ in lines])
    return (canvas != 120).any(axis=2), canvas


@pytest.mark.parametrize("draw", [draw_legend, draw_notes])
def test_what_is_too_high_goes_on_in_the_next_column(draw):
    few, _ = written(4, draw)
    many, canvas = written(20, draw)
    assert np.flatnonzero(many.any(axis=0)).size > 2.5 * np.flatnonzero(few.any(axis=0)).size
    side = slice(0, 5) if draw is draw_legend else slice(-5, None)
    assert many[:, side].any()
    ink = canvas.max(axis=2) > 200
    assert ink.sum() > 0 and not ink[-1].any(), "no line is cut off below"


def test_each_line_leaves_ink():
    _, four = written(4, draw_legend)
    _, sixteen = written(16, draw_legend)
    ink = [int((one[..., 2] > 200).sum()) for one in (four, sixteen)]
    assert 3.5 * ink[0] < ink[1] < 5 * ink[0]
