# SPDX-License-Identifier: Apache-2.0
"""``rig check``: a rig that is right passes; one with a mistake in it is named."""

import numpy as np
import pytest
from checked_rig import check
from patterned_ground import photograph, photographs, reposed, rig_file, turned_by

from shared_encoder_perception.images.picture_file import read_picture
from shared_encoder_perception.labels.rig_command import DOUBTFUL, FAULTY
from shared_encoder_perception.rig.check import Check
from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.rig.grid import BevGrid

GRID = BevGrid(-10.0, -10.0, 100, 100, 0.2, heights_m=(0.0,))
MIRROR, FLIP = np.diag([1.0, -1.0, 1.0]), np.diag([-1.0, 1.0, 1.0])


def test_a_right_rig_passes_and_is_drawn(tmp_path, capsys):
    found = check(tmp_path, capsys)
    assert (found.status, found.faults) == (0, "")
    assert all(name in found.out for name in rig_file().names)
    assert "front + left" in found.out
    picture = read_picture(tmp_path / "check.png")
    assert picture.shape[1] == 1556
    assert picture.std() > 30


@pytest.mark.parametrize("name", ["front", "left", "rear", "right"])
def test_a_camera_on_the_wrong_side_is_named(tmp_path, capsys, name):
    rig = reposed(rig_file().rig(), name, lambda r: MIRROR @ r @ FLIP, lambda p: MIRROR @ p)
    found = check(tmp_path, capsys, rig)
    assert found.status == DOUBTFUL
    assert f"camera {name} agrees with the others once its pose is mirrored" in found.faults


@pytest.mark.parametrize("turn", [{"yaw": 3.0}, {"pitch": 3.0}, {"roll": -3.0}, {"yaw": -90.0}])
@pytest.mark.parametrize("name", ["front", "left", "rear", "right"])
def test_a_camera_that_is_turned_is_named(name, turn):
    rig = turned_by(rig_file().rig(), name, **turn)
    found = Check(RigFrame("turned", rig, photographs()), GRID, limit=10.0)
    told = "; ".join(fault.text for fault in found.faults)
    assert not found.is_fine
    assert name in told
    if abs(sum(turn.values())) < 10:  # further round it shares ground with other cameras
        assert f"camera {name} is the one that the others contradict" in told


def test_a_camera_that_is_turned_fails_the_command(tmp_path, capsys):
    found = check(tmp_path, capsys, turned_by(rig_file().rig(), "right", yaw=-3.0))
    assert found.status == DOUBTFUL
    assert "camera right is the one that the others contradict" in found.faults


def test_a_rig_whose_left_is_right_is_told_as_one(tmp_path, capsys):
    rig = rig_file().rig()
    for name in rig.names:
        rig = reposed(rig, name, lambda r: MIRROR @ r @ FLIP, lambda p: MIRROR @ p)
    found = check(tmp_path, capsys, rig)
    assert found.status == DOUBTFUL
    assert "front, left, rear, right agree once the rig is mirrored left to right" in found.faults


def test_pictures_that_are_exchanged_are_named(tmp_path, capsys):
    images = dict(photographs())
    images["front"], images["right"] = images["right"], images["front"]
    found = check(tmp_path, capsys, images=images)
    assert found.status == DOUBTFUL
    assert "front and right agree with the others once their pictures are exchang" in found.faults


def test_a_picture_that_is_mirrored_is_named(tmp_path, capsys):
    images = dict(photographs()) | {"rear": photographs()["rear"][:, ::-1]}
    found = check(tmp_path, capsys, images=images)
    assert found.status == DOUBTFUL
    assert "camera rear agrees with the others once its picture is mirrored" in found.faults


def test_a_sign_of_pitch_is_named(tmp_path, capsys):
    """Not by the horizon alone: 12 degrees up still shows some ground."""
    down = np.diag([1.0, 1.0, -1.0])
    rig = reposed(
        rig_file().rig(), "front", lambda r: down @ r @ np.diag([1.0, -1.0, 1.0]), lambda p: p
    )
    found = check(tmp_path, capsys, rig, None, "--grid", "-10", "-10", "30", "10", "0.2")
    assert found.status == DOUBTFUL
    assert "front" in found.faults


def test_in_the_dark_mistakes_are_found_by_what_the_views_have_in_common():
    dark = {camera.name: photograph(camera, gain=0.1) for camera in rig_file().rig().cameras}
    assert Check(RigFrame("dark", rig_file().rig(), dark), GRID).is_fine
    swapped = dark | {"left": dark["right"], "right": dark["left"]}
    found = Check(RigFrame("dark", rig_file().rig(), swapped), GRID)
    assert max(pair.disagreement for pair in found.overlaps) < found.limit
    assert not found.is_fine


def test_a_camera_without_a_picture_is_named_and_the_rest_is_drawn(tmp_path, capsys):
    images = {name: image for name, image in photographs().items() if name != "left"}
    found = check(tmp_path, capsys, images=images)
    assert (found.status, found.faults) == (FAULTY, "fault: camera left has no picture\n")
    assert (tmp_path / "check.png").is_file()


def test_one_camera_is_a_rig(tmp_path, capsys):
    rig = rig_file().rig().only(["rear"])
    found = check(tmp_path, capsys, rig, {"rear": photographs()["rear"]})
    assert (found.status, found.faults) == (0, "")
    assert "nothing can be compared" in found.out


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--grid", "0", "0", "-1", "5", "0.1"), "--grid is 0 0 -1 5 0.1"),
        (("--grid", "0", "0", "1e6", "1e6", "0.1"), "at most 4000000 in all"),
        (("--max-disagreement", "nan"), "--max-disagreement is nan"),
    ],
)
def test_bad_options_are_one_line(tmp_path, capsys, options, why):
    found = check(tmp_path, capsys, None, None, *options)
    assert (found.status, found.faults.count("\n")) == (2, 1)
    assert why in found.faults
