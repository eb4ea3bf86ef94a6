# SPDX-License-Identifier: Apache-2.0
"""The command that paints a bag: a scene all right, with every lens and turned; bad bags."""

from __future__ import annotations

import json

import numpy as np
import pytest
from painted_drive import (
    CLOUD,
    IMAGE,
    INFO,
    KIND,
    MS,
    POINTS,
    START,
    STATIC,
    drive,
    picture_of,
    tf_message,
)
from painted_scene import (
    CAMERA,
    LIDAR,
    SIZE,
    certain,
    cloud_of,
    image_of,
    info_of,
    pose,
    transform_of,
    write_scene_model,
)
from replay_bags import write_bag

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.images.bags import open_bag, read_messages
from shared_encoder_perception.images.image_msg import fill_compressed
from shared_encoder_perception.replay.messages import new_message
from shared_encoder_perception.replay.painted_files import PLY
from shared_encoder_perception.tasks.cloud_msg import field_values, positions


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Says of each pixel the class that its blue is."""
    return write_scene_model(tmp_path_factory.mktemp("model") / "blue.onnx")


def run(model, bag, out, *options):
    engine = ["--model", str(model), "--backend", "onnxruntime", "--threads", "1"]
    return main(["paint", "--bag", str(bag), "--out", str(out), *engine, *map(str, options)])


def painted(out):
    """The painted clouds: (when recorded, message)."""
    with open_bag(out / "bag") as reader:
        return [
            (at, message)
            for connection, at, message in read_messages(reader, out)
            if connection.topic == "/points/painted"
        ]


def summary(out):
    return json.loads((out / "summary.json").read_text())


@pytest.mark.parametrize("yaw", [0.0, 0.6])
@pytest.mark.parametrize("lens", ["none", "radial", "fisheye"])
def test_every_point_of_a_known_scene_is_right(lens, yaw, model, tmp_path):
    """Through messages, TF, the network and back into a bag; all that a cloud had is kept."""
    out = tmp_path / "out"
    assert run(model, write_bag(tmp_path / "bag", drive(lens, yaw)), out) == 0
    ((at, message),) = painted(out)
    assert at == START + MS and message.header.frame_id == LIDAR
    np.testing.assert_array_equal(positions(message), POINTS.T.astype(np.float32))
    numbers = field_values(message, "intensity").ravel()
    np.testing.assert_array_equal(numbers, np.arange(len(POINTS)))
    ids = field_values(message, "class").ravel()
    sure = certain(ids, lens, yaw, picture_of(lens, yaw), POINTS)
    np.testing.assert_array_equal(ids[sure], KIND[sure])
    probability = field_values(message, "probability").ravel()
    np.testing.assert_allclose(probability[sure], 200 / 255)
    assert not probability[ids == 255].any()
    told = summary(out)
    assert (told["clouds"], told["painted"], told["dropped"]) == (1, 1, {})
    assert told["points_known"] == (ids != 255).sum() == sum(told["classes"].values())


def test_a_pose_from_a_file_does_what_tf_does(model, tmp_path):
    shift, turn = pose(0.6)
    file = tmp_path / "pose.json"
    file.write_text(json.dumps({"translation": shift, "rotation": turn}))
    assert run(model, write_bag(tmp_path / "tf", drive("radial", 0.6)), tmp_path / "1") == 0
    bare = write_bag(tmp_path / "bare", drive("radial", 0.6, with_tf=False))
    assert run(model, bare, tmp_path / "2", "--pose", file) == 0
    ((_, one),), ((_, other),) = painted(tmp_path / "1"), painted(tmp_path / "2")
    np.testing.assert_array_equal(one.data, other.data)


def test_the_nearest_image_counts_whatever_came_first(model, tmp_path):
    """Two images, the nearer one earlier in time and later in the bag, and compressed."""
    right, wrong = picture_of("none", 0.0), picture_of("none", 2.5)
    near = new_message("sensor_msgs/msg/CompressedImage")
    image = image_of(right, START - 20 * MS, new_message)
    near.header = image.header
    fill_compressed(near, image.data.reshape(*SIZE, 3), "png")
    far = new_message("sensor_msgs/msg/CompressedImage")
    image = image_of(wrong, START + 40 * MS, new_message)
    far.header = image.header
    fill_compressed(far, image.data.reshape(*SIZE, 3), "png")
    bag = write_bag(
        tmp_path / "bag",
        [
            (STATIC, START, tf_message(transform_of(0.0, new_message))),
            (INFO, START, info_of("none", START, new_message)),
            (f"{IMAGE}/compressed", START + 50 * MS, far),
            (CLOUD, START + 60 * MS, cloud_of(POINTS, START, new_message)),
            (f"{IMAGE}/compressed", START + 70 * MS, near),
        ],
    )
    assert run(model, bag, tmp_path / "out") == 0
    ((_, message),) = painted(tmp_path / "out")
    ids = field_values(message, "class").ravel()
    sure = certain(ids, "none", 0.0, right, POINTS)
    np.testing.assert_array_equal(ids[sure], KIND[sure])
    assert summary(tmp_path / "out")["skew_ms"]["max"] == pytest.approx(20)


def test_clouds_too_far_from_any_image_are_left_out_and_told(model, tmp_path, capsys):
    bag = write_bag(tmp_path / "bag", drive(skews_ms=(10, 40, 49)))
    assert run(model, bag, tmp_path / "out", "--max-skew", 0.03) == 1
    told = summary(tmp_path / "out")
    assert (told["painted"], told["dropped"]) == (1, {"no_image": 2})
    assert "taken 0.040 s after it, --max-skew is 0.03" in told["examples"]["no_image"]
    printed = capsys.readouterr().out
    assert "clouds   1 of 3 painted" in printed and "2 no_image, the first: cloud 1" in printed
    assert len(painted(tmp_path / "out")) == 1


def test_files_of_each_cloud_on_request(model, tmp_path):
    bag, out = write_bag(tmp_path / "bag", drive(skews_ms=(10, 10))), tmp_path / "out"
    assert run(model, bag, out, "--ply") == 0
    header, _, body = (out / "000001.ply").read_bytes().partition(b"end_header\n")
    cloud = np.frombuffer(body, PLY)
    (_, message) = painted(out)[1]
    np.testing.assert_array_equal(cloud["class"], field_values(message, "class").ravel())
    np.testing.assert_array_equal(cloud["intensity"], np.arange(len(POINTS)))
    assert (out / "000000.jpg").is_file() and f"vertex {len(POINTS)}".encode() in header


def test_a_cloud_that_cannot_be_painted_costs_the_others_nothing(model, tmp_path):
    messages = drive(skews_ms=(10,) * 4)
    clouds = [message for topic, _, message in messages if topic == CLOUD]
    clouds[0].fields = clouds[0].fields[:2]
    clouds[1].header.frame_id = "elsewhere"
    clouds[2].header.stamp.sec = clouds[2].header.stamp.nanosec = 0
    out = tmp_path / "out"
    assert run(model, write_bag(tmp_path / "bag", messages), out) == 1
    told = summary(out)
    assert told["painted"] == 1
    assert told["dropped"] == {"bad_cloud": 1, "no_transform": 1, "no_image": 1}
    assert "no field 'z'" in told["examples"]["bad_cloud"]
    assert "TF has no frame 'elsewhere'" in told["examples"]["no_transform"]
    assert "cloud 2: it has no stamp" in told["examples"]["no_image"]


def test_a_camera_or_an_image_of_no_use_is_told(model, tmp_path):
    for topic, field, value, reason in (
        (INFO, "k", np.zeros(9), "no_camera_info"),
        (INFO, "width", 99, "no_camera_info"),
        (IMAGE, "encoding", "magic", "bad_image"),
    ):
        messages = drive()
        for name, _, message in messages:
            if name == topic:
                setattr(message, field, value)
        place = tmp_path / f"{reason}_{field}"
        assert run(model, write_bag(place / "bag", messages), place / "out") == 1
        assert summary(place / "out")["dropped"] == {reason: 1}


def test_empty_clouds_and_points_of_nan_are_painted_as_what_they_are(model, tmp_path):
    messages = drive(skews_ms=(10, 10))
    first, second = (number for number, one in enumerate(messages) if one[0] == CLOUD)
    empty, holes = cloud_of(POINTS[:0], START, new_message), POINTS[:50].copy()
    holes[::2] = np.nan
    messages[first] = (CLOUD, messages[first][1], empty)
    nan = cloud_of(holes, START + 100 * MS, new_message)
    messages[second] = (CLOUD, messages[second][1], nan)
    out = tmp_path / "out"
    assert run(model, write_bag(tmp_path / "bag", messages), out) == 0
    (_, one), (_, other) = painted(out)
    assert one.width == 0 and len(one.data) == 0 and one.fields[-1].name == "probability"
    assert (field_values(other, "class").ravel()[::2] == 255).all()


def refused(model, bag, out, capsys, *options):
    assert run(model, bag, out, *options) == 2
    assert not (out / "bag").exists()
    return capsys.readouterr().err


def test_what_a_bag_lacks_is_said_before_anything_is_painted(model, tmp_path, capsys):
    whole = drive()
    for topic, reason in (
        (CLOUD, "no topic with PointCloud2; it has /front/camera_info"),
        (IMAGE, "no topic with images"),
        (INFO, "no topic with CameraInfo"),
        (STATIC, "has no TF (tf2_msgs/msg/TFMessage): give the lidar's pose"),
    ):
        bag = write_bag(tmp_path / topic.strip("/"), [one for one in whole if one[0] != topic])
        assert reason in refused(model, bag, tmp_path / "out", capsys)


def test_several_topics_are_listed_to_choose_from(model, tmp_path, capsys):
    more = [("/rear/points", at, one) for topic, at, one in drive() if topic == CLOUD]
    bag, out = write_bag(tmp_path / "bag", [*drive(), *more]), tmp_path / "out"
    error = refused(model, bag, out, capsys)
    assert "choose one with --points: /lidar/points, /rear/points" in error
    error = refused(model, bag, out, capsys, "--points", "/none")
    assert "no PointCloud2 on '/none'; topics: /lidar/points, /rear/points" in error
    assert run(model, bag, out, "--points", "/rear/points") == 0
    assert summary(out)["topics"]["points"] == "/rear/points"
    assert "is there already" in (run(model, bag, out), capsys.readouterr().err)[1]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--max-skew", "-1"), "--max-skew is -1"),
        (("--max-skew", "nan"), "--max-skew is nan"),
        (("--pose", "p.yaml", "--fixed-frame", "odom"), "leave --pose out"),
    ],
)
def test_options_that_make_no_sense(options, reason, model, tmp_path, capsys):
    assert reason in refused(model, tmp_path / "none", tmp_path / "out", capsys, *options)


def test_the_time_of_painting_is_told_for_each_lens(model, capsys):
    """That it runs and counts points; how long it took is of no importance here."""
    engine = ["--model", str(model), "--backend", "onnxruntime", "--threads", "1"]
    assert main(["paint", "--time", "2000", *engine]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split()[-1] == "seen" and len(rows) == 3
    assert all(10 < float(row.split()[-1].rstrip("%")) < 40 for row in rows)
    assert main(["paint", "--time", "0", *engine]) == 2
    assert "--time is 0, expected a number of points" in capsys.readouterr().err
    assert main(["paint", "--kitti", "folder", *engine]) == 2
    assert "--out is missing" in capsys.readouterr().err


def test_options_of_bags_are_refused_for_kitti(tmp_path, capsys):
    given = ["paint", "--kitti", str(tmp_path), "--out", str(tmp_path / "o"), "--ply"]
    assert main(given) == 2
    assert "--ply is for --bag" in capsys.readouterr().err


def test_a_fixed_frame_carries_points_to_the_time_of_the_image(model, tmp_path):
    """A metre nearer, all that stands a metre further away in the recording is the same."""
    poses = []
    for at, x in ((START - 100 * MS, -10.0), (START + 100 * MS, 10.0)):  # 100 m/s along z
        moving = new_message("geometry_msgs/msg/TransformStamped")
        moving.header.stamp.sec, moving.header.stamp.nanosec = divmod(at, 10**9)
        moving.header.frame_id, moving.child_frame_id = "odom", CAMERA
        moving.transform.translation.z, moving.transform.rotation.w = x, 1.0
        poses.append(moving)
    messages = drive(skews_ms=(10,))  # the image is taken a metre further on
    ahead = cloud_of(POINTS + (0, 0, 1.0), START, new_message)
    messages = [(t, at, ahead if t == CLOUD else one) for t, at, one in messages]
    messages.append(("/tf", START, tf_message(*poses)))
    bag = write_bag(tmp_path / "bag", messages)
    plain = write_bag(tmp_path / "plain", drive(skews_ms=(10,)))
    assert run(model, bag, tmp_path / "moved", "--fixed-frame", "odom") == 0
    assert run(model, plain, tmp_path / "still") == 0
    assert run(model, bag, tmp_path / "not moved") == 0
    moved, still, not_moved = (
        field_values(painted(tmp_path / name)[0][1], "class").ravel()
        for name in ("moved", "still", "not moved")
    )
    assert (moved != 255).sum() > 500 and (moved == still).mean() > 0.999
    assert (not_moved == still).mean() < 0.99
