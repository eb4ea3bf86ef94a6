# SPDX-License-Identifier: Apache-2.0
"""Where a vehicle was: between poses, how far it came, and what is no drive."""

from itertools import pairwise

import numpy as np
import pytest
from driven_bags import straight_path

from shared_encoder_perception.adapt.trajectory import NothingToLearnError, PathError, Trajectory
from shared_encoder_perception.ground.rigid import Rigid


def turned(deg):
    """Return a turn to the left."""
    half = np.radians(deg) / 2
    return Rigid.from_quaternion((0, 0, 0), (0, 0, np.sin(half), np.cos(half))).rotation


def circle(radius_m=20.0, count=100):
    """Return a quarter of a circle to the left, a pose each 50 ms."""
    angles = np.linspace(0, np.pi / 2, count)
    return [
        (
            1 + index * 50_000_000,
            Rigid(
                turned(np.degrees(angle)),
                np.array((radius_m * np.sin(angle), radius_m * (1 - np.cos(angle)), 0.0)),
            ),
        )
        for index, angle in enumerate(angles.tolist())
    ]


def test_a_pose_that_was_recorded_is_given_back():
    poses = circle()
    path = Trajectory.of(poses, "it")
    for at_ns, pose in poses[::10]:
        found = path.pose(at_ns)
        assert np.allclose(found.rotation, pose.rotation, atol=1e-12)
        assert np.allclose(found.shift, pose.shift, atol=1e-12)


def test_between_two_poses_of_a_circle_the_vehicle_is_on_it():
    path = Trajectory.of(circle()[::5], "it")
    middle = path.pose((path.stamps_ns[3] + path.stamps_ns[4]) // 2)
    radius = np.hypot(middle.shift[0], middle.shift[1] - 20.0)
    assert radius == pytest.approx(20.0, abs=0.02)
    heading = np.degrees(np.arctan2(middle.rotation[1, 0], middle.rotation[0, 0]))
    place = np.degrees(np.arctan2(middle.shift[0], 20.0 - middle.shift[1]))
    assert heading == pytest.approx(place, abs=0.01)


def test_how_far_it_came_is_the_length_of_the_way():
    path = Trajectory.of(circle(count=400), "it")
    assert path.length_m == pytest.approx(10 * np.pi, rel=0.01)
    assert path.driven_m(int(path.stamps_ns[0])) == 0.0
    at_m, poses = path.stations(0.5)
    steps = [np.linalg.norm(b.shift - a.shift) for a, b in pairwise(poses)]
    assert np.allclose(steps, 0.5, atol=0.05)
    assert len(at_m) == len(poses)


def test_the_order_of_the_poses_does_not_matter():
    poses = circle()
    ahead, back = (Trajectory.of(some, "it") for some in (poses, poses[::-1]))
    assert np.array_equal(ahead.shifts, back.shifts)


def test_a_path_that_jumps_is_refused_with_the_place():
    poses = [
        (at, Rigid(one.rotation, one.shift + (9.0 * (index > 50), 0, 0)))
        for index, (at, one) in enumerate(circle())
    ]
    with pytest.raises(PathError, match=r"the odometry: the path jumps by 9\.\d m .* at 2\.500 s"):
        Trajectory.of(poses, "the odometry")


def test_a_path_with_a_hole_is_refused():
    poses = circle()
    with pytest.raises(PathError, match="jumps"):
        Trajectory.of(poses[:20] + poses[60:], "it")


def test_a_vehicle_that_stands_teaches_nothing_however_its_odometry_trembles():
    noise = np.random.default_rng(0).normal(0, 0.02, (1000, 3))
    poses = [(1 + index * 20_000_000, Rigid(np.eye(3), one)) for index, one in enumerate(noise)]
    with pytest.raises(NothingToLearnError, match="moves 0"):
        Trajectory.of(poses, "it")


def test_one_pose_is_no_path():
    with pytest.raises(PathError, match="has 1 poses"):
        Trajectory.of(circle()[:1], "it")


def test_outside_of_its_time_a_path_is_not_known():
    path = straight_path()
    first, last = int(path.stamps_ns[0]), int(path.stamps_ns[-1])
    assert [path.covers(at) for at in (first - 1, first, last, last + 1)] == [
        False,
        True,
        True,
        False,
    ]
