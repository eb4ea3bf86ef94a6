# SPDX-License-Identifier: Apache-2.0
"""Ground driven over, in pictures: where the formula says, and within what is rendered as road."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from driven_bags import straight_drive, straight_path

from shared_encoder_perception.adapt.footprint import Strip, above_horizon, behind_crest
from shared_encoder_perception.adapt.rendered_drive import poses, rendered_drive, to_camera
from shared_encoder_perception.adapt.trajectory import Trajectory
from shared_encoder_perception.ground.camera import CameraModel
from shared_encoder_perception.ground.rigid import Rigid
from shared_encoder_perception.tasks.masks.values import NOT_KNOWN, YES

WIDTH_M, NEAR_M, FAR_M = 1.8, 4.0, 30.0
SIZE = (240, 320)
HEIGHT_M, FOCAL = 1.5, 300.0
AHEAD = Rigid(np.array(((0.0, -1, 0), (0, 0, -1), (1, 0, 0))), np.array((0.0, HEIGHT_M, 0.0)))
"""From the vehicle's frame to a camera 1.5 m above it that looks ahead."""


def lens(coefficients=(), matrix=None, size=SIZE):
    """Return a camera."""
    own = np.array(((FOCAL, 0, 159.5), (0, FOCAL, 60.0), (0, 0, 1)))
    matrix = own if matrix is None else matrix
    flat = np.array(coefficients, np.float64)
    return CameraModel(size, matrix, flat, False, np.eye(3), (1, 1), (0.0, 0.0))


def lens_of(camera):
    """Return the lens of a rendered world's camera."""
    x, y = camera.centre_px
    matrix = np.array(((camera.focal_px, 0, x), (0, camera.focal_px, y), (0, 0, 1)))
    return lens(matrix=matrix, size=camera.size)


def edges(plane):
    """Return the rows of a plane that show ground, and the first and last such column of each."""
    shown = plane == YES
    rows = np.flatnonzero(shown.any(axis=1))
    return rows, shown[rows].argmax(axis=1), plane.shape[1] - 1 - shown[rows, ::-1].argmax(axis=1)


def test_on_flat_ground_edges_are_where_similar_triangles_say():
    strip = Strip(straight_path(), WIDTH_M)
    seen = strip.seen(10**9, lens(), AHEAD, NEAR_M, FAR_M)
    rows, left, right = edges(seen.plane)
    depth = FOCAL * HEIGHT_M / (rows - 60.0)
    half = FOCAL * WIDTH_M / 2 / depth
    assert np.abs(left - np.maximum(159.5 - half, 0)).max() <= 1
    assert np.abs(right - np.minimum(159.5 + half, 319)).max() <= 1
    assert depth.min() == pytest.approx(NEAR_M, rel=0.05)
    assert depth.max() == pytest.approx(FAR_M, rel=0.1)


def test_depth_and_distance_are_those_of_the_ground():
    strip = Strip(straight_path(), WIDTH_M)
    seen = strip.seen(10**9, lens(), AHEAD, NEAR_M, 15.0)
    rows, columns = np.nonzero(seen.plane == YES)
    true = FOCAL * HEIGHT_M / (rows - 60.0)
    assert np.allclose(seen.depth[rows, columns], true, rtol=0.05)
    assert np.allclose(seen.away[rows, columns], true, rtol=0.05)
    assert np.isnan(seen.depth[seen.plane != YES]).all()


def test_nothing_but_what_was_driven_over_gets_a_value():
    seen = Strip(straight_path(), WIDTH_M).seen(10**9, lens(), AHEAD, NEAR_M, FAR_M)
    assert set(np.unique(seen.plane)) == {NOT_KNOWN, YES}


def test_a_lens_bends_the_edges_as_opencv_does():
    bent = lens((-0.25, 0.05, 0.001, -0.001, 0.0))
    seen = Strip(straight_path(), WIDTH_M).seen(10**9, bent, AHEAD, NEAR_M, FAR_M)
    side = np.array([(at, WIDTH_M / 2, 0.0) for at in np.arange(6.0, 20.0)])
    places, _ = cv2.projectPoints(
        AHEAD.apply(side.T).T, np.zeros(3), np.zeros(3), bent.matrix, bent.distortion
    )
    rows, left, _ = edges(seen.plane)
    for x, y in places[:, 0]:
        assert np.interp(y, rows, left) == pytest.approx(x, abs=1)


def test_what_lies_behind_a_crest_is_not_seen():
    along = np.arange(1.0, 60.0)
    hill = np.column_stack((along, 0 * along, np.where(along < 20, 0.1 * along, 4 - 0.1 * along)))
    hidden = behind_crest(hill, np.array((0.0, 0.0, 1.5)))
    assert not hidden[along <= 20].any()
    assert hidden[along > 22].all()
    flat = hill * (1, 1, 0)
    assert not behind_crest(flat, np.array((0.0, 0.0, 1.5))).any()


def test_above_the_horizon_is_counted_from_the_vehicles_level():
    sky = above_horizon(lens(), AHEAD, 5.0)
    rows = np.flatnonzero(sky[:, 160])
    assert rows.max() == pytest.approx(60.0 - FOCAL * np.tan(np.radians(5)), abs=1)
    nose_up = Rigid(cv2.Rodrigues(np.array((np.radians(-5), 0, 0)))[0], np.zeros(3))
    pitched = above_horizon(lens(), nose_up.after(AHEAD), 5.0)
    assert pitched.sum() != sky.sum()


def road_of(drive, metres, at_m, far_m=FAR_M):
    """Return the footprint and the rendered mask of a drive at some distance."""
    distances, found = poses(drive.world.road.alignment, metres)
    stamps = [10**9 + round(at * 1e8) for at in distances.tolist()]
    path = Trajectory.of(list(zip(stamps, found, strict=True)), "the world")
    camera = drive.world.camera
    at_ns = 10**9 + round(at_m * 1e8)
    seen = Strip(path, WIDTH_M).seen(at_ns, lens_of(camera), to_camera(camera), NEAR_M, far_m)
    return seen.plane == YES, drive.render(at_m).drivable > 0


@pytest.mark.parametrize("seed", [102, 105, 111])
def test_ground_driven_over_lies_within_the_rendered_road_with_its_hills_and_bends(seed):
    driven, road = road_of(rendered_drive(seed, "gravel"), 60.0, 12.0)
    assert driven.sum() > 3000
    assert (driven & road).sum() >= 0.99 * driven.sum()


def test_beside_the_road_it_does_not():
    drive = rendered_drive(102, "gravel", beside_m=(0.0, 100.0))
    driven, road = road_of(drive, 60.0, 20.0)
    assert (driven & road).sum() < 0.05 * driven.sum()


def test_a_strip_as_wide_as_the_road_has_its_edges():
    drive = straight_drive()
    drive.world = replace(drive.world, rails=(), props=())  # which hide the edge
    edge_m = drive.world.road.paved_m()[-1][1]
    camera = drive.world.camera
    seen = Strip(straight_path(60.0), 2 * edge_m).seen(
        10**9, lens_of(camera), to_camera(camera), NEAR_M, FAR_M
    )
    rows, _, right = edges(seen.plane)
    road = drive.render(0.0).drivable > 0
    last = road.shape[1] - 1 - road[rows, ::-1].argmax(axis=1)
    inside = (last < camera.size[1] - 1) & (rows > rows.min() + 2)
    assert inside.sum() > 20
    aslant = np.hypot(1, np.gradient(right.astype(float)))  # columns of a row by pixels across it
    assert (np.abs(last - right) / aslant)[inside].max() <= 1
