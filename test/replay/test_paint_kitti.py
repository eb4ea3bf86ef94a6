# SPDX-License-Identifier: Apache-2.0
"""The command that paints clouds: files in KITTI's layout, what comes out, what is refused."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.labels.kitti_sweeps import Box, sweeps
from shared_encoder_perception.replay.painted_files import PLY

SIZE = (64, 160)
FOCAL = 100.0
CALIBRATION = (
    f"P2: {FOCAL} 0 79.5 {FOCAL * 0.06} 0 {FOCAL} 31.5 0 0 0 1 0\n"
    "R0_rect: 1 0 0 0 1 0 0 0 1\n"
    "Tr_velo_to_cam: 0 -1 0 0 0 0 -1 0 1 0 0 -0.3\n"
)
"""A lidar that looks ahead along x, 30 cm behind its camera; the colour camera 6 cm to its left."""
LABEL = "Car 0.00 0 0 0 0 0 0 1.5 1.6 4.0 0.0 1.0 10.3 -1.57\nDontCare -1 -1 -10 0 0 0 0 -1 -1\n"


def points():
    """A wall of points 10 m ahead of the lidar, and some behind it."""
    y, z = np.meshgrid(np.linspace(-4, 4, 40), np.linspace(-2, 1, 20))
    ahead = np.stack((np.full(y.size, 10.0), y.ravel(), z.ravel(), np.full(y.size, 0.5)), axis=1)
    behind = ahead * (-1, 1, 1, 1)
    return np.concatenate((ahead, behind)).astype("<f4")


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "kitti" / "training"
    for name in ("image_2", "velodyne", "calib", "label_2"):
        (root / name).mkdir(parents=True)
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    cv2.imwrite(str(root / "image_2/000007.png"), image)
    (root / "velodyne/000007.bin").write_bytes(points().tobytes())
    (root / "calib/000007.txt").write_text(CALIBRATION)
    (root / "label_2/000007.txt").write_text(LABEL)
    return root.parent


def test_calibration_puts_points_where_the_picture_shows_them(folder):
    (sweep,) = sweeps(folder)
    seen = sweep.camera.see(sweep.camera_points)
    own = sweep.points[:, :3].astype(float)
    # By hand: x to the right is -y, down is -z, ahead is x; 0.3 m behind, 0.06 m beside.
    right, down, ahead = -own[:, 1], -own[:, 2], own[:, 0] - 0.3
    inside = np.isfinite(seen).all(axis=1)
    expected = FOCAL * np.stack((right + 0.06, down), axis=1) / ahead[:, None] + (79.5, 31.5)
    np.testing.assert_allclose(seen[inside], expected[inside], atol=1e-4)
    assert inside[:800].any() and not inside[800:].any()


def test_a_box_holds_what_lies_in_it():
    box = Box("Car", (1.5, 1.6, 4.0), (2.0, 1.0, 10.0), np.pi / 2)
    places = np.array([[2, 0.5, 10], [2, 0.5, 11.9], [2, 0.5, 12.1], [2.9, 0.5, 10], [2, -0.6, 10]])
    assert box.holds(places).tolist() == [True, True, False, False, False]
    turned = Box("Car", (1.5, 1.6, 4.0), (2.0, 1.0, 10.0), 0.0)
    assert turned.holds(places).tolist() == [True, False, False, True, False]


def run(folder, model, out, *options):
    return main(
        ["paint", "--kitti", str(folder), "--model", str(model), "--out", str(out), *options]
    )


def test_clouds_pictures_and_the_table_of_boxes(folder, one_task_model, tmp_path, capsys):
    out = tmp_path / "painted"
    assert run(folder, one_task_model("semantic"), out, "--hidden-too") == 0
    header, _, body = (out / "000007.ply").read_bytes().partition(b"end_header\n")
    cloud = np.frombuffer(body, PLY)
    assert f"element vertex {len(points())}".encode() in header
    np.testing.assert_array_equal(cloud["x"], points()[:, 0])
    painted = cloud["class"] != 255
    assert painted[:800].any() and not painted[800:].any()
    assert (cloud["probability"][painted] > 0).all() and not cloud["probability"][~painted].any()
    assert cv2.imread(str(out / "000007.jpg")).shape == (*SIZE, 3)
    printed = capsys.readouterr().out
    assert "Car " in printed and "painted points inside" in printed and "DontCare" not in printed


def test_a_model_that_knows_no_classes_is_refused(folder, one_task_model, tmp_path, capsys):
    assert run(folder, one_task_model("lanes"), tmp_path / "out") == 2
    assert "the model answers lanes, expected one that answers semantic" in capsys.readouterr().err


BROKEN = {
    "no sweep": ("velodyne", None, r"there is no .*velodyne/000007.bin"),
    "a cut sweep": ("velodyne", b"\0" * 30, "has 30 bytes, expected 16 for each point"),
    "an empty sweep": ("velodyne", b"", "has 0 bytes"),
    "no calibration": ("calib", None, r"there is no .*calib/000007.txt"),
    "no camera": ("calib", CALIBRATION.partition("\n")[2].encode(), "lacks P2: expected KITTI's"),
    "words": ("calib", b"P2: a b c\n", "P2 has words, expected numbers"),
    "too few": ("calib", b"P2: 1 2 3\n", "P2 has 3 numbers, expected 12"),
    "a bad label": ("label_2", b"Car 1 2\n", "'Car 1 2' is no label of KITTI"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_damaged_frame_is_named_with_the_reason(folder, what):
    part, data, reason = BROKEN[what]
    (path,) = (folder / "training" / part).iterdir()
    path.unlink() if data is None else path.write_bytes(data)
    with pytest.raises(ValueError, match=reason):
        list(sweeps(folder))


def test_a_folder_without_frames_is_refused(tmp_path):
    with pytest.raises(ValueError, match="has no pictures: expected image_2/"):
        list(sweeps(tmp_path))
