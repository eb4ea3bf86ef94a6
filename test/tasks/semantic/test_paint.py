# SPDX-License-Identifier: Apache-2.0
"""Painted points: a scene of which every answer is known, and points that nobody sees."""

from __future__ import annotations

import numpy as np
import pytest
from painted_scene import LENSES, SIZE, camera, certain, picture, sweep, turned

from shared_encoder_perception.tasks.semantic.answer import SemanticMask
from shared_encoder_perception.tasks.semantic.classes import UNLABELLED
from shared_encoder_perception.tasks.semantic.paint import PaintOptions, paint
from shared_encoder_perception.tasks.semantic.tables import WORLD


@pytest.mark.parametrize("yaw", [0.0, 0.6, 2.5])
@pytest.mark.parametrize("lens", LENSES)
def test_every_point_of_a_known_scene_gets_its_class(lens, yaw):
    model = camera(lens)
    answer = picture(model, yaw)
    kind, points = sweep()
    seen = points @ turned(yaw)
    painted = paint(seen, model, answer, PaintOptions())
    known = painted.ids != UNLABELLED
    sure = certain(painted.ids, lens, yaw, answer, points)
    np.testing.assert_array_equal(painted.ids[sure], kind[sure])
    np.testing.assert_allclose(painted.probability[known], 200 / 255)
    assert not painted.probability[~known].any()


@pytest.mark.parametrize("lens", LENSES)
def test_nothing_behind_the_camera_is_painted(lens):
    """Dividing by a negative z mirrors a point into the picture."""
    _, points = sweep()
    everything = SemanticMask(np.zeros(SIZE, np.uint8), np.full(SIZE, 255, np.uint8), WORLD)
    painted = paint(points, camera(lens), everything, PaintOptions(near_m=0.5))
    behind = points[:, 2] < 0.5
    assert behind.any() and (painted.ids[behind] == UNLABELLED).all()
    assert (painted.ids[~behind] != UNLABELLED).any()


def test_a_point_behind_another_is_hidden_unless_somebody_wants_it():
    everything = SemanticMask(np.zeros(SIZE, np.uint8), np.full(SIZE, 255, np.uint8), WORLD)
    points = np.array([[0, 0, 8.0], [0, 0, 8.3], [0, 0, 25.0], [2.0, 0, 25.0]])
    seen = paint(points, camera(), everything, PaintOptions()).ids != UNLABELLED
    assert seen.tolist() == [True, True, False, True]
    seen = paint(points, camera(), everything, PaintOptions(cell_px=0)).ids != UNLABELLED
    assert seen.all()


def test_what_is_nowhere_is_not_painted_and_costs_nothing():
    everything = SemanticMask(np.zeros(SIZE, np.uint8), np.full(SIZE, 255, np.uint8), WORLD)
    inf = np.inf
    points = np.array([[np.nan] * 3, [0, 0, inf], [inf] * 3, [1e9, 0, 1.0], [0, 0, 0]])
    painted = paint(points, camera("radial"), everything, PaintOptions())
    assert (painted.ids == UNLABELLED).all() and not painted.probability.any()
    assert len(paint(np.zeros((0, 3)), camera(), everything, PaintOptions()).ids) == 0


def test_what_does_not_fit_is_refused():
    other = SemanticMask(np.zeros((4, 6), np.uint8), np.zeros((4, 6), np.uint8), WORLD)
    with pytest.raises(ValueError, match=r"classes are \(4, 6\), the camera's image \(256, 640\)"):
        paint(np.zeros((1, 3)), camera(), other, PaintOptions())
    with pytest.raises(ValueError, match=r"expected \(N, 3\)"):
        paint(np.zeros((1, 4)), camera(), other, PaintOptions())
    with pytest.raises(ValueError, match="near_m is 0"):
        PaintOptions(near_m=0)


@pytest.mark.parametrize("lens", LENSES)
def test_the_fast_way_sees_what_the_exact_one_sees(lens):
    model, (_, points) = camera(lens), sweep()
    exact, fast = model.pixels(points), model.see(points)
    both = np.isfinite(exact).all(axis=1) & np.isfinite(fast).all(axis=1)
    np.testing.assert_allclose(exact[both], fast[both], atol=1e-6)
    inside = np.isfinite(exact).all(axis=1)
    inside &= ((exact > -0.5) & (exact < np.array(SIZE)[::-1] - 0.5)).all(axis=1)
    assert (both | ~inside).all(), "a point of the picture is lost"
