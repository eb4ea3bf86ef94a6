# SPDX-License-Identifier: Apache-2.0
"""``rig.yaml``: what it says, and what it must not say."""

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from patterned_ground import rig_file

from shared_encoder_perception.ground.extrinsics import Extrinsics
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.rig.rig_entries import CameraEntry, RigFileError, angles_deg
from shared_encoder_perception.rig.rig_file import RigFile, read_rig, write_rig
from shared_encoder_perception.structures import Crop

EXAMPLE = Path(__file__).parents[2] / "config" / "rig_example.yaml"
LENS = "intrinsics: {width: 64, height: 48, fx: 50, fy: 50, cx: 31.5, cy: 23.5}"
POSE = "pose: {position_m: [1, 0, 1.5], roll_deg: 0, pitch_deg: 0, yaw_deg: 0}"
MIRROR = "[[0, 0, 1, 1], [1, 0, 0, 0], [0, -1, 0, 1.5], [0, 0, 0, 1]]"
SKEWED = "[[0, 0, 1, 1], [-1, 0.1, 0, 0], [0, -1, 0, 1.5], [0, 0, 0, 1]]"


def rig_of(tmp_path, *cameras, top="", name="rig.yaml"):
    """Write a file of cameras, each a name and lines, and read it."""
    text = f"{top}cameras:\n"
    for camera, *lines in cameras:
        text += f"  {camera}:\n" + "".join(f"    {line}\n" for line in lines)
    path = tmp_path / name
    path.write_text(text)
    return read_rig(path)


def transform(x=1.0, y=2.0, z=1.5):
    """Return a transform of an optical frame that looks straight ahead."""
    quaternion = SimpleNamespace(x=-0.5, y=0.5, z=-0.5, w=0.5)
    return SimpleNamespace(translation=SimpleNamespace(x=x, y=y, z=z), rotation=quaternion)


def test_a_rig_that_is_written_is_the_one_that_is_read(tmp_path):
    own = np.zeros((240, 320), bool)
    own[200:, 100:200] = True
    first, *others = rig_file().entries
    fields = {**vars(first), "own": own, "crop": Crop(0, 40, 320, 160), "topic": "/front/image"}
    write_rig(tmp_path / "a" / "rig.yaml", RigFile((CameraEntry(**fields), *others), "car"))
    found = read_rig(tmp_path / "a" / "rig.yaml")
    assert (found.names, found.frame_id) == (rig_file().names, "car")
    assert found.entries[0].topic == "/front/image"
    rig, expected = found.rig(), rig_file().rig()
    assert np.array_equal(rig["front"].own, own)
    assert rig["front"].crop == Crop(0, 40, 320, 160)
    points = np.random.default_rng(0).uniform((-20, -20, 0), (20, 20, 2), (500, 3))
    for name in ("left", "rear", "right"):
        assert rig[name].see(points) == pytest.approx(
            expected[name].see(points), nan_ok=True, abs=1e-6
        )
        assert np.isfinite(rig[name].see(points)).any()


@pytest.mark.parametrize("angles", [(0, 0, 0), (3, -20, 170), (-100, 40, -95), (0, 89.999, 30)])
def test_angles_are_those_that_a_pose_was_made_of(angles):
    pose = Extrinsics.from_angles((0.0, 0.0, 1.0), *np.deg2rad(angles).tolist())
    assert angles_deg(pose) == pytest.approx(angles, abs=1e-6)


def test_a_camera_that_looks_straight_down_survives_a_file(tmp_path):
    pose = Extrinsics.from_angles((0.0, 0.0, 3.0), 0.0, np.pi / 2, 0.4)
    entry = CameraEntry("down", intrinsics=rig_file().entries[0].intrinsics, pose=pose)
    write_rig(tmp_path / "rig.yaml", RigFile((entry,)))
    found = read_rig(tmp_path / "rig.yaml").entries[0].pose
    assert found.rotation == pytest.approx(pose.rotation, abs=1e-6)


def test_a_matrix_says_the_same_as_angles(tmp_path):
    by_angles = rig_of(tmp_path, ("a", LENS, POSE)).entries[0].pose
    matrix = "[[0, 0, 1, 1], [-1, 0, 0, 0], [0, -1, 0, 1.5], [0, 0, 0, 1]]"
    found = rig_of(tmp_path, ("a", LENS, f"pose: {{vehicle_from_optical: {matrix}}}"))
    assert found.entries[0].pose.rotation == pytest.approx(by_angles.rotation, abs=1e-12)
    assert found.entries[0].pose.position == pytest.approx(by_angles.position)


def test_numbers_may_be_written_with_an_exponent(tmp_path):
    lens = "intrinsics: {width: 64, height: 48, k: [5e1, 0, 31.5, 0, 50, 23.5, 0, 0, 1], "
    found = rig_of(tmp_path, ("a", lens + "model: plumb_bob, d: [1e-3, -2E-4, 0, 0]}", POSE))
    assert found.entries[0].intrinsics.k[0] == 50.0
    assert found.entries[0].intrinsics.d == (1e-3, -2e-4, 0.0, 0.0)


def test_what_topics_say_completes_a_camera(tmp_path):
    rig = rig_of(tmp_path, ("front", "topic: /f", "info_topic: /f/info", "tf_frame: optical"))
    info = rig_of(tmp_path, ("a", LENS, POSE)).entries[0].intrinsics.info()
    found = rig.rig({"front": info}, {"front": transform()})["front"]
    assert found.image_size == (48, 64)
    assert found.view.position == pytest.approx((1, 2, 1.5))
    assert found.view.ahead == pytest.approx((1, 0, 0), abs=1e-12)
    assert rig.entries[0].image_topic == "/f"


def test_what_is_missing_is_said_by_the_cameras_name(tmp_path):
    rig = rig_of(tmp_path, ("front", LENS, POSE), ("left", "info_topic: /l/info", "tf_frame: l"))
    with pytest.raises(RigFileError, match=r"camera left has no pose yet: it waits for TF's frame"):
        rig.rig()
    with pytest.raises(RigFileError, match=r"camera left has no calibration yet: .* on /l/info"):
        rig.rig(transforms={"left": transform()})
    info = rig.entries[0].intrinsics.info()
    info.k = [0.0] * 9
    with pytest.raises(RigFileError, match=r"camera left: /l/info: .*k is zero"):
        rig.rig({"left": info}, {"left": transform()})
    zero = transform()
    zero.rotation = SimpleNamespace(x=0.0, y=0.0, z=0.0, w=0.0)
    with pytest.raises(RigFileError, match=r"camera left: frame l: .*quaternion"):
        rig.rig({"left": rig.entries[0].intrinsics.info()}, {"left": zero})
    with pytest.raises(RigFileError, match=r"camera front gives pictures of 128x96 .*64x48"):
        rig.entries[0].camera(image_size=(96, 128))


def test_binning_and_rectification_become_part_of_what_is_written():
    info = rig_file().entries[0].intrinsics.info()
    info.width, info.height, info.binning_x, info.binning_y = 640, 480, 2, 2
    info.r = Extrinsics.from_angles((0.0, 0.0, 0.0), 0.02, 0.01, 0.03).rotation @ [
        [0, -1, 0], [0, 0, -1], [1, 0, 0]
    ]  # fmt: skip
    info.r = info.r.ravel().tolist()
    entry = CameraEntry("a", info_topic="/i", pose=rig_file().entries[0].pose)
    camera = entry.camera(info)
    again = RigFile.of(Rig((camera,))).rig()["a"]
    points = np.random.default_rng(0).uniform((2, -5, 0), (20, 5, 2), (300, 3))
    assert np.isfinite(camera.see(points)).any()
    assert again.see(points) == pytest.approx(camera.see(points), nan_ok=True, abs=1e-6)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ((LENS,), "camera a has no pose"),
        ((POSE,), "camera a has no calibration"),
        ((LENS, POSE, "info_topic: /i"), "camera a has intrinsics and an info_topic"),
        ((LENS, POSE, "tf_frame: f"), "camera a has a pose and a tf_frame"),
        ((LENS, POSE, "topick: /i"), "camera a has the unknown key 'topick'; did you mean 'topic'"),
        ((LENS, POSE, "transport: jpeg"), "camera a has the transport 'jpeg', expected raw"),
        ((LENS, POSE, "topic: 5"), "camera a, topic is 5, expected text"),
        ((LENS, POSE, "crop: [0, 0, 80, 48]"), "camera a has the crop .*does not fit"),
        ((LENS, POSE, "crop: [0, 0, 80]"), r"camera a, crop is \[0, 0, 80\]"),
        ((LENS, POSE, "own_mask: none.png"), "camera a, own_mask none.png is missing"),
        ((LENS, POSE, "own_mask: ../x.png"), "camera a, own_mask is .* leaves the folder"),
        ((LENS, POSE, POSE), "line 5 has 'pose' for the second time"),
        ((LENS, POSE.replace("yaw_deg", "yaw_rad")), "camera a, pose has the unknown key 'yaw_rad'"
                                                     "; did you mean 'yaw_deg'"),
        ((LENS, POSE.replace("yaw_deg: 0", "")), "camera a, pose lacks yaw_deg"),
        ((LENS, POSE.replace("1.5", ".nan")), "camera a, pose, position_m.* expected a finite"),
        ((LENS, POSE.replace("[1, 0, 1.5]", "[1, 0]")), "camera a, pose, position_m has 2 items"),
        ((LENS, f"pose: {{vehicle_from_optical: {MIRROR}}}"), "camera a, pose, .* mirrors"),
        ((LENS, f"pose: {{vehicle_from_optical: {SKEWED}}}"), "camera a, pose, .* no rotation"),
        ((LENS, "pose: {vehicle_from_optical: [[1, 0], [0, 1]]}"), "camera a, pose, .* four rows"),
        ((LENS.replace("50, fy", "-50, fy"), POSE), "camera a, intrinsics: focal lengths"),
        ((LENS.replace("31.5", ".inf"), POSE), "camera a, intrinsics, cx .* expected a finite"),
        ((LENS.replace("cx: 31.5, ", ""), POSE), "camera a, intrinsics needs either k or all of"),
        ((LENS.replace("}", ", model: fishy, d: [0, 0, 0, 0]}"), POSE), "camera a, .*'fishy'"),
        ((LENS.replace("}", ", model: equidistant, d: [0, 0]}"), POSE), "camera a, .*d has 2"),
        ((LENS.replace("width: 64", "width: 64.5"), POSE), "camera a, .*width is 64.5"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_file_camera_and_key(tmp_path, lines, why):
    with pytest.raises(RigFileError, match=f"rig.yaml: .*{why}"):
        rig_of(tmp_path, ("a", *lines))


def test_a_camera_that_is_named_twice_is_refused(tmp_path):
    with pytest.raises(RigFileError, match="line 5 has 'front' for the second time"):
        rig_of(tmp_path, ("front", LENS, POSE), ("front", LENS, POSE))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the file is None"),
        ("cameras: {}", "cameras is {}"),
        ("frame_id: a", "cameras is None"),
        ("camera: {a: 1}", "unknown key 'camera'; did you mean 'cameras'"),
        ("cameras: {a: 5}", "camera a is 5"),
        ("cameras: {on: {}}", "a camera is named True"),
        ("cameras: [", "no valid YAML"),
        ("cameras: {a/b: {}}", "a camera is named 'a/b'"),
        ("!!python/object/apply:os.system ['true']", "no valid YAML"),
    ],
)
def test_what_is_no_rig_is_refused(tmp_path, text, why):
    path = tmp_path / "rig.yaml"
    path.write_text(text)
    with pytest.raises(RigFileError, match=why):
        read_rig(path)


@pytest.mark.parametrize(
    ("mask", "why"),
    [
        (np.zeros((40, 64), np.uint8), "own_mask own.png of 64x40 pixels, its pictures have 64x48"),
        (np.full((48, 64), 37, np.uint8), "holds the value 37"),
        (np.dstack([np.eye(48, 64, dtype=np.uint8) * 255] * 2 + [np.zeros((48, 64), np.uint8)]),
         "has colours"),
    ],
)  # fmt: skip
def test_masks_of_the_own_vehicle_are_black_and_white_and_of_the_pictures_size(tmp_path, mask, why):
    cv2.imwrite(str(tmp_path / "own.png"), mask)
    with pytest.raises(RigFileError, match=f"camera a.*{why}"):
        rig_of(tmp_path, ("a", LENS, POSE, "own_mask: own.png"))


def test_the_example_is_a_rig():
    rig = read_rig(EXAMPLE)
    assert len(rig.entries) >= 2
    assert {bool(entry.tf_frame) for entry in rig.entries} == {True, False}
