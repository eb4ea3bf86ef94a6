# SPDX-License-Identifier: Apache-2.0
"""Homographies: the same road as a camera sees, and the files that hold them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fuzzing import fuzz
from ground_world import SIZE, camera_info, lanes_of, line, opencv_pixels, projector
from hypothesis import strategies as st

from shared_encoder_perception.ground.calibrated import CalibratedCamera
from shared_encoder_perception.ground.homography import load_homography
from shared_encoder_perception.ground.view import HomographyView
from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.lanes.ground.projector import Projector


def homography_of(ours: Projector) -> np.ndarray:
    """Return pixels to road, from four points of a camera without distortion."""
    corners = np.array([[8, 3], [8, -3], [60, 3], [60, -3]], np.float64)
    points = np.column_stack((corners, np.zeros(4)))
    pixels = opencv_pixels(points, camera_info(), ours.camera.options)
    return cv2.getPerspectiveTransform(pixels.astype(np.float32), corners.astype(np.float32))


@pytest.mark.parametrize("factor", [1.0, -0.01])
def test_a_homography_sees_what_the_camera_sees(factor: float) -> None:
    """Points, sigmas, polynomial and covariance; the matrix's scale and sign do not matter."""
    ours = projector(roll_deg=1.0, pitch_deg=2.5, yaw_deg=-2.0, offset_y_m=0.3)
    matrix = homography_of(ours) * factor
    view = HomographyView.from_matrix(matrix, SIZE, ours.camera.options.position, 0.0)
    flat = Projector(CalibratedCamera(view, ours.camera.options), ours.options)
    pixels = np.stack((np.linspace(400, 640, 80), np.linspace(715, 200, 80)), axis=-1)
    image = lanes_of({LaneId.EGO: line(LaneId.EGO, pixels, 1.0)})
    a, b = (one.project(image)[0].ground for one in (ours, flat))
    assert a is not None and b is not None
    np.testing.assert_allclose(b.points_m, a.points_m, rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(b.y_std_m, a.y_std_m, rtol=1e-2)
    np.testing.assert_allclose(b.covariance, a.covariance, rtol=5e-2, atol=1e-10)
    on_road = np.isfinite(b.points_m[:, 0])
    np.testing.assert_allclose(flat.to_image(b.points_m)[on_road], pixels[on_road], atol=0.02)


MATRIX = [[0.01, 0.2, -30.0], [0.05, 0.0, -20.0], [0.0, 0.03, -9.5]]


def write(path: Path, content: Any) -> str:
    """Write a homography in the format of the path's suffix."""
    if path.suffix == ".npy":
        np.save(path, np.array(content))
    elif path.suffix == ".txt":
        np.savetxt(path, content)
    else:
        path.write_text(json.dumps(content))  # JSON is YAML
    return str(path)


@pytest.mark.parametrize("suffix", ["json", "yaml", "yml", "npy", "txt"])
def test_homography_files(tmp_path: Path, suffix: str) -> None:
    """Every format, the matrix alone."""
    if suffix.startswith("y"):
        pytest.importorskip("yaml", reason="PyYAML comes with ROS 2")
    matrix, size = load_homography(write(tmp_path / f"road.{suffix}", MATRIX))
    np.testing.assert_array_equal(matrix, MATRIX)
    assert size is None


def test_homography_file_with_image_size(tmp_path: Path) -> None:
    """It may say which images it is for."""
    content = {"homography": [n for row in MATRIX for n in row], "image_size": [720, 1280]}
    matrix, size = load_homography(write(tmp_path / "road.json", content))
    np.testing.assert_array_equal(matrix, MATRIX)
    assert size == SIZE


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.json", [[1, 2], [3, 4]], r"expected 3x3 numbers, got shape \(2, 2\)"),
        ("a.json", [["x"] * 3] * 3, "expected 3x3 numbers"),
        ("a.json", [[1, 2, 3]] * 3, "has no inverse"),
        ("a.json", [[float("nan")] * 3] * 3, "has no inverse"),
        ("a.json", {"matrix": MATRIX}, r"has the keys \['matrix'\], expected homography"),
        ("a.json", {"homography": MATRIX, "image_size": "big"}, r"expected \[height, width\]"),
        ("a.csv", MATRIX, "unknown kind of file, expected .yaml"),
    ],
)
def test_bad_homography_files(tmp_path: Path, name: str, content: Any, reason: str) -> None:
    """The message names the file and what is wrong."""
    path = write(tmp_path / name, content)
    with pytest.raises(ValueError, match=f"{name}: .*{reason}"):
        load_homography(path)


def test_missing_homography_files(tmp_path: Path) -> None:
    """No path, no file, no JSON."""
    with pytest.raises(ValueError, match=r"ground.calibration is empty"):
        load_homography("")
    with pytest.raises(ValueError, match="FileNotFoundError"):
        load_homography(str(tmp_path / "none.json"))
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    with pytest.raises(ValueError, match=r"broken\.json"):
        load_homography(str(broken))


def test_a_homography_must_see_the_road_at_the_bottom() -> None:
    """Otherwise it is for other images."""
    matrix = np.array([[1.0, 0, 0], [0, 1, 0], [0, 1, -719]])
    with pytest.raises(ValueError, match="puts the bottom of a 1280x720 image at infinity"):
        HomographyView.from_matrix(matrix, SIZE, (0.0, 0.0, 1.5), 0.0)


@pytest.mark.parametrize("suffix", ["yaml", "yml", "json"])
def test_files_that_opencv_writes_are_read(tmp_path: Path, suffix: str) -> None:
    """With its own first line and type, which are no YAML of others."""
    pytest.importorskip("yaml", reason="PyYAML comes with ROS 2")
    path = tmp_path / f"road.{suffix}"
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    storage.write("homography", np.array(MATRIX))
    storage.startWriteStruct("image_size", cv2.FileNode_SEQ)
    for number in SIZE:
        storage.write("", number)
    storage.endWriteStruct()
    storage.release()
    matrix, size = load_homography(str(path))
    np.testing.assert_allclose(matrix, MATRIX, rtol=1e-12)
    assert size == SIZE


FLAT = [number for row in MATRIX for number in row]
ROWS = {"rows": 3, "cols": 3, "data": FLAT}


@pytest.mark.parametrize("suffix", ["json", "yaml"])
@pytest.mark.parametrize(
    "content",
    [ROWS, {"homography": ROWS}, {"homography": {**ROWS, "dt": "d", "data": MATRIX}}],
)
def test_rows_columns_and_data_are_read(tmp_path: Path, suffix: str, content: Any) -> None:
    """As ROS's calibration files have a matrix; alone, too."""
    if suffix == "yaml":
        pytest.importorskip("yaml", reason="PyYAML comes with ROS 2")
    matrix, size = load_homography(write(tmp_path / f"road.{suffix}", content))
    np.testing.assert_array_equal(matrix, MATRIX)
    assert size is None


def test_the_size_may_be_written_as_ros_does(tmp_path: Path) -> None:
    """Its names say which is which."""
    content = {"image_width": SIZE[1], "image_height": SIZE[0], "homography": ROWS}
    assert load_homography(write(tmp_path / "road.json", content))[1] == SIZE


@pytest.mark.parametrize(
    ("matrix", "reason"),
    [
        ({**ROWS, "rows": 2}, r"rows and cols are \(2, 3\), expected \(3, 3\)"),
        ({**ROWS, "data": FLAT[:8]}, r"expected 3x3 numbers, got shape \(8,\)"),
        ({"rows": 3, "data": FLAT}, r"matrix has the keys \['data', 'rows'\], expected \['cols'"),
        ({**ROWS, "data": None}, "expected 3x3 numbers"),
    ],
)
def test_a_matrix_of_rows_that_is_none_is_refused(tmp_path: Path, matrix: Any, reason: str) -> None:
    """The message names the file and what is wrong."""
    path = write(tmp_path / "a.json", {"homography": matrix})
    with pytest.raises(ValueError, match=f"a.json: .*{reason}"):
        load_homography(path)


def test_any_file_is_read_or_refused_with_its_name(tmp_path: Path) -> None:
    """Mutations of what OpenCV, ROS and we write."""
    pytest.importorskip("yaml", reason="PyYAML comes with ROS 2")
    head = "%YAML:1.0\n---\nhomography: !!opencv-matrix\n   rows: 3\n   cols: 3\n   dt: d\n"
    valid = (f"{head}   data: {FLAT}\nimage_size: [720, 1280]\n", json.dumps({"homography": ROWS}))

    def check(which: int, at: int, cut: int, put: str, suffix: str) -> None:
        text = valid[which]
        at %= len(text)
        path = tmp_path / f"a.{suffix}"
        path.write_text(text[:at] + put + text[at + cut :], "utf-8")
        matrix, complaint = np.eye(3), str(path)
        try:
            matrix, _ = load_homography(str(path))
        except ValueError as error:
            complaint = str(error)
        assert str(path) in complaint and matrix.shape == (3, 3) and np.isfinite(matrix).all()

    texts = st.sampled_from(
        ["", "-", "!!", "!!python/object:os.system ", "[", "{", "nan", "9" * 400]
    )
    fuzz(
        300,
        check,
        which=st.integers(0, 1),
        at=st.integers(0, 400),
        cut=st.integers(0, 40),
        put=texts | st.text(max_size=5).filter(lambda text: "\ud800" not in text),
        suffix=st.sampled_from(["yaml", "json"]),
    )
