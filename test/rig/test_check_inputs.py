# SPDX-License-Identifier: Apache-2.0
"""``rig check`` out of folders, bags and labelled sets; and what they lack."""

import re
from dataclasses import replace

import cv2
import numpy as np
from checked_rig import check, run
from patterned_ground import photographs, rig_file, turned_by
from replay_bags import COMPRESSED, image_message, write_bag

from shared_encoder_perception.images.bags import typestore
from shared_encoder_perception.labels.rig_input import read_moments
from shared_encoder_perception.labels.rigs.record import record_of
from shared_encoder_perception.labels.rigs.writer import RigWriter, encoded
from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.rig.rig_file import RigFile, write_rig


def test_pictures_in_folders_are_chosen_by_name(tmp_path, capsys):
    write_rig(tmp_path / "rig.yaml", rig_file())
    for name, picture in photographs().items():
        (tmp_path / "in" / name).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "in" / name / "2.png"), picture)
        cv2.imwrite(str(tmp_path / "in" / name / "10.png"), picture[:, ::-1])
    assert run(tmp_path, capsys, tmp_path / "in", "--moments", "1").status == 0
    assert run(tmp_path, capsys, tmp_path / "in", "--frame", "2").status == 0
    assert run(tmp_path, capsys, tmp_path / "in", "--frame", "10").status == 3
    found = run(tmp_path, capsys, tmp_path / "in", "--frame", "3")
    assert (found.status, "no picture named '3'" in found.faults) == (2, True)


def test_a_set_brings_its_own_calibration(tmp_path, capsys):
    frame = RigFrame("one", rig_file().rig(), photographs())
    pictures = {name: encoded(picture, ".png") for name, picture in photographs().items()}
    with RigWriter(tmp_path / "set") as writer:
        writer.write(record_of(frame), pictures)
    assert run(tmp_path, capsys, tmp_path / "set", rig=None).status == 0
    found = run(tmp_path, capsys, tmp_path / "set" / "rigs.jsonl", "--frame", "two", rig=None)
    assert (found.status, "no line named 'two'" in found.faults) == (2, True)
    write_rig(tmp_path / "rig.yaml", RigFile.of(turned_by(frame.rig, "left", yaw=4.0)))
    found = run(tmp_path, capsys, tmp_path / "set")
    assert (found.status, "camera left is the one" in found.faults) == (3, True)


def info_message(entry):
    """Return a CameraInfo of rosbags."""
    types = typestore().types
    right = vars(entry.intrinsics.info())
    roi = types["sensor_msgs/msg/RegionOfInterest"](**vars(right.pop("roi")))
    arrays = {key: np.array(right.pop(key), np.float64) for key in ("d", "k", "r", "p")}
    header = image_message(np.zeros((1, 1, 3), np.uint8), 0).header
    return types["sensor_msgs/msg/CameraInfo"](header=header, roi=roi, **right, **arrays)


def tf_message(child, pose):
    """Return a TFMessage of rosbags."""
    types = typestore().types
    # Of a rotation by less than half a turn, or whose w is not 0.
    w = np.sqrt(max(1.0 + np.trace(pose.rotation), 1e-12)) / 2
    turn = pose.rotation
    x, y, z = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
    parts = np.array((x, y, z)) / (4 * w)
    rotation = types["geometry_msgs/msg/Quaternion"](*parts, w)
    shift = types["geometry_msgs/msg/Vector3"](*pose.position)
    header = image_message(np.zeros((1, 1, 3), np.uint8), 0).header
    header.frame_id = "base_link"
    transform = types["geometry_msgs/msg/Transform"](translation=shift, rotation=rotation)
    stamped = types["geometry_msgs/msg/TransformStamped"](header, child, transform)
    return types["tf2_msgs/msg/TFMessage"](transforms=[stamped])


def bag_of(path, late_ns=0):
    """Write a bag: an early moment without the right camera, then a whole one; return its rig."""
    entries, messages = [], []
    start = 1_700_000_000_000_000_000
    for entry in rig_file().entries:
        topic = f"/{entry.name}/image"
        transport = "compressed" if entry.name == "rear" else "raw"
        name = f"{topic}/compressed" if entry.name == "rear" else topic
        kind = {"kind": COMPRESSED} if entry.name == "rear" else {}
        picture = photographs()[entry.name]
        if entry.name != "right" and not late_ns:
            messages.append((name, start, image_message(picture[::-1].copy(), start, **kind)))
        at = start + 100_000_000 + (late_ns if entry.name == "right" else 0)
        messages.append((name, at, image_message(picture, at, **kind)))
        entry = replace(entry, topic=topic, transport=transport)
        if entry.name == "left":
            messages.append(("/left/info", start, info_message(entry)))
            messages.append(("/tf_static", start, tf_message("left_optical", entry.pose)))
            entry = replace(
                entry, intrinsics=None, info_topic="/left/info", pose=None, tf_frame="left_optical"
            )
        entries.append(entry)
    write_bag(path, sorted(messages, key=lambda one: one[1]))
    return RigFile(tuple(entries))


def test_a_bag_brings_calibration_poses_and_pictures_of_one_moment(tmp_path, capsys):
    write_rig(tmp_path / "rig.yaml", bag_of(tmp_path / "bag"))
    found = run(tmp_path, capsys, tmp_path / "bag", "--moments", "1")
    assert (found.status, found.faults) == (0, "")
    found = run(tmp_path, capsys, tmp_path / "bag")
    told = "warning: camera right has no picture in 1 of 2 moments\n"
    assert (found.status, found.faults) == (0, told)


def test_pictures_of_different_times_are_told(tmp_path, capsys):
    write_rig(tmp_path / "rig.yaml", bag_of(tmp_path / "bag", late_ns=250_000_000))
    found = run(tmp_path, capsys, tmp_path / "bag")
    assert found.status == 0
    assert "warning: camera right has its picture 0.250 s away from camera front's" in found.faults


def test_what_a_bag_or_a_folder_lacks_is_said_by_the_cameras_name(tmp_path, capsys):
    rig = bag_of(tmp_path / "bag")
    lacking = [
        ({"topic": "/lost"}, "camera left: .* has no images on '/lost'"),
        ({"topic": ""}, "camera left has no topic: rig.yaml needs one"),
        (
            {"info_topic": "/lost"},
            "camera left has no calibration yet: it waits for CameraInfo on /lost",
        ),
        ({"tf_frame": "lost"}, "camera left: .* no transform from 'lost'"),
    ]
    for change, why in lacking:
        entries = [replace(e, **change) if e.name == "left" else e for e in rig.entries]
        write_rig(tmp_path / "rig.yaml", RigFile(tuple(entries)))
        found = run(tmp_path, capsys, tmp_path / "bag")
        assert found.status == 2
        assert re.search(why, found.faults)
    found = run(tmp_path, capsys, tmp_path / "bag", rig=None)
    assert (found.status, "has no calibration: give the rig.yaml" in found.faults) == (2, True)
    found = check(tmp_path, capsys, files=rig)
    assert (found.status, "camera left: its calibration comes from Cam" in found.faults) == (
        2,
        True,
    )
    small = dict(photographs()) | {"rear": photographs()["rear"][:200]}
    found = check(tmp_path, capsys, None, small)
    assert (found.status, "camera rear gives pictures of 400x200" in found.faults) == (2, True)


def test_of_a_set_with_several_rigs_the_lines_of_the_first_are_looked_at(tmp_path, capsys):
    rig = rig_file().rig()
    pictures = {name: encoded(picture, ".png") for name, picture in photographs().items()}
    with RigWriter(tmp_path / "set") as writer:
        for index in range(5):
            turned = rig if index < 3 else turned_by(rig, "left", yaw=30.0)
            frame = RigFrame(f"m{index}", turned, photographs())
            writer.write(record_of(frame), pictures)
    found = run(tmp_path, capsys, tmp_path / "set", rig=None)
    assert (found.status, "looked at 3 moments" in found.out) == (0, True)
    assert "note: these are moments of the lines at the beginning" in found.out
    write_rig(tmp_path / "rig.yaml", rig_file())
    found = run(tmp_path, capsys, tmp_path / "set")
    assert (found.status, "looked at 5 moments\n" in found.out) == (0, True)


def test_moments_of_a_bag_are_spread_over_it_and_whole_ones_come_first(tmp_path):
    entries, messages = [], []
    start = 1_700_000_000_000_000_000
    for entry in rig_file().entries:
        entries.append(replace(entry, topic=f"/{entry.name}/image"))
        for index in range(12):
            at = start + index * 100_000_000
            if not (entry.name == "left" and index in (0, 6)):
                message = image_message(photographs()[entry.name], at)
                messages.append((f"/{entry.name}/image", at, message))
    bag = write_bag(tmp_path / "bag", sorted(messages, key=lambda one: one[1]))
    rig = RigFile(tuple(entries))

    def names(*options):
        return [one.name[-2:] for one in read_moments(rig, bag, *options).frames]

    assert names(4) == ["01", "03", "07", "09"]
    assert names(1) == ["01"]
    assert names(3, None, 0.85) == ["09", "10", "11"]
    assert names(32)[:2] == ["00", "01"]  # all
