# SPDX-License-Identifier: Apache-2.0
"""The node's side of the calibration: CameraInfo, TF and parameters of a real ROS node."""

from __future__ import annotations

from dataclasses import replace
from threading import Thread
from typing import Any

import numpy as np
import pytest
import ros_harness as ros
from ground_world import SIZE, camera_info, lanes_of, line, opencv_pixels, road_points

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

import rclpy
from calibration_bench import LATCHED, bench, message
from sensor_msgs.msg import CameraInfo

from shared_encoder_perception.node import calibration
from shared_encoder_perception.node.calibration import Calibration
from shared_encoder_perception.tasks.contract.refining import Moment
from shared_encoder_perception.tasks.lanes import refine
from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.lanes.content import PARAMETERS
from shared_encoder_perception.tasks.lanes.refine import Refiner
from shared_encoder_perception.tasks.status import Level, Status


def test_without_calibration_there_is_image_geometry_only() -> None:
    """The default: nothing is subscribed to, and diagnostics say so."""
    with bench() as b:
        assert b.camera() is None
        status = b.calibration.status()
        assert status.level is Level.OK
        assert status.message == "no calibration: image geometry only"
        assert not b.node.count_subscribers(b.topic("camera_info"))


def test_bad_camera_info_is_told_and_the_next_good_one_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """NaN never kills anything; the camera is made once for each CameraInfo and image size."""
    with bench(source="parameters", pitch_deg=3.0, height_m=1.6) as b:
        assert b.camera() is None
        status = b.calibration.status()
        assert (status.level, status.message) == (Level.OK, "waiting for CameraInfo")
        monkeypatch.setattr(calibration, "GRACE_S", 0.0)  # two seconds later
        status = b.calibration.status()
        assert status.level is Level.WARN and "has no publisher" in status.message
        assert b.topic("camera_info") in status.message
        camera = b.publisher()
        assert "have sent nothing" in b.calibration.status().message
        b.show(camera, message(k=[np.nan] * 9))
        assert b.camera() is None
        status = b.calibration.status()
        assert status.level is Level.ERROR
        assert status.message == "CameraInfo: k holds NaN or infinity: image geometry only"
        b.show(camera, message())
        first = b.camera()
        assert first is not None and b.camera() is first
        status = b.calibration.status()
        assert status.level is Level.OK
        assert status.message == "on the road in base_link, camera from parameters"
        assert status.values["camera height above road (m)"] == "1.600"
        assert status.values["camera looks down (deg)"] == "3.00"
        assert b.camera((480, 640)) is None
        assert "the image is 640x480 pixels" in b.calibration.status().message
        b.show(camera, message("none"))
        second = b.camera()
        assert second is not None and second is not first
        assert b.calibration.status().level is Level.OK


def test_a_repeated_camera_info_is_no_news() -> None:
    """Cameras send it with every image; nothing is computed again."""
    with bench(source="parameters") as b:
        camera = b.publisher()
        b.show(camera, message())
        first = b.camera()
        kept = b.calibration.camera_info
        camera.publish(message())
        b.show(camera, message("none"))  # once this is here, so was the other
        b.show(camera, message())
        assert b.calibration.camera_info is not kept
        assert b.camera() is not first
        held = b.camera()
        camera.publish(message())
        for _ in range(10):
            b.executor.spin_once(timeout_sec=0.02)
        assert b.camera() is held


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
        assert b.camera() is not None
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
            assert b.camera() is not None
    finally:
        camera.destroy_node()
        rclpy.shutdown(context=context)


def test_parameters_apply_from_the_next_image() -> None:
    """Heights and angles may be tuned while running."""
    with bench(source="parameters") as b:
        b.show(b.publisher(), message())
        first = b.camera()
        b.calibration.apply_parameters()
        assert b.camera() is first
        b.values["ground.height_m"] = 2.0
        assert b.camera() is first
        b.calibration.apply_parameters()
        second = b.camera()
        assert second is not None and second.height_m == 2.0


def test_a_homography_needs_no_camera_info(tmp_path: Any) -> None:
    """Only its file, and images of the size that it names."""
    path = tmp_path / "road.json"
    path.write_text(
        '{"homography": [[0, 0, 20], [-0.02, 0, 12.8], [0, 0.01, -3]], "image_size": [720, 1280]}'
    )
    with bench(source="homography", calibration=str(path)) as b:
        assert b.camera() is not None
        assert b.calibration.status().level is Level.OK
        assert b.camera((480, 640)) is None
        assert "the homography is for (720, 1280)" in b.calibration.status().message
        assert not b.node.count_subscribers(b.topic("camera_info"))
    with (
        pytest.raises(ValueError, match=r"ground\.calibration is empty"),
        bench(source="homography"),
    ):
        pass


def refiner(values: dict[str, Any]) -> Refiner:
    """Return what puts lanes on the road, by parameters of these values."""
    known = {parameter.name: parameter.default for parameter in PARAMETERS}
    return Refiner(refine.options({**known, **values}.__getitem__))


def status_of(b: Any, lanes_refiner: Refiner) -> Status:
    """Return what the node tells of calibration and correction together."""
    return b.calibration.status().with_more(lanes_refiner.statuses()["calibration"])


def test_the_correction_is_reported_and_can_be_reset() -> None:
    """Diagnostics say whether it is in use, how large it is, and why an image did not count."""
    with bench(source="parameters", pitch_deg=3.0, height_m=1.6, correction="pitch") as b:
        b.show(b.publisher(), message())
        lanes = {}
        calibrated, on_road = b.camera(), refiner(b.values)
        assert calibrated is not None
        assert "calibration" not in on_road.statuses(), "before the first image"
        tilted = replace(calibrated.options, pitch_deg=3.5)
        for lane, offset in ((LaneId.EGO, 0.0), (LaneId.LEFT_EGO, 3.5)):
            x = 1.0 / np.linspace(1 / 8, 1 / 60, 40)
            points = road_points(lambda x, offset=offset: offset + 0.0 * x, x)
            lanes[lane] = line(lane, opencv_pixels(points, camera_info("plumb_bob"), tilted), 0.5)
        for _ in range(40):
            assert b.camera() is calibrated
            on_road(lanes_of(lanes), Moment(SIZE, 0.0, calibrated))
        status = status_of(b, on_road)
        assert status.message == "on the road in base_link, camera from parameters"
        assert status.values["correction"] == "in use" and status.values["source"] == "parameters"
        assert status.values["images learnt from"] == "40"
        assert float(status.values["pitch correction (deg)"]) == pytest.approx(0.5, abs=0.02)
        on_road(lanes_of({LaneId.EGO: lanes[LaneId.EGO]}), Moment(SIZE, 0.0, calibrated))
        values = status_of(b, on_road).values
        assert values["last refusal"] == "fewer than two lanes side by side"
        on_road.end_drive()
        assert status_of(b, on_road).values["correction"] == "in use"
        on_road.reset()
        assert status_of(b, on_road).values["correction"] == "learning"


def test_another_calibration_is_learnt_anew_and_another_pose_is_not() -> None:
    """What was learnt corrects what the parameters say; TF may move with every image."""
    with bench(source="parameters", pitch_deg=3.0, height_m=1.6, correction="pitch") as b:
        b.show(b.publisher(), message())
        on_road, lanes = refiner(b.values), lanes_of({})

        def learnt() -> int:
            return int(on_road.statuses()["calibration"].values["images refused"])

        first = b.camera()
        assert first is not None
        bent = line(LaneId.EGO, np.stack((np.full(20, 640.0), np.linspace(700, 400, 20)), axis=1))
        lanes = lanes_of({LaneId.EGO: bent})
        for _ in range(3):
            on_road(lanes, Moment(SIZE, 0.0, first))
        assert learnt() == 3
        moved = replace(first, view=b.camera().view)
        on_road(lanes, Moment(SIZE, 0.0, moved))
        assert learnt() == 4
        b.values["ground.height_m"] = 2.0
        b.calibration.apply_parameters()
        on_road(lanes, Moment(SIZE, 0.0, b.camera()))
        assert learnt() == 1
        on_road.options = refine.options(
            {
                **{p.name: p.default for p in PARAMETERS},
                **b.values,
                "ground.max_range_m": 50.0,
            }.__getitem__
        )
        assert learnt() == 0
        on_road(lanes, Moment(SIZE, 0.0, None))
        assert "calibration" not in on_road.statuses(), "without a calibration"


def test_images_and_camera_infos_may_come_at_once() -> None:
    """The inference thread asks while the executor's thread receives and changes parameters."""
    with bench(source="parameters", correction="pitch") as b:
        camera = b.publisher()
        b.show(camera, message())
        on_road = refiner(b.values)
        failures: list[Exception] = []
        running = True

        def ask() -> None:
            while running:
                try:
                    on_road(lanes_of({}), Moment(SIZE, 0.0, b.camera()))
                except Exception as error:
                    failures.append(error)
                    return

        thread = Thread(target=ask, daemon=True)
        thread.start()
        for number in range(40):
            b.show(camera, message() if number % 2 else message(k=[np.nan] * 9))
            b.values["ground.height_m"] = 1.0 + number / 100
            b.calibration.apply_parameters()
            on_road.reset()
            b.calibration.status()
            on_road.statuses()
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
        assert b.camera() is None and b.calibration.status().level is Level.OK
