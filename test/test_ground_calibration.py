"""The node's side of the calibration: CameraInfo, TF and parameters of a real ROS node."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from time import monotonic
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import ros_harness as ros
from ground_world import DEFAULTS, SIZE, camera_info, line, opencv_pixels, perception, road_points

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

import rclpy
from geometry_msgs.msg import Transform
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, RegionOfInterest
from std_msgs.msg import Header

from shared_encoder_perception.calibration import Calibration
from shared_encoder_perception.ground.projector import Projector
from shared_encoder_perception.structures import LaneId
from shared_encoder_perception.task_status import Level

HEADER = Header(frame_id="camera_optical")
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def message(lens: str = "plumb_bob", **changes: Any) -> CameraInfo:
    """Return a CameraInfo."""
    info = camera_info(lens, **changes)
    fields = {name: np.asarray(getattr(info, name), np.float64) for name in ("k", "r", "p")}
    return CameraInfo(
        width=info.width,
        height=info.height,
        distortion_model=info.distortion_model,
        d=[float(number) for number in info.d],
        roi=RegionOfInterest(),
        **fields,
    )


class Bench:
    """A node with a calibration, and a camera that publishes CameraInfo."""

    def __init__(self, context: Any, arguments: list[str], values: dict[str, Any]) -> None:
        """Create the node; ``values`` are parameters ``ground.*``."""
        overrides = {name: value for name, value in values.items() if name.startswith("qos")}
        values = {f"ground.{n}": v for n, v in values.items() if n not in overrides}
        self.values = {**DEFAULTS, **values}
        self.node = rclpy.create_node(
            "perception",
            context=context,
            namespace=ros.new_namespace(),
            cli_args=["--ros-args", *arguments],
            parameter_overrides=[Parameter(name, value=v) for name, v in overrides.items()],
        )
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.calibration = Calibration(self.node, self.values.__getitem__)

    def topic(self, name: str) -> str:
        """Return a name in the node's namespace."""
        return f"{self.node.get_namespace()}/{name}"

    def publisher(self, topic: str = "camera_info", qos: QoSProfile | int = 10) -> Any:
        """Create a camera that has been discovered."""
        publisher = self.node.create_publisher(CameraInfo, self.topic(topic), qos)
        assert self.spin_until(publisher.get_subscription_count), "no subscriber"
        return publisher

    def spin_until(self, condition: Callable[[], Any]) -> bool:
        """Serve until ``condition`` holds; return whether it does."""
        deadline = monotonic() + ros.PATIENCE_S
        while not condition():
            if monotonic() > deadline:
                return False
            self.executor.spin_once(timeout_sec=0.02)
        return True

    def show(self, publisher: Any, info: CameraInfo) -> None:
        """Publish a CameraInfo and wait until it has been received."""
        before = self.calibration.camera_info
        publisher.publish(info)
        assert self.spin_until(lambda: self.calibration.camera_info is not before)

    def projector(self, size: tuple[int, int] = SIZE) -> Projector | None:
        """Ask for an image's projector."""
        return self.calibration.projector(HEADER, size)

    def close(self) -> None:
        """Remove everything."""
        self.calibration.destroy()
        self.executor.shutdown()
        self.node.destroy_node()


@contextmanager
def bench(*arguments: str, **values: Any) -> Iterator[Bench]:
    """Open a bench in a context of its own, and close it in any case."""
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=ros.DOMAIN_ID)
    try:
        opened = Bench(context, list(arguments), values)
        try:
            yield opened
        finally:
            opened.close()
    finally:
        rclpy.shutdown(context=context)


def test_without_calibration_there_is_image_geometry_only() -> None:
    """The default: nothing is subscribed to, and diagnostics say so."""
    with bench() as b:
        assert b.projector() is None
        status = b.calibration.status()
        assert status.level is Level.OK
        assert status.message == "no calibration: image geometry only"
        assert not b.node.count_subscribers(b.topic("camera_info"))


def test_bad_camera_info_is_told_and_the_next_good_one_works() -> None:
    """NaN never kills anything; the projector is built once for each CameraInfo and image size."""
    with bench(source="parameters", pitch_deg=3.0, height_m=1.6) as b:
        assert b.projector() is None
        status = b.calibration.status()
        assert status.level is Level.WARN and "has no publisher" in status.message
        assert b.topic("camera_info") in status.message
        camera = b.publisher()
        assert "have sent nothing" in b.calibration.status().message
        b.show(camera, message(k=[np.nan] * 9))
        assert b.projector() is None
        status = b.calibration.status()
        assert status.level is Level.ERROR
        assert status.message == "CameraInfo: k holds NaN or infinity: image geometry only"
        b.show(camera, message())
        first = b.projector()
        assert first is not None and b.projector() is first
        status = b.calibration.status()
        assert status.level is Level.OK
        assert status.message == "lanes on the road in base_link, camera from parameters"
        assert status.values["camera height above road (m)"] == "1.600"
        assert status.values["camera looks down (deg)"] == "3.00"
        assert b.projector((480, 640)) is None
        assert "the image is 640x480 pixels" in b.calibration.status().message
        b.show(camera, message("none"))
        second = b.projector()
        assert second is not None and second is not first
        assert b.calibration.status().level is Level.OK


def test_a_repeated_camera_info_is_no_news() -> None:
    """Cameras send it with every image; nothing is computed again."""
    with bench(source="parameters") as b:
        camera = b.publisher()
        b.show(camera, message())
        first = b.projector()
        kept = b.calibration.camera_info
        camera.publish(message())
        b.show(camera, message("none"))  # once this is here, so was the other
        b.show(camera, message())
        assert b.calibration.camera_info is not kept
        assert b.projector() is not first
        held = b.projector()
        camera.publish(message())
        for _ in range(10):
            b.executor.spin_once(timeout_sec=0.02)
        assert b.projector() is held


@pytest.mark.parametrize(
    ("arguments", "topic"),
    [
        ([], "camera_info"),
        (["-r", "image:=front/image_raw"], "front/camera_info"),
        (["-r", "image:=front/image_raw", "-r", "camera_info:=side/info"], "side/info"),
    ],
    ids=["default", "beside the image", "remapped"],
)
def test_camera_info_is_found_beside_the_image(arguments: list[str], topic: str) -> None:
    """As image_transport finds it, unless it is remapped."""
    with bench(*arguments, source="parameters") as b:
        b.show(b.publisher(topic), message())
        assert b.projector() is not None
        assert b.calibration.status().values["camera_info"] == b.topic(topic)


def test_a_latched_camera_info_is_heard_with_an_override() -> None:
    """A publisher that sends it once, before anybody listens."""
    names = iter(range(1000))
    topic = f"/latched_{ros.DOMAIN_ID}_{id(names)}/camera_info"
    overrides = {
        f"qos_overrides.{topic}.subscription.durability": "transient_local",
        f"qos_overrides.{topic}.subscription.reliability": "reliable",
    }
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=ros.DOMAIN_ID)
    camera = rclpy.create_node("camera", context=context)
    try:
        camera.create_publisher(CameraInfo, topic, LATCHED).publish(message())
        with bench("-r", f"camera_info:={topic}", source="parameters", **overrides) as b:
            assert b.spin_until(lambda: b.calibration.camera_info is not None)
            assert b.projector() is not None
    finally:
        camera.destroy_node()
        rclpy.shutdown(context=context)


def test_parameters_apply_from_the_next_image() -> None:
    """Heights and angles may be tuned while running."""
    with bench(source="parameters") as b:
        b.show(b.publisher(), message())
        first = b.projector()
        b.calibration.apply_parameters()
        assert b.projector() is first
        b.values["ground.height_m"] = 2.0
        assert b.projector() is first
        b.calibration.apply_parameters()
        second = b.projector()
        assert second is not None and second.height_m == 2.0


def test_a_homography_needs_no_camera_info(tmp_path: Any) -> None:
    """Only its file, and images of the size that it names."""
    path = tmp_path / "road.json"
    path.write_text(
        '{"homography": [[0, 0, 20], [-0.02, 0, 12.8], [0, 0.01, -3]], "image_size": [720, 1280]}'
    )
    with bench(source="homography", calibration=str(path)) as b:
        assert b.projector() is not None
        assert b.calibration.status().level is Level.OK
        assert b.projector((480, 640)) is None
        assert "the homography is for (720, 1280)" in b.calibration.status().message
        assert not b.node.count_subscribers(b.topic("camera_info"))
    with (
        pytest.raises(ValueError, match=r"ground\.calibration is empty"),
        bench(source="homography"),
    ):
        pass


def test_the_correction_is_reported_and_can_be_reset() -> None:
    """Diagnostics say whether it is in use, how large it is, and why an image did not count."""
    with bench(source="parameters", pitch_deg=3.0, height_m=1.6, correction="pitch") as b:
        b.show(b.publisher(), message())
        lanes = {}
        calibrated = b.projector()
        assert calibrated is not None
        tilted = SimpleNamespace(**{**vars(calibrated.options), "pitch_deg": 3.5})
        tilted.position = calibrated.options.position
        for lane, offset in ((LaneId.EGO, 0.0), (LaneId.LEFT_EGO, 3.5)):
            x = 1.0 / np.linspace(1 / 8, 1 / 60, 40)
            points = road_points(lambda x, offset=offset: offset + 0.0 * x, x)
            lanes[lane] = line(lane, opencv_pixels(points, camera_info("plumb_bob"), tilted), 0.5)
        for _ in range(40):
            projector = b.projector()
            assert projector is calibrated
            projector.project(perception(lanes))
        values = b.calibration.status().values
        assert values["correction"] == "in use" and values["images learnt from"] == "40"
        assert float(values["pitch correction (deg)"]) == pytest.approx(0.5, abs=0.02)
        b.projector().project(perception({LaneId.EGO: lanes[LaneId.EGO]}))
        values = b.calibration.status().values
        assert values["last refusal"] == "fewer than two lanes side by side"
        b.calibration.reset()
        assert b.calibration.status().values["correction"] == "learning"


def test_images_and_camera_infos_may_come_at_once() -> None:
    """The inference thread asks while the executor's thread receives and changes parameters."""
    with bench(source="parameters", correction="pitch") as b:
        camera = b.publisher()
        b.show(camera, message())
        failures: list[Exception] = []
        running = True

        def ask() -> None:
            while running:
                try:
                    if (projector := b.projector()) is not None:
                        projector.project(perception({}))
                except Exception as error:
                    failures.append(error)
                    return

        thread = Thread(target=ask, daemon=True)
        thread.start()
        for number in range(40):
            b.show(camera, message() if number % 2 else message(k=[np.nan] * 9))
            b.values["ground.height_m"] = 1.0 + number / 100
            b.calibration.apply_parameters()
            b.calibration.reset()
            b.calibration.status()
        running = False
        thread.join(ros.PATIENCE_S)
        assert not failures and not thread.is_alive()


def test_destroy_ends_the_subscription() -> None:
    """A node that is cleaned up hears nothing more."""
    with bench(source="parameters") as b:
        topic = b.topic("camera_info")
        assert b.spin_until(lambda: b.node.count_subscribers(topic) == 1)
        b.calibration.destroy()
        assert b.spin_until(lambda: b.node.count_subscribers(topic) == 0)


def test_somebody_else_may_want_the_camera_info() -> None:
    """The input crops by its region, also without a ground."""
    with bench() as b:
        b.calibration.destroy()
        b.calibration = Calibration(b.node, b.values.__getitem__, needs_info=True)
        b.show(b.publisher(), message())
        assert b.calibration.camera_info.width == SIZE[1]
        assert b.projector() is None and b.calibration.status().level is Level.OK


def test_without_tf2_the_message_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """No silent fall-back to other extrinsics."""
    monkeypatch.setitem(sys.modules, "tf2_ros", None)
    with pytest.raises(ValueError, match="needs the package tf2_ros"), bench(source="tf"):
        pass


def test_the_pose_comes_from_tf(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the parts of tf2_ros that are used: newest transform, or its exception."""

    class TransformError(Exception):
        pass

    class Buffer:
        transform: Transform | None = None

        def lookup_transform(self, target: str, source: str, time: Any) -> Any:
            assert (target, source, time.nanoseconds) == ("base_link", "camera_optical", 0)
            if self.transform is None:
                raise TransformError("frame does not exist")
            return SimpleNamespace(transform=self.transform)

    class TransformListener:
        def __init__(self, buffer: Buffer, node: Any) -> None:
            self.buffer, listeners[:] = buffer, [self]

        def unregister(self) -> None:
            listeners.clear()

    listeners: list[Any] = []
    module = ModuleType("tf2_ros")
    vars(module).update(
        Buffer=Buffer, TransformListener=TransformListener, TransformException=TransformError
    )
    monkeypatch.setitem(sys.modules, "tf2_ros", module)
    with bench(source="tf") as b:
        b.show(b.publisher(), message())
        assert b.projector() is None
        problem = b.calibration.status()
        assert problem.level is Level.ERROR
        assert "no transform from camera_optical to base_link: frame does not" in problem.message
        transform = Transform()
        transform.translation.x, transform.translation.z = 1.5, 1.4
        half = 0.5  # optical axes to body axes
        transform.rotation.x, transform.rotation.y = -half, half
        transform.rotation.z, transform.rotation.w = -half, half
        listeners[0].buffer.transform = transform
        first = b.projector()
        assert first is not None and b.projector() is first
        np.testing.assert_allclose(first.view.position, (1.5, 0.0, 1.4))
        np.testing.assert_allclose(first.view.ahead, (1.0, 0.0, 0.0), atol=1e-12)
        listeners[0].buffer.transform = Transform()
        assert b.projector() is None  # a camera that lies on the road
        assert "above the road" in b.calibration.status().message
    assert not listeners


@pytest.mark.skipif(
    not pytest.importorskip("importlib.util").find_spec("tf2_ros"),
    reason="tf2_ros is not installed",
)
def test_the_pose_comes_from_a_real_tf() -> None:
    """A static transform on /tf_static."""
    from geometry_msgs.msg import TransformStamped
    from tf2_ros import StaticTransformBroadcaster

    with bench(source="tf") as b:
        stamped = TransformStamped(child_frame_id="camera_optical")
        stamped.header.frame_id = "base_link"
        stamped.transform.translation.z = 1.4
        StaticTransformBroadcaster(b.node).sendTransform(stamped)
        b.show(b.publisher(), message())
        assert b.spin_until(lambda: b.projector() is not None)
        assert b.projector().height_m == pytest.approx(1.4)
