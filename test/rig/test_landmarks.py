# SPDX-License-Identifier: Apache-2.0
"""Marks of a known world come out where they are, whatever the cameras are like."""

from functools import cache

import landmarks
import numpy as np
import pytest
from landmarks import CUBES, GRID, INPUT, centroid, channels, lifted

from shared_encoder_perception.rig.boxes import Box
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.ground_map import NO, NOT_KNOWN, YES, GroundLabel, GroundMap
from shared_encoder_perception.rig.table import Sight, sample
from shared_encoder_perception.tasks.depth.depth_msg import points
from shared_encoder_perception.tasks.surround import target

NEAR_M, NEAR_ERROR_M = 15.0, 0.15
ERROR_M = GRID.cell_m
"""How far a mark's middle may be off, within ``NEAR_M`` and beyond."""
LOT = landmarks.block("lot", -1.0, 2.0, 19.0, 14.0, 0.35)
LOT_GRID = BevGrid(-16.0, -16.0, 256, 256, 0.125, (0.0,))


def shown():
    """Return the pictures of the true rig in the world."""
    return landmarks.features(landmarks.world(), landmarks.truth())


def places(found, marks):
    """Return the middle of each mark in the layer that it belongs to, by its name."""
    middles = {}
    for mark in marks:
        name = f"{mark.name}_top" if mark.height_m else mark.name
        layer = found[channels(marks).index(name), GRID.heights_m.index(mark.height_m)]
        middles[mark.name] = centroid(layer)
    return middles


def assert_in_place(found, marks):
    """Check the middle of each mark."""
    middles = places(found, marks)
    for mark in marks:
        allowed = NEAR_ERROR_M if np.hypot(*mark.centre) <= NEAR_M else ERROR_M
        error = np.hypot(*(middles[mark.name] - mark.centre))
        assert error <= allowed, f"{mark.name} is off by {error:.2f} m, {allowed} m are allowed"


def test_marks_on_the_ground_and_tops_of_cubes_are_where_they_are():
    assert_in_place(lifted(shown(), landmarks.calibrated()), landmarks.world())


def test_the_arrow_points_ahead_and_its_bar_is_on_the_left():
    middles = places(lifted(shown(), landmarks.calibrated()), landmarks.world())
    assert middles["head"] - middles["shaft"] == pytest.approx((13 / 6, 0), abs=0.15)
    assert middles["bar"] - middles["shaft"] == pytest.approx((-0.5, 1.5), abs=0.15)


@pytest.mark.parametrize("cube", CUBES)
def test_a_cube_stands_where_its_foot_is(cube):
    """Looked up at the height of the ground, what stands there begins at its foot."""
    rig, grid = landmarks.calibrated(), BevGrid(-16.0, -16.0, 128, 128, 0.25, (0.0,))
    table = Sight.of(rig, grid, INPUT).table(stride=1, best=1)
    number = channels(landmarks.world()).index(cube)
    mark = landmarks.world()[number]
    index = np.flatnonzero(sample(shown(), table)[number] > 127)
    owner = np.bincount(table.camera[0][index]).argmax()
    index = index[table.camera[0][index] == owner]
    cells = np.stack((index % 128, index // 128), axis=1) * 0.25 + 0.125 - 16.0
    camera = landmarks.truth().cameras[owner].view.position[:2]
    ends = np.array(mark.corners), np.roll(mark.corners, -1, axis=0)
    rim = np.concatenate(
        [a + np.linspace(0, 1, 50)[:, None] * (b - a) for a, b in zip(*ends, strict=True)]
    )
    nearest, expected = (np.linalg.norm(p - camera, axis=1).min() for p in (cells, rim))
    assert nearest == pytest.approx(expected, abs=0.25)


def test_a_camera_that_looks_down_by_five_degrees_more_gives_the_same_map():
    marks, pitched = landmarks.world(), landmarks.calibrated(5.0)
    found = lifted(pitched_features(), pitched)
    assert_in_place(found, marks)
    before = places(lifted(shown(), landmarks.calibrated()), marks)
    for name, after in places(found, marks).items():
        assert after == pytest.approx(before[name], abs=0.15), name


def pitched_features():
    """Return the pictures of a rig whose front camera looks further down."""
    return landmarks.features(landmarks.world(), landmarks.truth(5.0))


@pytest.mark.parametrize("yaw_deg", [17.0, 90.0, 133.0, -61.0])
def test_a_turned_frame_has_the_turned_map(yaw_deg):
    yaw = np.deg2rad(yaw_deg)
    expected, after = lot_at(0.0).onto(LOT_GRID, yaw).values, lot_at(yaw)
    known = (after.values != NOT_KNOWN) & (expected != NOT_KNOWN)
    both = (after.values == YES) & (expected == YES) & known
    either = ((after.values == YES) | (expected == YES)) & known
    assert both.sum() > 3000
    assert both.sum() / either.sum() >= 0.98


@cache
def lot_at(yaw_rad):
    """Return where the lot is, in a frame that is turned to the left."""
    sight = Sight.of(landmarks.calibrated().turned(yaw_rad), LOT_GRID, INPUT)
    pictures = landmarks.features((LOT,), landmarks.truth())
    found = sample(pictures, sight.table(stride=1)) > 0.5 * 255
    values = np.where(found.reshape(LOT_GRID.shape), YES, NO)
    return GroundMap(LOT_GRID, np.where(sight.seen(), values, NOT_KNOWN).astype("u1"))


def test_the_mirror_world_has_the_mirror_map():
    marks = landmarks.mirrored(landmarks.world())
    rig = landmarks.calibrated(mirror=True)
    found = lifted(landmarks.features(marks, rig), rig)
    assert_in_place(found, marks)
    expected = lifted(shown(), landmarks.calibrated())[..., ::-1, :]
    assert np.abs(found - expected).max() < 0.1
    assert np.abs(found - expected).mean() < 1e-4


def test_depth_is_along_the_optical_axis():
    """Points of a true depth picture lie on the ground, for each lens."""
    for camera in landmarks.truth().cameras:
        (height, width), view = camera.image_size, camera.view
        rays = np.nan_to_num(landmarks.middles(camera), nan=0.0)
        rays /= np.maximum(np.linalg.norm(rays, axis=1, keepdims=True), 1e-9)
        far = landmarks.hit(view.position, rays, ())[1]
        far[far > 20] = np.nan
        depth = far * (rays @ view.extrinsics.rotation[:, 2])
        lies = points(depth.astype(np.float32).reshape(height, width), view.camera)
        lies = lies @ view.extrinsics.rotation.T + view.position
        on_ground = np.isfinite(lies[..., 2])
        assert on_ground.mean() > 0.2
        assert np.abs(lies[on_ground][:, 2]).max() < 0.02


# --- what a network is asked for, of the same world ----------------------------------------------


def vehicles():
    """Return the cubes as things that are labelled."""
    boxes = []
    for mark in landmarks.world():
        if mark.height_m:
            front, rear = np.array(mark.corners)[:2]
            yaw, (x, y) = float(np.arctan2(*(front - rear)[::-1])), mark.centre
            sides = (1.6, 1.6, mark.height_m)
            boxes.append(Box("vehicle", float(x), float(y), mark.height_m / 2, *sides, yaw))
    return tuple(boxes)


def asked(seen):
    """Return the targets, of cells fine enough for cubes."""
    return target.truth(GroundLabel(objects=vehicles()), FINE_GRID, seen)


FINE_GRID = BevGrid(-16.0, -16.0, 128, 128, 0.25, tuple(sorted(CUBES.values())))
EVERYWHERE = np.ones(FINE_GRID.shape, bool)


def test_labels_lie_where_the_pictures_show_the_things():
    seen = lifted(shown(), landmarks.calibrated(), FINE_GRID)
    labels = asked(EVERYWHERE)
    for number, box in enumerate(vehicles()):
        name = f"cube_{number + 1}_top"
        layer = FINE_GRID.heights_m.index(box.height_m)
        shows = centroid(seen[channels(landmarks.world()).index(name), layer], FINE_GRID)
        assert centroid(labels.ids == number + 1, FINE_GRID) == pytest.approx(shows, abs=0.2)


def test_each_cell_and_its_offset_lead_to_the_middle_of_its_vehicle():
    labels = asked(EVERYWHERE)
    rows, columns = np.nonzero(labels.ids)
    assert len(rows) > 4 * 25
    # As who reads an OccupancyGrid computes the place of a cell.
    cells = np.stack((columns, rows), axis=1) * 0.25 + 0.125 - 16.0
    middles = np.array([(box.x_m, box.y_m) for box in labels.boxes])[labels.ids[rows, columns] - 1]
    led = cells + labels.offset[:, rows, columns].T
    np.testing.assert_allclose(led, middles, atol=1e-5)


def test_targets_of_the_mirror_world_are_mirrored_and_their_offsets_negated():
    label = GroundLabel(objects=tuple(box.mirrored() for box in vehicles()))
    here, there = asked(EVERYWHERE), target.truth(label, FINE_GRID, EVERYWHERE)
    for name in ("vehicle", "ids", "centre"):
        found, expected = (getattr(truth, name) for truth in (there, here))
        np.testing.assert_allclose(found, expected[::-1], atol=1e-5)
    np.testing.assert_allclose(there.offset[0], here.offset[0, ::-1], atol=1e-5)
    np.testing.assert_allclose(there.offset[1], -here.offset[1, ::-1], atol=1e-5)
    assert np.abs(here.offset[1]).max() > 0.5


@pytest.mark.parametrize("gone", landmarks.truth().names)
def test_what_no_camera_sees_any_more_is_not_asked_for(gone):
    sight = Sight.of(landmarks.calibrated(), FINE_GRID, INPUT)
    live = [name for name in sight.names if name != gone]
    private = sight.views().any(axis=0) & ~sight.views(live).any(axis=0)
    assert private.any()
    labels = asked(sight.seen(live))
    assert (labels.vehicle[private] == NOT_KNOWN).all()
    assert not labels.ids[private].any()
    np.testing.assert_array_equal(labels.vehicle == NOT_KNOWN, ~sight.seen(live))
