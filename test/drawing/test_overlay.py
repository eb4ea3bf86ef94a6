# SPDX-License-Identifier: Apache-2.0
"""overlay: every task shows, in its layer, and nothing else changes."""

from types import SimpleNamespace

import numpy as np
import pytest

from shared_encoder_perception import tasks
from shared_encoder_perception.drawing.overlay import (
    draw,
    draw_beside_labels,
    draw_labels,
    outline_labels,
    resized,
)
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.structures import Perception

SIZE = (320, 800)
GREY = np.full((*SIZE, 3), 100, np.uint8)
RED, BLUE = (0, 0, 255), (255, 0, 0)


class Square:
    """An answer, and a label too: a square of the picture."""

    def __init__(self, corner, size=SIZE):
        self.corner, self.size = corner, size

    def check(self, image_size):
        pass


def room(layer, colour):
    """Return a room that can be drawn: its answers are squares of a colour."""

    def paint(canvas, answer, scale):
        assert scale == canvas.shape[1] / 800
        y, x = answer.corner
        canvas[y : y + 40, x : x + 40] = colour

    def outline(canvas, label):
        y, x = label.corner
        canvas[y, x : x + 40] = 255

    return SimpleNamespace(
        draw=SimpleNamespace(
            LAYER=layer,
            paint=paint,
            legend=lambda answer: [(f"layer {layer}", colour)],
            paint_label=paint,
            outline_label=outline,
            resized=lambda answer, image_size, size: Square(answer.corner, size),
        )
    )


@pytest.fixture(autouse=True)
def rooms(monkeypatch):
    """``over`` is painted over ``under``, whichever comes first; ``hidden`` cannot be drawn."""
    found = {"over": room(9, RED), "under": room(1, BLUE), "hidden": SimpleNamespace()}
    parts = {name: vars(one).get for name, one in found.items()}
    monkeypatch.setattr(tasks, "find_part", lambda name, file: parts[name](file))
    return tuple(found)


def perception(**corners):
    return Perception(SIZE, {name: Square(corner) for name, corner in corners.items()})


def test_the_input_is_not_drawn_on():
    before = GREY.copy()
    draw(GREY, perception(over=(200, 400)))
    assert np.array_equal(GREY, before)


@pytest.mark.parametrize("order", [("over", "under"), ("under", "over")])
def test_higher_layers_are_painted_over_lower_ones(order):
    picture = draw(GREY, perception(**dict.fromkeys(order, (200, 400))))
    assert picture[220, 420].tolist() == list(RED)
    labelled = draw_labels(GREY, dict.fromkeys(order, Square((200, 400))))
    assert labelled[220, 420].tolist() == list(RED)


def test_a_task_without_drawing_does_not_show():
    assert np.array_equal(draw(GREY, perception(hidden=(0, 0))), GREY)
    assert not resized(perception(hidden=(0, 0)), (8, 8)).answers


def test_legends_stand_below_each_other_in_the_order_of_layers():
    picture = draw(GREY, perception(over=(200, 400), under=(100, 400)))[:, :80].astype(int)
    rows = {
        colour: np.nonzero((np.abs(picture - colour).max(axis=2) < 60).any(axis=1))[0].mean()
        for colour in (RED, BLUE)
    }
    assert rows[BLUE] + 10 < rows[RED] < 50


def test_the_legend_is_readable_on_a_white_road():
    white = np.full((*SIZE, 3), 255, np.uint8)
    corner = draw(white, perception(over=(200, 400)))[:20, :80]
    assert (np.abs(corner.astype(int) - RED).max(axis=2) < 60).sum() > 50
    assert np.median(corner) < 100, "on a dark ground"


def test_beside_labels_the_part_that_was_seen_is_drawn():
    crop = Crop(300, 150, 200, 100)
    labels = {"under": Square((180, 400)), "hidden": Square((0, 0))}
    both = perception(over=(200, 400), under=(0, 0))
    picture = draw_beside_labels(GREY, both, labels, crop)
    assert picture.shape == (100, 200, 3)
    assert picture[60, 110].tolist() == list(RED)
    assert (picture[30, 100:140] == 255).all()
    without = draw_beside_labels(GREY, perception(over=(200, 400)), {}, crop)
    assert (without[30, 100:140] == 100).all()


def test_outlines_change_the_picture_given():
    canvas = GREY.copy()
    outline_labels(canvas, {"over": Square((10, 10))})
    assert (canvas != GREY).any(axis=2).sum() == 40


def test_resized_asks_every_room():
    small = resized(perception(over=(1, 1), under=(2, 2)), (32, 80))
    assert small.image_size == (32, 80)
    assert [answer.size for answer in small.answers.values()] == [(32, 80)] * 2


def test_another_size_is_refused():
    with pytest.raises(ValueError, match="the perception is of"):
        draw(np.zeros((10, 10, 3), np.uint8), perception())


def test_labels_of_tasks_that_are_not_answered_do_not_hide_the_answer():
    perception = Perception(SIZE, {"under": Square((100, 100))})
    labels = {"under": Square((200, 200)), "over": Square((250, 250))}
    picture = draw_beside_labels(GREY, perception, labels, Crop(0, 0, 800, 320))
    assert (picture[200, 200:240] == 255).all()
    assert (picture[250, 250:290] == 100).all()
