# SPDX-License-Identifier: Apache-2.0
"""Lane lines on the road: accuracy, range, polynomials and poses."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from ground_world import (
    EXACT,
    LANES,
    LENSES,
    SIZE,
    camera_info,
    even_rows,
    lanes_of,
    line,
    opencv_pixels,
    options,
    projector,
    road_points,
)
from numpy.polynomial import Polynomial

from shared_encoder_perception.ground.calibrated import CalibratedCamera
from shared_encoder_perception.ground.camera_info import camera_model
from shared_encoder_perception.ground.extrinsics import Extrinsics
from shared_encoder_perception.ground.view import CameraView
from shared_encoder_perception.tasks.contract.refining import Moment
from shared_encoder_perception.tasks.lanes.answer import LaneId, LaneLine, Lanes, LaneStatus

CURVE = Polynomial((0.4, 0.01, 9e-4, -4e-6))
TILTED = {"roll_deg": 1.0, "pitch_deg": 2.5, "yaw_deg": -2.0, "offset_y_m": 0.3}


def seen(info: Any, where: Any, near: float = 9.0, far: float = 70.0, curve: Any = CURVE) -> Any:
    """Return what is there on the road, and the perception of it: one line, ego."""
    points = road_points(curve, even_rows(where, near, far, 72))
    pixels = opencv_pixels(points, info, where)
    return points, lanes_of({LaneId.EGO: line(LaneId.EGO, pixels, 0.5)})


@pytest.mark.parametrize("lens", LENSES)
def test_lines_lie_where_they_are_on_the_road(lens: str) -> None:
    """Exact calibration: less than 2 cm off at 10 m, less than 20 cm at 50 m; far less, in fact."""
    info = camera_info(lens)
    ours = projector(info, **TILTED)
    points, image = seen(info, ours.camera.options)
    ground = ours.project(image)[LaneId.EGO].ground
    assert ground is not None and ground.frame_id == "base_link"
    x, y, z = ground.points_m.astype(np.float64).T
    assert not z.any()
    error = np.abs(y - CURVE(x))
    assert error[x <= 10].max() < 0.001 and error[x <= 50].max() < 0.005
    at = np.array([10.0, 50.0])
    off = np.abs(Polynomial(ground.polynomial)(at) - CURVE(at))
    assert off[0] < 0.02 / 10 and off[1] < 0.2 / 10
    assert ground.rmse_m < 0.005
    np.testing.assert_allclose(ground.points_m, points, rtol=2e-3, atol=0.01)
    np.testing.assert_allclose(ground.x_range_m, (9.0, 70.0), rtol=2e-3)


@pytest.mark.parametrize(("rectified", "lens"), [(True, "plumb_bob"), (False, "rational")])
def test_points_go_back_to_their_pixels(rectified: bool, lens: str) -> None:
    """``to_image`` is the inverse of ``project``."""
    info = camera_info(lens)
    ours = projector(info, rectified=rectified, **TILTED)
    _, image = seen(info, ours.camera.options)
    ego = ours.project(image)[LaneId.EGO]
    assert ego.ground is not None
    np.testing.assert_allclose(ours.to_image(ego.ground.points_m), ego.points_px, atol=5e-3)


def test_all_lanes_at_once_are_as_one_by_one() -> None:
    """Lines of different lengths do not disturb each other."""
    info = camera_info("plumb_bob")
    ours = projector(info)
    lines = {}
    for lane, count, far in zip(LaneId, (72, 5, 40, 2, 17), (60, 20, 200, 10, 15), strict=True):
        x = even_rows(ours.camera.options, 8, far, count)
        pixels = opencv_pixels(road_points(CURVE, x), info, ours.camera.options)
        lines[lane] = line(lane, pixels, np.where(np.arange(count) % 3, 1.5, np.nan))
    together = ours.project(lanes_of(lines))
    for lane in LaneId:
        alone = ours.project(lanes_of({lane: lines[lane]}))[lane].ground
        ground = together[lane].ground
        assert ground is not None and alone is not None
        np.testing.assert_allclose(ground.points_m, alone.points_m, rtol=1e-6)
        np.testing.assert_allclose(ground.y_std_m, alone.y_std_m, rtol=1e-5)
        assert len(ground.polynomial) == len(alone.polynomial)
        np.testing.assert_allclose(ground.polynomial, alone.polynomial, atol=1e-9)
        np.testing.assert_allclose(ground.covariance, alone.covariance, rtol=1e-4, atol=1e-12)


def test_only_the_ground_changes() -> None:
    """Everything else is handed through; lines without points have no ground."""
    info = camera_info()
    ours = projector(info)
    _, image = seen(info, ours.camera.options)
    kept = replace(image[LaneId.EGO], track_id=7, confidence=0.3, status=LaneStatus.PREDICTED)
    missed = LaneLine(LaneId.LEFT_EGO, confidence=0.2)
    result = ours.project(Lanes((kept, missed, *image.lines[2:])))
    assert result[1] is missed
    assert replace(result[0], ground=None).track_id == 7
    assert result[0].status is LaneStatus.PREDICTED
    nothing = lanes_of({})
    assert ours.project(nothing) is nothing


def test_points_above_the_horizon_or_too_far_are_nan() -> None:
    """They keep their place in the arrays, and count for nothing."""
    ours = projector(max_range_m=40.0)
    rows = np.linspace(700.0, 100.0, 60)  # the horizon is at row 312
    pixels = np.stack((np.full(60, 637.0), rows), axis=-1)
    ground = ours.project(lanes_of({LaneId.EGO: line(LaneId.EGO, pixels)}))[0].ground
    assert ground is not None
    distance = ground.points_m[:, 0] - ours.camera.options.offset_x_m
    on_road = np.isfinite(ground.points_m).all(axis=1)
    expected = 1.6 / np.tan(np.radians(3.0) + np.arctan((rows - 365.0) / 1010.0))
    np.testing.assert_array_equal(on_road, (expected > 0) & (expected <= 40.0))
    assert np.isnan(ground.points_m[~on_road]).all() and np.isnan(ground.y_std_m[~on_road]).all()
    np.testing.assert_allclose(distance[on_road], expected[on_road], rtol=1e-5)
    assert ground.x_range_m[1] <= 40.0 + 1.8
    sky = np.stack((np.full(9, 637.0), np.linspace(200.0, 100.0, 9)), axis=-1)
    ground = ours.project(lanes_of({LaneId.EGO: line(LaneId.EGO, sky)}))[0].ground
    assert ground is not None and np.isnan(ground.points_m).all()
    assert len(ground.polynomial) == 0 and np.isnan([*ground.x_range_m, ground.rmse_m]).all()


@pytest.mark.parametrize(
    ("count", "far", "highest", "terms"),
    [
        (72, 60.0, 3, 4),
        (72, 60.0, 2, 3),
        (72, 60.0, 1, 2),
        (72, 22.0, 3, 3),
        (72, 12.0, 3, 2),
        (72, 9.5, 3, 0),
        (5, 60.0, 3, 3),
        (4, 60.0, 3, 2),
        (3, 60.0, 3, 0),
    ],
)
def test_short_lines_get_lower_degrees(count: int, far: float, highest: int, terms: int) -> None:
    """Neither few points nor a short range can carry a cubic."""
    info = camera_info()
    ours = projector(info, polynomial_degree=highest)
    pixels = opencv_pixels(
        road_points(CURVE, even_rows(ours.camera.options, 9.0, far, count)),
        info,
        ours.camera.options,
    )
    ground = ours.project(lanes_of({LaneId.EGO: line(LaneId.EGO, pixels)}))[0].ground
    assert ground is not None and len(ground.polynomial) == terms
    assert (np.linalg.eigvalsh(ground.covariance) > 0).all()


def test_a_line_that_is_no_cubic_is_less_certain() -> None:
    """Where the polynomial does not say what the points say, its covariance does not boast."""
    info = camera_info()
    ours = projector(info, **EXACT)

    def kink(x: np.ndarray) -> np.ndarray:
        return np.where(x > 40, 0.15 * (x - 40), 0.0)

    _, smooth = seen(info, ours.camera.options)
    _, bent = seen(info, ours.camera.options, curve=kink)
    first, second = (ours.project(image)[0].ground for image in (smooth, bent))
    assert first is not None and second is not None
    assert second.rmse_m > 0.1 > 20 * first.rmse_m
    assert (np.diag(second.covariance) > 4 * np.diag(first.covariance)).all()


def test_the_image_must_have_the_calibrated_size() -> None:
    """The message names both sizes."""
    camera = projector().camera
    assert Moment(SIZE, 1.0, camera).camera is camera
    with pytest.raises(ValueError, match=r"\(480, 640\), the calibration is for \(720, 1280\)"):
        Moment((480, 640), 1.0, camera)


def test_a_camera_below_the_road_is_refused() -> None:
    """As with a TF frame that is not where the user thinks."""
    chosen = options(plane_z_m=2.0)
    view = CameraView(camera_model(camera_info(), SIZE), options().extrinsics)
    with pytest.raises(ValueError, match=r"the camera is -0.40 m above the road in base_link"):
        CalibratedCamera(view, chosen)


def test_the_road_may_lie_below_the_origin_of_the_frame() -> None:
    """``plane_z_m`` moves the plane, and the height counts from there."""
    info = camera_info()
    high, low = projector(info), projector(info, plane_z_m=-0.5)
    _, image = seen(info, high.camera.options)
    a, b = (ours.project(image)[0].ground for ours in (high, low))
    assert a is not None and b is not None
    np.testing.assert_array_equal(a.points_m[:, :2], b.points_m[:, :2])
    assert (b.points_m[:, 2] == -0.5).all()


@pytest.mark.parametrize(
    ("angle", "towards"),
    [("pitch_deg", (0, 0, -1)), ("yaw_deg", (0, 1, 0)), ("roll_deg", None)],
)
def test_signs_of_the_angles(angle: str, towards: tuple[float, ...] | None) -> None:
    """Positive pitch looks down, yaw left; roll lowers the camera's right side."""
    level = {"pitch_deg": 0.0, "roll_deg": 0.0, "yaw_deg": 0.0}
    rotation = options(**{**level, angle: 10.0}).extrinsics.rotation
    right, _, ahead = rotation.T
    if towards is None:
        assert right[2] == pytest.approx(-np.sin(np.radians(10)))
    else:
        assert ahead @ towards == pytest.approx(np.sin(np.radians(10)))


def test_a_transform_says_the_same_as_the_angles() -> None:
    """Quaternion and 4x4 matrix of TF, from optical frame to vehicle."""
    expected = options(**TILTED).extrinsics
    vector = cv2.Rodrigues(expected.rotation)[0][:, 0]
    angle = np.linalg.norm(vector)
    x, y, z = vector / angle * np.sin(angle / 2)
    transform = SimpleNamespace(
        translation=SimpleNamespace(x=1.8, y=0.3, z=1.6),
        rotation=SimpleNamespace(x=2 * x, y=2 * y, z=2 * z, w=2 * np.cos(angle / 2)),
    )
    found = Extrinsics.from_transform(transform)
    np.testing.assert_allclose(found.rotation, expected.rotation, atol=1e-12)
    np.testing.assert_allclose(found.position, expected.position)
    transform.rotation = SimpleNamespace(x=0.0, y=0.0, z=0.0, w=0.0)
    with pytest.raises(ValueError, match="quaternion"):
        Extrinsics.from_transform(transform)


@pytest.mark.parametrize(
    "matrix", [np.eye(3), np.diag([1.0, 1.0, -1.0, 1.0]), np.full((4, 4), np.nan), 2 * np.eye(4)]
)
def test_no_rigid_transform_no_pose(matrix: np.ndarray) -> None:
    """Reflections, scales, NaN and wrong shapes."""
    with pytest.raises(ValueError, match=r"pose|rotation|rigid"):
        Extrinsics.from_matrix(matrix)


def test_any_perception_can_be_projected() -> None:
    """Random lines in and around the image: shapes hold, sigmas are not negative, no warning."""
    rng = np.random.default_rng(0)
    views = [projector(camera_info(lens), **TILTED) for lens in LENSES]
    with np.errstate(all="raise"):
        for _ in range(300):
            lines = {}
            for lane in rng.choice(LaneId, rng.integers(0, 6), replace=False):
                count = int(rng.integers(2, 90))
                rows = np.sort(rng.uniform(-50, 800, count).astype(np.float32))[::-1]
                if (np.diff(rows) >= 0).any():
                    continue
                columns = rng.uniform(-100, 1400) + rng.normal(size=count) * rng.choice([0, 1, 300])
                std = rng.choice([0.0, 1e-9, 1.0, 1e6, np.nan, np.inf], count)
                lines[LaneId(lane)] = line(LaneId(lane), np.stack((columns, rows), axis=-1), std)
            result = views[rng.integers(len(views))].project(lanes_of(lines))
            for lane in lines:
                ground = result[lane].ground
                assert ground is not None and not (ground.y_std_m < 0).any()
                assert np.isfinite(ground.polynomial).all() and np.isfinite(ground.covariance).all()


def test_lanes_that_run_parallel_stay_as_far_apart() -> None:
    """The distance between projected neighbours is what it is on the road."""
    info = camera_info("equidistant")
    ours = projector(info)
    lines = {}
    for lane, offset in LANES.items():
        points = road_points(lambda x, offset=offset: offset + 0 * x, np.linspace(9, 50, 30))
        lines[lane] = line(lane, opencv_pixels(points, info, ours.camera.options))
    result = ours.project(lanes_of(lines))
    for lane, offset in LANES.items():
        ground = result[lane].ground
        assert ground is not None
        np.testing.assert_allclose(ground.points_m[:, 1], offset, atol=0.005)
