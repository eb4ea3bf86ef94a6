# SPDX-License-Identifier: Apache-2.0
"""debug_overlay and birds_eye: what was perceived shows, at any size."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from ground_lines import SIZE, ground_lanes, ground_line, ground_perception
from perceptions import perception as perception_of

from shared_encoder_perception.backends import DEFAULT_MODEL, load_backend
from shared_encoder_perception.drawing.overlay import draw
from shared_encoder_perception.node.debug_overlay import DebugOptions, encode_jpeg, notes_of, render
from shared_encoder_perception.node.parameter_groups.debug import PARAMETERS
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.tasks.lanes.answer import LaneId, LaneLine, LaneStatus
from shared_encoder_perception.tasks.lanes.birds_eye import BEHIND_M, FAR_M, SIDE_M, draw_birds_eye
from shared_encoder_perception.tasks.lanes.draw import LANE_COLOURS
from shared_encoder_perception.world.synthetic import render_sample

GREY = np.full((*SIZE, 3), 100, np.uint8)
FLAT = DebugOptions(overlay_birds_eye=False)


def share(picture, lane, tolerance=40):
    """How many pixels have a lane's colour."""
    near = np.abs(picture.astype(int) - LANE_COLOURS[lane]).max(axis=2) < tolerance
    return near.sum()


def test_defaults_and_parameters_agree():
    values = {parameter.name: parameter.default for parameter in PARAMETERS}
    assert DebugOptions.from_parameters(values.__getitem__) == DebugOptions()
    assert all(parameter.allows(parameter.default) for parameter in PARAMETERS)
    assert not any(parameter.read_only for parameter in PARAMETERS)


def test_without_ground_the_overlay_is_the_image_with_lanes():
    lanes = tuple(
        LaneLine(line.lane_id, line.status, line.confidence, line.points_px, line.x_std_px)
        for line in ground_lanes()
    )
    perception = perception_of(SIZE, lanes, None)
    before = GREY.copy()
    picture = render(GREY, perception, [], DebugOptions())
    assert picture.shape == GREY.shape
    np.testing.assert_array_equal(GREY, before)
    np.testing.assert_array_equal(picture, draw(GREY, perception))


def test_with_ground_the_view_from_above_stands_beside():
    picture = render(GREY, ground_perception(), [], DebugOptions())
    assert picture.shape == (320, 800 + 240, 3)
    assert share(picture[:, 800:], LaneId.EGO) > 100
    assert render(GREY, ground_perception(), [], FLAT).shape == GREY.shape


@pytest.mark.parametrize(("width", "expected"), [(400, (160, 400)), (800, SIZE), (1600, SIZE)])
def test_the_overlay_is_reduced_but_not_enlarged(width, expected):
    options = DebugOptions(overlay_width=width, overlay_birds_eye=False)
    picture = render(GREY, ground_perception(), [], options)
    assert picture.shape[:2] == expected
    assert share(picture, LaneId.EGO) > 50


def test_lanes_keep_their_place_when_reduced():
    perception = ground_perception()
    small = render(GREY, perception, [], DebugOptions(overlay_width=400, overlay_birds_eye=False))
    x, y = (perception.answers["lanes"][0].points_px[2] + 0.5) / 2 - 0.5
    patch = small[round(y) - 1 : round(y) + 2, round(x) - 1 : round(x) + 2]
    assert share(patch, LaneId.EGO, 60) > 0


def test_notes_are_written_at_the_right_and_only_there():
    bare = render(GREY, ground_perception(), [], FLAT)
    noted = render(GREY, ground_perception(), ["default 0.4.0", "inference 9.8 ms"], FLAT)
    rows, columns = np.nonzero((bare != noted).any(axis=2))
    assert rows.max() < 60 and columns.min() > 500 and len(rows) > 200


def test_notes_say_model_times_and_drops():
    stages = {"waiting": 0.31, "inference": 9.8, "something": 1.0}
    assert notes_of("m 1", stages, 3) == [
        "m 1",
        "waiting 0.3 ms",
        "inference 9.8 ms",
        "3 replaced",
    ]
    assert notes_of("m 1", {}, 0) == ["m 1"]


def test_a_predicted_lane_is_dashed():
    solid = draw(GREY, ground_perception())
    dashed = draw(GREY, ground_perception(ego=LaneStatus.PREDICTED))
    line = ground_lanes()[0].points_px
    rows = np.arange(int(line[-1, 1]) + 10, int(line[0, 1]) - 5)
    columns = np.interp(rows, line[::-1, 1], line[::-1, 0]).round().astype(int)

    def lit(picture):
        return np.abs(picture[rows, columns].astype(int) - LANE_COLOURS[LaneId.EGO]).max(1) < 60

    assert lit(solid).all()
    assert 0.3 < lit(dashed).mean() < 0.8
    changes = np.abs(np.diff(lit(dashed).astype(int))).sum()
    assert changes >= 6, "several dashes"


def test_from_above_left_is_left_and_far_is_up():
    size = (420, 200)
    picture = draw_birds_eye([ground_line(LaneId.LEFT_EGO)], size)
    near = np.abs(picture.astype(int) - LANE_COLOURS[LaneId.LEFT_EGO]).max(axis=2) < 30
    rows, columns = np.nonzero(near)
    assert columns.max() < 100, "y > 0 is on the left"
    row_of = (size[0] - 1) / (FAR_M + BEHIND_M)
    assert rows.max() == pytest.approx((FAR_M - 6.0) * row_of, abs=3)
    assert rows.min() == pytest.approx((FAR_M - 47.0) * row_of, abs=3)
    column = (SIDE_M - 3.9) / (2 * SIDE_M) * (size[1] - 1)
    assert columns[rows > rows.max() - 5].mean() == pytest.approx(column, abs=3)


def test_the_band_from_above_shows_the_deviation():
    size = (420, 200)
    with_band = draw_birds_eye([ground_line(LaneId.EGO)], size)
    without = draw_birds_eye([], size)
    changed = (with_band != without).any(axis=2).sum(axis=1)
    row = round((FAR_M - 40.0) * (size[0] - 1) / (FAR_M + BEHIND_M))
    width_m = changed[row] * 2 * SIDE_M / (size[1] - 1)
    assert width_m == pytest.approx(4 * (0.05 + 0.4), abs=0.25)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (40, 30), (1080, 576)])
def test_any_size_can_be_drawn_from_above(size):
    assert draw_birds_eye(ground_lanes().lines, size).shape == (*size, 3)


def test_quality_counts_and_jpegs_decode():
    noise = np.random.default_rng(0).integers(0, 255, (64, 80, 3), dtype=np.uint8)
    small, large = encode_jpeg(noise, 10), encode_jpeg(noise, 95)
    assert len(small) < len(large) / 2
    assert cv2.imdecode(np.frombuffer(small, np.uint8), cv2.IMREAD_COLOR).shape == noise.shape


def seen_of(*names):
    """What the default model says of a picture, of some tasks."""
    predictor = Predictor(load_backend(DEFAULT_MODEL, "onnxruntime"))
    image = render_sample(1, tasks=()).image
    said = predictor(image)
    return image, replace(said, answers={name: said.answers[name] for name in names})


def test_what_has_a_debug_topic_of_its_own_is_left_out_of_the_overlay():
    image, all_of_it = seen_of("lanes", "drivable_surface", "semantic", "depth")
    two = replace(
        all_of_it, answers={n: all_of_it.answers[n] for n in ("lanes", "drivable_surface")}
    )
    shown = render(image, all_of_it, [], FLAT)
    np.testing.assert_array_equal(shown, draw(image, two))
    everything = render(image, all_of_it, [], replace(FLAT, overlay_all=True))
    np.testing.assert_array_equal(everything, draw(image, all_of_it))
    assert not np.array_equal(shown, everything)


def test_where_nothing_else_was_asked_the_overlay_shows_it():
    image, classes = seen_of("semantic")
    np.testing.assert_array_equal(render(image, classes, [], FLAT), draw(image, classes))
