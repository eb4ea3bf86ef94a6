# SPDX-License-Identifier: Apache-2.0
"""Frames to each other without ROS: turned and moved, over time, and poses in files."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from shared_encoder_perception.ground.pose_file import load_pose
from shared_encoder_perception.ground.rigid import Rigid
from shared_encoder_perception.ground.transform_tree import TransformError, TransformTree

POINTS = np.random.default_rng(0).normal(size=(3, 20))
HALF = float(np.sqrt(0.5))
S = 10**9


def transform(parent, child, shift=(0, 0, 0), turn=(0, 0, 0, 1), at_s=0.0):
    """A TransformStamped of no middleware."""
    stamp = SimpleNamespace(sec=int(at_s), nanosec=round(at_s % 1 * S))
    return SimpleNamespace(
        header=SimpleNamespace(frame_id=parent, stamp=stamp),
        child_frame_id=child,
        transform=SimpleNamespace(
            translation=SimpleNamespace(**dict(zip("xyz", shift, strict=True))),
            rotation=SimpleNamespace(**dict(zip("xyzw", turn, strict=True))),
        ),
    )


def about_z(angle):
    return (0.0, 0.0, np.sin(angle / 2), np.cos(angle / 2))


def tree(*links, is_static=True):
    found = TransformTree()
    for link in links:
        found.add(link, is_static=is_static)
    return found


def test_a_quarter_turn_about_each_axis_by_hand():
    """About x from y to z, about y from z to x, about z from x to y."""
    for axis, (source, target) in enumerate(((1, 2), (2, 0), (0, 1))):
        quaternion = [0.0, 0.0, 0.0, 2.0]  # of any length
        quaternion[axis] = 2.0
        turned = Rigid.from_quaternion((0, 0, 0), quaternion).apply(np.eye(3)[:, [source]])
        np.testing.assert_allclose(turned[:, 0], np.eye(3)[target], atol=1e-15)


def test_there_and_back_is_nothing_and_two_in_turn_are_one():
    one = Rigid.from_quaternion((1, 2, 3), (0.1, -0.4, 0.3, 0.8))
    other = Rigid.from_quaternion((-2, 0, 1), (0.5, 0.2, 0.1, -0.7))
    np.testing.assert_allclose(one.inverse().apply(one.apply(POINTS)), POINTS, atol=1e-12)
    both = other.after(one).apply(POINTS)
    np.testing.assert_allclose(both, other.apply(one.apply(POINTS)), atol=1e-12)


def test_single_precision_is_kept_where_it_is_enough():
    """A lidar and a camera of one vehicle; a map's origin is too far away for it."""
    near = Rigid.from_quaternion((1, -2, 3), (0.1, -0.4, 0.3, 0.8))
    points = (100 * POINTS).astype(np.float32)
    exact = near.apply(points.astype(np.float64))
    assert near.apply(points).dtype == np.float32
    np.testing.assert_allclose(near.apply(points), exact, atol=1e-4)
    far = Rigid(near.rotation, near.shift + 1e6)
    assert far.apply(points).dtype == np.float64


def test_frames_are_found_up_down_and_across():
    found = tree(
        transform("base", "lidar", (1, 0, 2), about_z(np.pi / 2)),
        transform("base", "mast", (0, 0, 1)),
        transform("/mast", "/camera", (0.5, 0, 0)),
    )
    down = found.find("camera", "lidar", 0)
    # By hand: the lidar's x is the base's y; its origin is 0.5 m ahead of and 1 m above the camera.
    np.testing.assert_allclose(down.apply(np.array([[1.0], [0], [0]]))[:, 0], (0.5, 1, 1))
    back = found.find("lidar", "camera", 0)
    np.testing.assert_allclose(back.apply(down.apply(POINTS)), POINTS, atol=1e-12)
    np.testing.assert_array_equal(found.find("base", "base", 0).apply(POINTS), POINTS)


def test_between_two_times_a_frame_is_between_two_poses():
    found = tree(
        transform("odom", "base", (0, 0, 0), about_z(0.0), 1.0),
        transform("odom", "base", (4, 0, 0), [-one for one in about_z(1.2)], 3.0),
        is_static=False,
    )
    half = found.find("odom", "base", 2 * S)
    np.testing.assert_allclose(half.shift, (2, 0, 0))
    expected = Rigid.from_quaternion((0, 0, 0), about_z(0.6))
    np.testing.assert_allclose(half.rotation, expected.rotation, atol=1e-12)
    np.testing.assert_allclose(found.find("odom", "base", 3 * S).shift, (4, 0, 0))
    for outside in (S - 1, 3 * S + 1):
        with pytest.raises(TransformError, match=r"known from 1\.000 to 3\.000 s"):
            found.find("odom", "base", outside)


def test_a_vehicle_that_drives_on_is_made_up_for():
    """What the lidar saw 5 m ahead is 4 m ahead when the vehicle has driven a metre."""
    found = tree(
        *(transform("odom", "base", (at, 0, 0), at_s=at) for at in (0.0, 2.0)), is_static=False
    )
    found.add(transform("base", "lidar"), is_static=True)
    found.add(transform("base", "camera"), is_static=True)
    moved = found.find_over("camera", int(1.5 * S), "lidar", int(0.5 * S), "odom")
    np.testing.assert_allclose(moved.apply(np.array([[5.0], [0], [0]]))[:, 0], (4, 0, 0))
    # Both hang on the vehicle: without a fixed frame nothing is asked of times that are not known.
    np.testing.assert_allclose(found.find("camera", "lidar", 99 * S).shift, 0)


def test_frames_that_are_not_connected_are_named():
    found = tree(transform("base", "lidar"), transform("other", "camera"))
    with pytest.raises(TransformError, match="from 'lidar' to 'camera': TF does not connect"):
        found.find("camera", "lidar", 0)
    with pytest.raises(TransformError, match="no frame 'lydar'; it has base, camera, lidar, other"):
        found.find("base", "lydar", 0)
    ring = tree(transform("a", "b"), transform("b", "a"))
    with pytest.raises(TransformError, match="no frame 'c'"):
        ring.find("a", "c", 0)


def test_what_is_no_transform_is_refused():
    with pytest.raises(ValueError, match="quaternion is"):
        tree(transform("a", "b", turn=(0, 0, 0, 0)))
    with pytest.raises(ValueError, match="translation is"):
        tree(transform("a", "b", shift=(0, np.nan, 0)))


def write(path, text):
    path.write_text(text)
    return path


def test_a_pose_is_read_as_lists_or_by_axes(tmp_path):
    said = {"translation": [1, 2, 3], "rotation": [0, 0, HALF, HALF]}
    plain = load_pose(write(tmp_path / "pose.json", json.dumps(said)))
    np.testing.assert_allclose(plain.apply(np.array([[1.0], [0], [0]]))[:, 0], (1, 3, 3))
    text = "translation: {x: 1, y: 2, z: 3}\n" + f"rotation: {{w: {HALF}, z: {HALF}, x: 0, y: 0}}\n"
    by_axes = load_pose(write(tmp_path / "pose.yaml", text))
    np.testing.assert_array_equal(by_axes.rotation, plain.rotation)
    np.testing.assert_array_equal(by_axes.shift, plain.shift)


BAD = {
    "no keys": ("a.json", "{}", "expected the keys translation and rotation"),
    "a list": ("a.yaml", "[1, 2]", "expected the keys"),
    "a key more": ("a.json", '{"translation": [], "rotation": [], "x": 1}', "'x'.*expected"),
    "three numbers": (
        "a.yaml",
        "translation: [0, 0, 0]\nrotation: [0, 0, 1]",
        r"rotation is \[0, 0, 1\], expected 4 numbers: x, y, z, w",
    ),
    "words": ("a.yaml", "translation: [a, 0, 0]\nrotation: [0, 0, 0, 1]", "translation is"),
    "infinity": ("a.yaml", "translation: [.inf, 0, 0]\nrotation: [0, 0, 0, 1]", "3 numbers"),
    "no quaternion": ("a.yaml", "translation: [0, 0, 0]\nrotation: [0, 0, 0, 0]", "length 0"),
    "degrees": ("a.yaml", "translation: [0, 0, 0]\nrotation: [0, 90, 0, 0]", "length 90"),
    "no format": ("a.txt", "1 2 3", "expected .yaml, .yml or .json"),
    "no YAML": ("a.yaml", "translation: [", "pose .*a.yaml"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_pose_is_refused_by_name(what, tmp_path):
    name, text, reason = BAD[what]
    with pytest.raises(ValueError, match=reason) as caught:
        load_pose(write(tmp_path / name, text))
    assert str(tmp_path / name) in str(caught.value)


def test_a_pose_that_is_not_there_is_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_pose(tmp_path / "none.yaml")
