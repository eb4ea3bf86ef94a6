# SPDX-License-Identifier: Apache-2.0
"""The node paints clouds: a scene all right, by a pose or by TF; what is not painted is told."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import ros_harness as ros
from local_node import local_node
from painted_scene import pose, write_scene_model
from painting_rig import MS, START, YAW, Rig, assert_right, rig
from sensor_msgs.msg import PointCloud2
from tiny_model import write_tiny_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Says of each pixel the class that its blue is."""
    return write_scene_model(tmp_path_factory.mktemp("model") / "blue.onnx")


@pytest.fixture
def pose_file(tmp_path: Path) -> Path:
    """The lidar's pose in the frame of the turned camera."""
    shift, turn = pose(YAW)
    path = tmp_path / "pose.json"
    path.write_text(json.dumps({"translation": shift, "rotation": turn}))
    return path


def test_a_node_of_its_own_paints_a_scene_all_right(
    model: Path, pose_file: Path, tmp_path: Path
) -> None:
    """Started as users start it: distorted, and turned away from the lidar's axis."""
    namespace = ros.new_namespace()
    arguments = (
        *("-p", f"model.path:={model}"),
        *("-p", "painting.enabled:=true"),
        *("-p", f"painting.pose:={pose_file}"),
        *("-p", "painting.max_wait_s:=10.0"),
    )
    with (
        ros.node_process(tmp_path, namespace, *arguments) as process,
        ros.peer_in(namespace, process) as peer,
    ):
        there = Rig(peer)
        there.show_until(lambda: there.painted)
        message = there.painted[0]
        stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        assert (stamp - START) % (100 * MS) == 0, "the stamp of the cloud, not of the image"
        assert_right(message)
        assert there.peer.spin_until(lambda: there.status.values.get("painted", "0") != "0")
        values = there.status.values
        assert abs(float(values["skew_ms"])) <= 100 and float(values["known_ratio"]) > 0.05
        code, _ = process.stop()
        assert code == 0, process.log


def cut(cloud: PointCloud2) -> None:
    """Take the field z away."""
    cloud.fields = cloud.fields[:2]


def unstamp(cloud: PointCloud2) -> None:
    """Take the stamp away."""
    cloud.header.stamp.sec = cloud.header.stamp.nanosec = 0


PROBLEMS: list[tuple[dict[str, Any], str, str]] = [
    ({"change": cut}, "bad_cloud", "no field 'z', expected one; its fields: 'x', 'y'"),
    ({"change": unstamp}, "no_image", "the cloud has no stamp"),
    ({"skew": -60 * MS}, "no_image", " s after it, painting.max_skew_s is 0.03"),
    ({"info": False}, "no_camera_info", "no CameraInfo on "),
]


@pytest.mark.parametrize(("how", "reason", "text"), PROBLEMS, ids=[one[1] for one in PROBLEMS])
def test_what_is_not_painted_is_counted_and_told(
    how: dict[str, Any], reason: str, text: str, model: Path, pose_file: Path
) -> None:
    """And once it is right, all goes on."""
    with rig(model, **{"painting.pose": str(pose_file), "painting.max_skew_s": 0.03}) as (there, _):

        def told() -> bool:
            status = there.status
            enough = int(status.values.get(reason, 0)) >= 2 and status.level == b"\x02"
            return enough and text in status.values["last_problem"]

        there.show_until(told, **how)
        assert not there.painted and "no cloud is painted" in there.status.message
        there.show_until(lambda: there.painted)
        assert_right(there.painted[-1])


def test_nothing_is_made_while_nobody_listens(model: Path, pose_file: Path) -> None:
    """Painting costs; clouds are counted all the same."""
    with rig(model, **{"painting.pose": str(pose_file)}) as (there, _):
        (listener,) = (one for one in there.peer.node.subscriptions if "painted" in one.topic_name)
        there.peer.node.destroy_subscription(listener)
        there.show_until(lambda: int(there.status.values.get("unheard", 0)) >= 2)
        assert there.status.values["painted"] == "0"


def test_an_empty_cloud_is_answered(model: Path, pose_file: Path) -> None:
    """So that a consumer sees that nothing is there."""

    def empty(cloud: PointCloud2) -> None:
        cloud.width = cloud.row_step = 0
        cloud.data = []

    with rig(model, **{"painting.pose": str(pose_file)}) as (there, _):
        there.show_until(lambda: there.painted, change=empty)
        assert there.painted[0].width == 0 and len(there.painted[0].fields) == 6


def failure(model: Path, capfd: pytest.CaptureFixture[str], **values: Any) -> str:
    """Return what a node says that cannot be configured."""
    with local_node(model, **{"painting.enabled": True, **values}) as local:
        assert not local.node.start()
        assert local.node.count_publishers("points/painted") == 0
    return capfd.readouterr().err


def test_a_model_without_classes_is_a_configuration_error(
    tmp_path: Path, pose_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Not a node that says nothing for ever."""
    model = write_tiny_model(tmp_path / "tiny.onnx")
    said = failure(model, capfd, **{"painting.pose": str(pose_file)})
    assert "painting.enabled is set, but the model answers lanes, drivable_surface" in said
    assert "expected one that answers semantic" in said


def test_a_pose_that_is_none_is_a_configuration_error(
    model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """By the file's name."""
    bad = tmp_path / "bad.json"
    bad.write_text("{}")
    assert "bad.json: has [], expected the keys" in failure(
        model, capfd, **{"painting.pose": str(bad)}
    )


def test_without_tf_the_message_names_package_and_parameter(
    model: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing to take the transform from."""
    monkeypatch.setitem(sys.modules, "tf2_ros", None)
    said = failure(model, capfd)
    assert "painting.enabled is set and painting.pose is not, which needs the package tf2" in said
    assert "or set painting.pose" in said


def test_a_pose_and_a_frame_that_stands_still_contradict_each_other(model: Path) -> None:
    """Refused like other contradictions."""
    with pytest.raises(Exception, match=r"painting\.fixed_frame is odom"):
        failure(model, None, **{"painting.pose": "p.yaml", "painting.fixed_frame": "odom"})  # type: ignore[arg-type]


def test_it_ends_and_begins_with_the_node(model: Path, pose_file: Path) -> None:
    """Inactive nodes paint nothing; active again, they do."""
    with rig(model, **{"painting.pose": str(pose_file)}) as (there, _):
        there.show_until(lambda: there.painted)
        assert there.peer.change_state("deactivate")
        assert there.peer.spin_until(lambda: there.status.level == b"\x03")
        there.painted.clear()
        for _ in range(3):
            there.show()
        assert not there.painted
        assert there.peer.change_state("activate")
        there.show_until(lambda: there.painted)
        assert_right(there.painted[-1])
