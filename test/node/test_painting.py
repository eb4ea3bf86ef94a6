"""The node paints clouds: a scene all right, by a pose or by TF; what is not painted is told."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import ros_harness as ros
from diagnostic_msgs.msg import DiagnosticArray
from local_node import local_node
from painted_scene import (
    CAMERA,
    LIDAR,
    SIZE,
    camera,
    certain,
    cloud_of,
    image_of,
    info_of,
    picture,
    pose,
    sweep,
    transform_of,
)
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, PointCloud2
from specs import spec_of
from tiny_model import write_tiny_model

from shared_encoder_perception.node.diagnostics import TOPIC
from shared_encoder_perception.node.messages import new_message
from shared_encoder_perception.node.painting import PAINTED_TOPIC, POINTS_TOPIC
from shared_encoder_perception.tasks.cloud_msg import field_values, positions

KIND, POINTS = sweep()
LENS, YAW = "radial", 0.6
START = 1_000 * 10**9
MS = 10**6
NAME = "painting"
PATIENT = {"painting.max_wait_s": 10.0}
"""A busy machine takes its time until the image that belongs to a cloud is perceived."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Says of each pixel the class that its blue is."""
    spec = spec_of("blue", "1", tasks=("semantic",), input_size=SIZE)
    return write_tiny_model(
        tmp_path_factory.mktemp("model") / "blue.onnx", spec, blue_is_class=True
    )


@pytest.fixture
def pose_file(tmp_path: Path) -> Path:
    """The lidar's pose in the frame of the turned camera."""
    shift, turn = pose(YAW)
    path = tmp_path / "pose.json"
    path.write_text(json.dumps({"translation": shift, "rotation": turn}))
    return path


class Rig:
    """A camera and a lidar beside a node, and what the node says."""

    def __init__(self, peer: ros.Peer) -> None:
        """Publish and listen by a peer."""
        self.peer, self.status = peer, SimpleNamespace(level=b"", message="", values={})
        node = peer.node
        self.infos = node.create_publisher(CameraInfo, "camera_info", QoSProfile(depth=10))
        self.clouds = node.create_publisher(PointCloud2, POINTS_TOPIC, QoSProfile(depth=10))
        peer._subscribe(PAINTED_TOPIC, PointCloud2, QoSProfile(depth=10))
        node.create_subscription(DiagnosticArray, TOPIC, self._collect, 10)
        self.painted = peer.received[PAINTED_TOPIC]
        self.count, self.answer = 0, picture(camera(LENS), YAW)

    def _collect(self, array: DiagnosticArray) -> None:
        for status in array.status:
            if status.name.endswith(f"perception: {NAME}"):
                values = {item.key: item.value for item in status.values}
                self.status = SimpleNamespace(
                    level=status.level, message=status.message, values=values
                )

    def show(self, *, info: bool = True, skew: int = 20 * MS, change: Any = None) -> int:
        """Publish an image, its CameraInfo and a cloud that was taken before; return its stamp."""
        self.count += 1
        at = START + self.count * 100 * MS
        if info:
            self.infos.publish(info_of(LENS, at, new_message))
        cloud = cloud_of(POINTS, at, new_message)
        if change is not None:
            change(cloud)
        self.clouds.publish(cloud)
        self.peer.images.publish(image_of(self.answer, at + skew, new_message))
        self.peer.spin_for(0.1)
        return at

    def show_until(self, condition: Callable[[], Any], **how: Any) -> None:
        """Go on until ``condition`` holds."""

        def holds() -> bool:
            self.show(**how)
            return bool(condition())

        assert self.peer.spin_until(holds), (self.status, self.peer._process and "see its log")


@contextmanager
def rig(model: Path, **values: Any) -> Iterator[tuple[Rig, Any]]:
    """Yield a rig beside an active node in this process."""
    namespace = ros.new_namespace()
    values = {"painting.enabled": True, "diagnostics.period_s": 0.1, **PATIENT, **values}
    with local_node(model, namespace, **values) as local, ros.peer_in(namespace) as peer:
        assert local.node.start()
        with ros.served(local.node):
            yield Rig(peer), local


def assert_right(message: PointCloud2) -> None:
    """All fields are kept, and what was painted is what stands there."""
    assert message.header.frame_id == LIDAR
    np.testing.assert_array_equal(positions(message), POINTS.T.astype(np.float32))
    np.testing.assert_array_equal(field_values(message, "intensity")[0], np.arange(len(POINTS)))
    ids = field_values(message, "class")[0]
    sure = certain(ids, LENS, YAW, picture(camera(LENS), YAW), POINTS)
    np.testing.assert_array_equal(ids[sure], KIND[sure])
    probability = field_values(message, "probability")[0]
    np.testing.assert_allclose(probability[sure], 200 / 255)
    assert not probability[ids == 255].any()


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


@pytest.fixture
def tf(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A stand-in for the parts of tf2_ros that are used; ``known`` is what it knows."""
    known = SimpleNamespace(transform=None, asked=[])

    class TransformError(Exception):
        pass

    class Buffer:
        def lookup_transform(self, target: str, source: str, time: Any) -> Any:
            return self._found(target, source, time.nanoseconds)

        def lookup_transform_full(
            self, target: str, at: Any, source: str, then: Any, fixed: str, timeout: Any
        ) -> Any:
            assert timeout.nanoseconds > 0
            return self._found(target, source, at.nanoseconds, then.nanoseconds, fixed)

        def _found(self, *asked: Any) -> Any:
            known.asked.append(asked)
            if known.transform is None:
                raise TransformError("frame does not exist")
            return known.transform

    class TransformListener:
        def __init__(self, buffer: Buffer, node: Any) -> None:
            pass

        def unregister(self) -> None:
            pass

    module = ModuleType("tf2_ros")
    vars(module).update(
        Buffer=Buffer, TransformListener=TransformListener, TransformException=TransformError
    )
    monkeypatch.setitem(sys.modules, "tf2_ros", module)
    return known


@pytest.mark.parametrize("fixed", ["", "odom"])
def test_the_transform_comes_from_tf(fixed: str, model: Path, tf: SimpleNamespace) -> None:
    """From the newest, or from cloud to image by a frame that stands still; none is told."""
    with rig(model, **{"painting.fixed_frame": fixed}) as (there, _):
        there.show_until(lambda: int(there.status.values.get("no_transform", 0)))
        problem = f"no transform from {LIDAR} to {CAMERA}: frame does not exist"
        assert problem in there.status.values["last_problem"]
        tf.transform = transform_of(YAW, new_message)
        there.show_until(lambda: there.painted)
        assert_right(there.painted[-1])
    target, source, *times = tf.asked[-1]
    assert (target, source) == (CAMERA, LIDAR)
    if fixed:
        assert times[2] == fixed
        ways = {at - then for _, _, at, then, _ in tf.asked}
        assert 20 * MS in ways, "from the time of the cloud to that of the image"
    else:
        assert times == [0]


@pytest.mark.skipif(
    not pytest.importorskip("importlib.util").find_spec("tf2_ros"),
    reason="tf2_ros is not installed",
)
def test_the_transform_comes_from_a_real_tf(model: Path) -> None:
    """A static transform on /tf_static."""
    from tf2_ros import StaticTransformBroadcaster

    with rig(model) as (there, local):
        StaticTransformBroadcaster(local.node).sendTransform(transform_of(YAW, new_message))
        there.show_until(lambda: there.painted)
        assert_right(there.painted[-1])


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
