# SPDX-License-Identifier: Apache-2.0
"""Pictures: ahead is up, left is left, and every camera shows what stands in front of it."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
from surround_scene import (
    GRID,
    LABEL,
    NARROW,
    answer_of,
    four_cameras,
    one_vehicle,
    partly_in_view,
    seen_behind_nothing,
    truth_of,
)

from shared_encoder_perception.rig.ground_map import GroundLabel
from shared_encoder_perception.tasks.surround import draw
from shared_encoder_perception.tasks.surround.answer import Surround

SIZE = (240, 400)


def is_colour(picture, colour, within=12):
    """Return the pixels (h, w) of about a colour."""
    return (np.abs(picture.astype(int) - colour) <= within).all(axis=-1)


@pytest.mark.parametrize(("x", "y"), [(12.2, 6.1), (20.3, -8.2), (-8.1, 4.2), (-6.2, -12.3)])
def test_a_vehicle_is_drawn_where_it_is(x, y):
    picture = draw.picture(answer_of(one_vehicle(x, y)))
    height, width = picture.shape[:2]
    rows, columns = np.nonzero(is_colour(picture, draw.VEHICLE))
    x_min, y_min, x_max, y_max = GRID.extent_m
    row = (x_max - x) / (x_max - x_min) * height
    column = (y_max - y) / (y_max - y_min) * width
    assert (rows.mean(), columns.mean()) == pytest.approx((row, column), abs=3)
    place = draw.pixels(GRID, np.array((x, y)))
    assert tuple(place) == pytest.approx((column - 0.5, row - 0.5))


def test_a_picture_is_as_high_as_its_grid_is_long():
    picture = draw.picture(answer_of(one_vehicle(5.0, 1.0), block=NARROW))
    zoom = draw.zoom_of(NARROW.grid)
    assert picture.shape == (NARROW.cells_x * zoom, NARROW.cells_y * zoom, 3)


def test_the_more_probable_the_more_of_its_colour():
    answer = answer_of(GroundLabel(None, LABEL.drivable))
    shades = []
    for share in (0.0, 0.5, 1.0):
        said = replace(answer, drivable=np.full(GRID.shape, share, np.float32))
        shades.append(draw.picture(said)[5, 200].astype(int))
    assert tuple(shades[0]) == draw.GROUND
    assert tuple(shades[2]) == draw.DRIVABLE
    assert shades[1] == pytest.approx((shades[0] + shades[2]) / 2, abs=1)


def test_what_is_not_seen_is_hatched():
    seen = seen_behind_nothing()
    picture = draw.picture(answer_of(seen=seen))
    zoom = draw.zoom_of(GRID)
    corner = picture[-5 * zoom :, -5 * zoom :]  # behind, on the right
    assert (is_colour(corner, draw.UNSEEN, 0) | is_colour(corner, draw.HATCH, 0)).all()
    assert is_colour(corner, draw.HATCH, 0).any()
    seen_part = picture[: 20 * zoom]  # rings have shades of any grey
    assert is_colour(seen_part, draw.HATCH, 0).mean() < 0.001


def test_errors_are_shown_where_they_are():
    true = truth_of(one_vehicle(10.0, 5.0))
    right = draw.error_picture(answer_of(one_vehicle(10.0, 5.0)), true)
    assert not is_colour(right, draw.MISSED[0], 3).any()
    wrong = draw.error_picture(answer_of(one_vehicle(10.0, -5.0)), true)
    missed = np.nonzero(is_colour(wrong, draw.MISSED[0], 3))[1].mean()
    false = np.nonzero(is_colour(wrong, draw.FALSE[0], 3))[1].mean()
    assert missed < wrong.shape[1] / 2 < false  # the vehicle is on the left, and was put right


def test_of_a_label_what_is_hidden_is_darker_and_of_the_answer_nothing():
    known = truth_of(partly_in_view())
    (_, bright, _), (answer, dark, error) = (
        draw.panels(answer_of(), one) for one in (truth_of(), known)
    )
    half = bright.shape[1] // 2
    assert dark[:, :half].mean() < 0.75 * bright[:, :half].mean()
    assert np.array_equal(dark[:, half + 20 :], bright[:, half + 20 :])
    assert np.array_equal(answer, draw.picture(answer_of()))
    assert error[:, :half].mean() < 0.8 * error[:, half:].mean()


def test_panels_are_named_and_of_one_size():
    panels = draw.panels(answer_of(), truth_of())
    assert len(panels) == len(draw.PANELS)
    assert len({panel.shape for panel in panels}) == 1
    masks = Surround(GRID, np.ones(GRID.shape, np.bool_), drivable=answer_of().drivable)
    assert len(draw.panels(masks, truth_of())) == len(draw.PANELS)


def test_the_legend_names_what_there_is():
    texts = [text for text, _ in draw.legend(answer_of())]
    assert "4 objects" in texts
    assert "1 object" in [text for text, _ in draw.legend(answer_of(one_vehicle(10.0, 0.0)))]
    masks = Surround(GRID, np.ones(GRID.shape, np.bool_), drivable=answer_of().drivable)
    assert [text for text, _ in draw.legend(masks)] == ["drivable", "hatched: not seen"]


@pytest.mark.parametrize(
    ("place", "name"),
    [((12.0, 1.0), "front"), ((0.5, 9.0), "left"), ((-10.0, -1.0), "rear"), ((0.5, -9.0), "right")],
)
def test_an_object_is_in_the_picture_of_the_camera_that_looks_there(place, name):
    answer, rig = answer_of(one_vehicle(*place)), four_cameras()
    for camera in rig.cameras:
        canvas = np.zeros((*SIZE, 3), np.uint8)
        draw.paint(canvas, answer, camera)
        assert canvas.any() == (camera.name == name)


def test_a_drawn_box_stands_where_its_feet_are_seen():
    (camera,) = four_cameras().only(["front"]).cameras
    answer = answer_of(one_vehicle(12.0, 2.0))
    canvas = np.zeros((*SIZE, 3), np.uint8)
    draw.paint(canvas, answer, camera)
    rows, columns = np.nonzero(is_colour(canvas, draw.OBJECT, 60))
    seen = camera.see(answer.objects[0].box().corners())
    assert columns.min() == pytest.approx(seen[:, 0].min(), abs=4)
    assert rows.max() == pytest.approx(seen[:, 1].max(), abs=4)
    assert columns.mean() < SIZE[1] / 2  # on the left


def test_of_a_box_beside_the_camera_the_part_in_the_picture_is_drawn():
    (camera,) = four_cameras().only(["front"]).cameras
    canvas = np.zeros((*SIZE, 3), np.uint8)
    draw.paint_label(canvas, one_vehicle(3.5, 2.2, 0.0, 5.0, 2.0), camera)
    assert canvas.any()
    columns = np.nonzero(canvas.any(axis=(0, 2)))[0]
    assert columns.max() < SIZE[1] / 2
    assert columns.min() < 10  # an edge leaves the picture


def test_a_picture_of_another_size_is_refused_by_its_cameras_name():
    with pytest.raises(ValueError, match="camera front"):
        draw.paint(np.zeros((10, 10, 3), np.uint8), answer_of(), four_cameras()["front"])


def test_drawing_changes_nothing_but_the_canvas():
    answer, true, label = answer_of(), truth_of(), LABEL
    before = deepcopy((vars(answer), vars(true)))
    draw.panels(answer, true)
    for camera in four_cameras().cameras:
        draw.paint(np.zeros((*SIZE, 3), np.uint8), answer, camera)
        draw.paint_label(np.zeros((*SIZE, 3), np.uint8), label, camera)
    for one, other in zip(before, (vars(answer), vars(true)), strict=True):
        for key, value in one.items():
            np.testing.assert_array_equal(other[key], value)
