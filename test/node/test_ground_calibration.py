"""The node's side of the calibration: CameraInfo, TF and parameters of a real ROS node."""

from __future__ import annotations

from threading import Thread
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import ros_harness as ros
from ground_world import SIZE, camera_info, line, opencv_pixels, perception, road_points

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

import rclpy
from calibration_bench import LATCHED, bench, message
from sensor_msgs.msg import CameraInfo

from shared_encoder_perception.node.calibration import Calibration
from shared_encoder_perception.node.task_status import Level
from shared_encoder_perception.tasks.lanes.answer import LaneId


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
