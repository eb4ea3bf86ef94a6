# SPDX-License-Identifier: Apache-2.0
"""Mistakes made on purpose change what they say and nothing else, and `rig trials` counts them."""

import json

import numpy as np
import pytest
from patterned_ground import entry, photographs, rig_file

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.rig import poses
from shared_encoder_perception.rig.check import Check
from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.rig_file import RigFile, write_rig
from shared_encoder_perception.rig.usual_mistakes import USUAL_MISTAKES

SMALL = (48, 64)


def frames():
    return [RigFrame("0", rig_file().rig(), photographs())]


def pose_of(camera):
    pose = camera.view.extrinsics
    return np.vstack((pose.rotation, pose.position))


def state(frame):
    """Return all poses and all pictures, one behind the other."""
    cameras = [pose_of(camera) for camera in frame.rig.cameras]
    return np.concatenate(cameras), [frame.images[name] for name in frame.rig.names]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (poses.mirrored, poses.mirrored),
        (poses.turned_round, poses.turned_round),
        (poses.turned_round, lambda one: poses.tilted(one, yaw_deg=180.0)),
        (poses.pitch_negated, poses.pitch_negated),
        (poses.yaw_negated, poses.yaw_negated),
        (
            lambda one: poses.tilted(one, 1.0, -2.0, 30.0),
            lambda one: poses.tilted(one, -1.0, 2.0, -30.0),
        ),
        (lambda one: poses.raised(one, 0.5), lambda one: poses.raised(one, 2.0)),
    ],
)
def test_one_undoes_the_other(first, second):
    for camera in rig_file().rig().cameras:
        assert not np.allclose(pose_of(first(camera)), pose_of(camera))
        assert pose_of(second(first(camera))) == pytest.approx(pose_of(camera), abs=1e-12)


@pytest.mark.parametrize("made", USUAL_MISTAKES)
def test_each_changes_poses_or_pictures_by_its_dice(made):
    right = state(frames()[0])
    wrong = [state(USUAL_MISTAKES[made](frames(), np.random.default_rng(3))[0]) for _ in "ab"]
    assert np.array_equal(wrong[0][0], wrong[1][0])
    pairs = zip(wrong[0][1], right[1], strict=True)
    changed = [not np.array_equal(one, other) for one, other in pairs]
    posed = not np.allclose(wrong[0][0], right[0])
    assert posed != any(changed)
    assert any(changed) == ("picture" in made)
    grey = [sorted(float(one.sum()) for one in images) for images in (wrong[0][1], right[1])]
    assert grey[0] == grey[1], "no pixel is lost"


def test_a_check_finds_them_on_ground_of_patterns():
    """All of them that are no matter of a few degrees."""
    grid = BevGrid(-10.0, -10.0, 100, 100, 0.2, heights_m=(0.0,))
    assert Check(frames()[0], grid, 10.0).is_fine
    for made, mistake in USUAL_MISTAKES.items():
        if "off by" not in made:
            (wrong,) = mistake(frames(), np.random.default_rng(2))
            assert any(one.is_apart for one in Check(wrong, grid, 10.0).overlaps), made


def test_the_command_counts_worlds(tmp_path, capsys):
    cameras = [entry(name, (1.5, 0, 1.5), 0, 15, yaw, 30.0, SMALL) for name, yaw in
               (("left", 30), ("right", -30))]  # fmt: skip
    files = RigFile(tuple(cameras))
    write_rig(tmp_path / "rig.yaml", files)
    out = tmp_path / "trials.json"
    options = ["--worlds", "1", "--moments", "1", "--json", str(out)]
    assert main(["rig", "trials", str(tmp_path / "rig.yaml"), *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 1 + len(USUAL_MISTAKES)
    rows = json.loads(out.read_text())["rows"]
    assert len(rows) == 2 * (1 + len(USUAL_MISTAKES)) and {row["said"] for row in rows} <= {0, 1}
    (mirrored, _) = [row["said"] for row in rows if row["made"] == next(iter(USUAL_MISTAKES))]
    assert mirrored == 1, "each is the other one's mirror image: both then have the same view"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--moments", "0"), "moments is (0,)"),
        (("--moments", "4", "4"), "each once"),
        (("--worlds", "0"), "worlds is 0"),
        (("--workers", "0"), "workers is 0"),
        (("--seed", "-1"), "seed is -1"),
    ],
)
def test_what_makes_no_sense_is_told(options, said, capsys):
    assert main(["rig", "trials", *options]) == 2
    assert said in capsys.readouterr().err
