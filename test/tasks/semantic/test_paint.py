"""Painted points: a scene of which every answer is known, and points that nobody sees."""

from __future__ import annotations

import numpy as np
import pytest

from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.tasks.semantic.answer import SemanticMask
from shared_encoder_perception.tasks.semantic.classes import UNLABELLED
from shared_encoder_perception.tasks.semantic.paint import PaintOptions, paint
from shared_encoder_perception.tasks.semantic.tables import WORLD

SIZE = (240, 640)
LENSES = {
    "none": ((), False),
    "radial": ((-0.3, 0.1, 0.001, -0.002, 0.0), False),
    "fisheye": ((0.02, -0.01, 0.0, 0.0), True),
}
CUBE, WALL, GROUND = 9, 5, 0
NAMES = ("vehicle", "building", "road")


def camera(lens="none", focal=300.0):
    coefficients, fisheye = LENSES[lens]
    matrix = np.array([[focal, 0, 319.5], [0, focal, 119.5], [0, 0, 1.0]])
    return CameraModel(SIZE, matrix, np.array(coefficients), fisheye, np.eye(3), (1, 1), (0.0, 0.0))


def turned(yaw):
    """From the camera's frame into the scene's, turned about the vertical axis."""
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def cast(rays):
    """Follow (N, 3) rays from the scene's origin: what they hit, and where.

    A cube stands on the ground before a wall; x right, y down, z ahead.
    """
    distance = np.full(len(rays), np.inf)
    kind = np.full(len(rays), UNLABELLED, np.uint8)

    def hit(at, which, where):
        nearer = where & (at > 0) & (at < distance)
        distance[nearer], kind[nearer] = at[nearer], which

    with np.errstate(divide="ignore", invalid="ignore"):
        hit(1.5 / rays[:, 1], GROUND, rays[:, 1] > 0)
        hit(30.0 / rays[:, 2], WALL, rays[:, 2] > 0)
        for axis, value in ((2, 8.0), (0, -1.0), (0, 1.0), (1, -0.5)):
            at = value / rays[:, axis]
            point = rays * at[:, None]
            inside = (np.abs(point[:, 0]) <= 1 + 1e-9) & (point[:, 1] >= -0.5 - 1e-9)
            inside &= (point[:, 1] <= 1.5) & (point[:, 2] >= 8 - 1e-9) & (point[:, 2] <= 10)
            hit(at, CUBE, inside)
    return kind, rays * distance[:, None]


def picture(model, yaw):
    """What a perfect network says of the scene."""
    rows, columns = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
    pixels = np.stack((columns.ravel(), rows.ravel()), axis=1)
    rays = model.rays(pixels)
    kind, _ = cast(np.nan_to_num(rays, nan=0.0) @ turned(yaw).T)
    kind[np.isnan(rays).any(axis=1)] = UNLABELLED
    ids = kind.reshape(SIZE)
    confidence = np.where(ids == UNLABELLED, 0, 200).astype(np.uint8)
    return SemanticMask(ids, confidence, WORLD)


def sweep():
    """A lidar's points at the camera's place, all around."""
    azimuth, elevation = np.meshgrid(
        np.radians(np.arange(-180, 180, 0.4)), np.radians(np.arange(-24, 10, 0.8))
    )
    rays = np.stack(
        (
            np.cos(elevation) * np.sin(azimuth),
            -np.sin(elevation),
            np.cos(elevation) * np.cos(azimuth),
        ),
        axis=-1,
    ).reshape(-1, 3)
    kind, points = cast(rays)
    return kind[kind != UNLABELLED], points[kind != UNLABELLED]


def near_edges(ids, places):
    """Points whose pixel touches another class: there half a pixel decides."""
    row, column = np.rint(places[:, 1]).astype(int), np.rint(places[:, 0]).astype(int)
    here = ids[row, column]
    other = np.zeros(len(row), bool)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            y, x = np.clip(row + dy, 0, SIZE[0] - 1), np.clip(column + dx, 0, SIZE[1] - 1)
            other |= ids[y, x] != here
    return other


@pytest.mark.parametrize("yaw", [0.0, 0.6, 2.5])
@pytest.mark.parametrize("lens", LENSES)
def test_every_point_of_a_known_scene_gets_its_class(lens, yaw):
    model = camera(lens)
    answer = picture(model, yaw)
    kind, points = sweep()
    seen = points @ turned(yaw)
    painted = paint(seen, model, answer, PaintOptions())
    known = painted.ids != UNLABELLED
    assert known.sum() > 500
    certain = np.flatnonzero(known)
    certain = certain[~near_edges(answer.ids, model.see(seen[certain]))]
    assert len(certain) > 0.8 * known.sum()
    np.testing.assert_array_equal(painted.ids[certain], kind[certain])
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
    points = np.array([[np.nan] * 3, [0, 0, np.inf], [1e9, 0, 1.0], [0, 0, 0]])
    painted = paint(points, camera("radial"), everything, PaintOptions())
    assert painted.ids[0] == painted.ids[2] == painted.ids[3] == UNLABELLED
    assert len(paint(np.zeros((0, 3)), camera(), everything, PaintOptions()).ids) == 0


def test_what_does_not_fit_is_refused():
    other = SemanticMask(np.zeros((4, 6), np.uint8), np.zeros((4, 6), np.uint8), WORLD)
    with pytest.raises(ValueError, match=r"classes are \(4, 6\), the camera's image \(240, 640\)"):
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
