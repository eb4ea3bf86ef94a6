# SPDX-License-Identifier: Apache-2.0
"""Real fisheye cameras: the squares of a cloth are squares on the ground, also across seams."""

import numpy as np
import pytest
from calibration_cloth import (
    FOLDER,
    by_corners,
    by_homographies,
    corners,
    entry,
    found_corners,
    pictures,
)
from patterned_ground import turned_by

from shared_encoder_perception.rig.check import Check
from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.rig.rig_entries import angles_deg

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"{FOLDER} is not here")
SEAMS = (("front", "left"), ("front", "right"), ("back", "left"), ("back", "right"))
AROUND = BevGrid(-6.0, -6.0, 240, 240, 0.05, heights_m=(0.0,))


def steps(found, along):
    """Return vectors between corners that are one square apart, (N, 2) m."""
    pattern = [tuple(place) for place in corners()[1]]
    pairs = [
        (number, pattern.index(other))
        for number, place in enumerate(pattern)
        if (other := (place[0] + along[0], place[1] + along[1])) in pattern
    ]
    first, second = np.array(pairs).T
    vectors = found[second] - found[first]
    return vectors[~np.isnan(vectors[:, 0])]


def seams_m(found):
    """Return how far apart two cameras put the same corners, m, by the two."""
    apart = {pair: np.linalg.norm(found[pair[0]] - found[pair[1]], axis=1) for pair in SEAMS}
    return {pair: one[~np.isnan(one)] for pair, one in apart.items()}


@pytest.fixture(scope="module")
def found():
    """Return the corners as the cameras put them on the ground, m."""
    return found_corners(by_corners().rig())


def test_homographies_tell_where_the_cameras_sit():
    poses = {one.name: one.pose for one in by_homographies().entries}
    yaws = {name: angles_deg(pose)[2] for name, pose in poses.items()}
    apart = [yaws["front"], yaws["left"] - 90, abs(yaws["back"]) - 180, yaws["right"] + 90]
    assert np.abs(apart).max() < 6.0
    assert all(0.5 < pose.position[2] < 1.2 for pose in poses.values())
    assert poses["front"].position[0] > 2.0 > -1.5 > poses["back"].position[0]
    assert poses["left"].position[1] > 0.8 > -0.8 > poses["right"].position[1]


def test_squares_are_40_cm(found):
    for name, places in found.items():
        sides = np.linalg.norm(np.r_[steps(places, (1, 0)), steps(places, (0, 1))], axis=1) * 100
        assert len(sides) > 30, name
        assert sides.mean() == pytest.approx(40.0, abs=1.0), name
        assert np.median(sides) == pytest.approx(40.0, abs=1.0), name
        assert (np.abs(sides - 40.0) <= 2.0).mean() > 0.7, name  # the cloth is creased


def test_angles_are_right(found):
    for name, places in found.items():
        known = ~np.isnan(places[:, 0])
        pattern = np.c_[corners()[1], np.ones(len(known))]
        axes = np.linalg.lstsq(pattern[known], places[known], rcond=None)[0]
        to_right = np.rad2deg(np.arctan2(axes[0, 0], -axes[0, 1]))
        to_rear = np.rad2deg(np.arctan2(-axes[1, 1], -axes[1, 0]))
        assert to_right == pytest.approx(0.0, abs=1.0), name
        assert to_rear == pytest.approx(0.0, abs=1.0), name
        assert to_right == pytest.approx(to_rear, abs=1.0), name
        assert np.linalg.norm(axes[:2], axis=1) == pytest.approx(0.4, abs=0.01), name


def test_squares_go_on_across_seams(found):
    for pair, apart in seams_m(found).items():
        assert len(apart) > 5, pair
        assert np.median(apart) <= 0.05, pair
        assert (apart <= 0.05).mean() > 0.8, pair


def test_a_camera_turned_by_two_degrees_breaks_the_seams():
    rig = turned_by(by_corners().rig(), "left", yaw=2.0)
    assert np.median(seams_m(found_corners(rig))["front", "left"]) > 0.05


def test_squares_need_the_fisheye():
    entries = [entry(one.name, one.pose.rotation.T, -one.pose.rotation.T @ one.pose.position,
                     fisheye=False) for one in by_corners().entries]  # fmt: skip
    places = found_corners(Rig(tuple(one.camera() for one in entries)))
    sides = [np.r_[steps(one, (1, 0)), steps(one, (0, 1))] for one in places.values()]
    lengths = np.linalg.norm(np.concatenate(sides), axis=1) * 100
    assert len(lengths) < 40 or (np.abs(lengths - 40) <= 2).mean() < 0.3


def test_the_rig_passes_its_check_and_fails_with_two_pictures_exchanged():
    rig = by_corners().rig()
    assert Check(RigFrame("cloth", rig, pictures()), AROUND).faults == []
    images = dict(pictures())
    images["left"], images["front"] = images["front"], images["left"]
    check = Check(RigFrame("cloth", rig, images), AROUND)
    assert not check.is_fine
    assert any("front and left agree with the others once" in one.text for one in check.faults)
