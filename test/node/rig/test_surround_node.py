# SPDX-License-Identifier: Apache-2.0
"""Four cameras, a real node, and the map: the same as without ROS, whatever the cameras do."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("nav_msgs", reason="nav_msgs is not installed")

from four_cameras import FRAME, GRID, NAMES, PICTURES, picture, write
from rig_bench import DRIVABLE, MAPS, Bench, cells, offline, rig_process
from sensor_msgs.msg import CompressedImage, Image
from std_srvs.srv import SetBool
from tiny_model import write_tiny_model

from shared_encoder_perception import tasks
from shared_encoder_perception.node.rig.camera_counts import OUTCOMES
from shared_encoder_perception.rig_predictor import RigPredictor

CONTENT = tasks.part(next(iter(tasks.RIG_ROOMS)), "content")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """One node process with four cameras, whose answers are known; tests leave all of them on."""
    folder = tmp_path_factory.mktemp("rig")
    model, rig = write_tiny_model(folder / "tiny.onnx"), folder / "rig.yaml"
    predictor = offline(model, write(rig))
    with rig_process(folder, str(model), rig, **{"rig.publish_cameras": True}) as (process, bench):
        bench.discovered()
        yield SimpleNamespace(process=process, bench=bench, predictor=predictor)
        assert process.stop()[0] == 0, process.log
        assert "Traceback" not in process.log


def expected(predictor: RigPredictor, *names: str) -> dict[str, np.ndarray]:
    """Return what the maps of some cameras' pictures have to be, by topic."""
    answer = predictor.predict({name: PICTURES[name] for name in names or NAMES}).surround
    drivable = CONTENT.percent(answer.drivable)
    return {
        MAPS[0]: CONTENT.occupancy(None, drivable),
        MAPS[1]: np.full(GRID.shape, -1),
        DRIVABLE: drivable,
    }


def test_the_map_is_that_of_the_predictor_with_the_anchors_stamp(
    running: SimpleNamespace,
) -> None:
    bench, want = running.bench, expected(running.predictor)
    bench.late_s = {"left": 0.02, "right": -0.02}
    bench.until(lambda: all(bench.shows(topic, want[topic]) for topic in MAPS))
    bench.wait(lambda: all(bench.stamp_s(topic) == bench.now_s for topic in MAPS))
    bench.late_s.clear()
    unseen = ~running.predictor.predict(PICTURES).surround.seen
    assert 20 < unseen.sum() < 100 and (want[DRIVABLE][unseen] == -1).all()
    assert len(np.unique(want[DRIVABLE])) > 40, "the test would compare nothing"
    for topic in MAPS:
        message = bench.maps[topic]
        np.testing.assert_array_equal(cells(message), want[topic])
        assert message.header.frame_id == FRAME
        origin = message.info.origin.position
        assert (origin.x, origin.y) == (GRID.x_min_m, GRID.y_min_m)
        assert message.info.resolution == GRID.cell_m
    bench.wait(lambda: bench.says("rig", "calibrated"))
    bench.until(lambda: bench.active(*NAMES))


@pytest.mark.parametrize("gone", ["right", "front"])
def test_a_camera_that_stops_loses_its_own_cells_and_nothing_else(
    running: SimpleNamespace, gone: str
) -> None:
    """Also the anchor: the next camera takes its place."""
    bench: Bench = running.bench
    others = [name for name in NAMES if name != gone]
    whole, rest = expected(running.predictor), expected(running.predictor, *others)
    bench.until(lambda: bench.shows(DRIVABLE, whole[DRIVABLE]))
    bench.until(lambda: bench.shows(DRIVABLE, rest[DRIVABLE]), *others)
    lost = (rest[DRIVABLE] == -1) & (whole[DRIVABLE] != -1)
    alone = (rest[DRIVABLE] == whole[DRIVABLE]) | lost
    assert lost.sum() > 50 and alone.mean() > 0.9, "but for seams, where two were blended"
    bench.until(lambda: bench.values(f"camera {gone}").get("state") == "dead", *others)
    assert bench.says(f"camera {gone}", "no image for", "1 publisher", "unknown")
    bench.until(lambda: bench.values("rig")["anchor"] == others[0], *others)
    assert bench.maps[DRIVABLE].header.frame_id == FRAME
    bench.until(lambda: bench.active(*others), *others)
    bench.until(lambda: bench.shows(DRIVABLE, whole[DRIVABLE]))
    bench.until(lambda: bench.active(gone))


def test_stamps_that_are_apart_are_refused_with_the_cameras_name(running: SimpleNamespace) -> None:
    bench: Bench = running.bench
    whole, rest = expected(running.predictor), expected(running.predictor, *NAMES[:3])
    try:
        bench.late_s["right"] = 0.03
        bench.until(lambda: bench.shows(DRIVABLE, whole[DRIVABLE]))
        for late_s, side in ((0.2, "200 ms after"), (-0.2, "200 ms before")):
            bench.late_s["right"] = late_s
            # An image of back then may have its partner once; later ones have none.
            told = lambda words=side: bench.says("camera right", "late: ", words, "front")  # noqa: E731
            bench.until(told)
            bench.until(lambda: bench.shows(DRIVABLE, rest[DRIVABLE]))
            bench.until(lambda: bench.active(*NAMES[:3]))
    finally:
        bench.late_s.clear()
    bench.until(lambda: bench.active("right"))


def test_images_that_cannot_be_used_are_rejected_and_the_next_good_one_works(
    running: SimpleNamespace,
) -> None:
    bench: Bench = running.bench
    whole, rest = expected(running.predictor), expected(running.predictor, "front", "rear", "right")
    small = {**PICTURES, "left": picture(1, (24, 48))}
    bench.until(lambda: bench.shows(DRIVABLE, rest[DRIVABLE]), pictures=small)
    bench.until(lambda: bench.says("camera left", "left", "48x24", "96x48"), pictures=small)
    bench.until(lambda: bench.shows(DRIVABLE, whole[DRIVABLE]))

    def damaged() -> bool:
        bench.send("front", "rear", "right")
        bad = Image(height=48, width=96, encoding="no such", step=96)
        bad.header.stamp.sec = int(bench.now_s)
        bad.header.stamp.nanosec = round(bench.now_s % 1 * 1e9)
        bench.images["left"].publish(bad)
        bench.sent["left"] += 1
        return bool(bench.peer.spin_until(lambda: bench.says("camera left", "'no such'"), 0.1))

    bench.wait(damaged)

    def unstamped() -> bool:
        bench.images["left"].publish(Image(height=48, width=96, encoding="bgr8", step=288))
        bench.sent["left"] += 1
        told = lambda: "no stamp" in bench.values("camera left")["last_problem"]  # noqa: E731
        return bool(bench.peer.spin_until(told, 0.1))

    bench.wait(unstamped)
    bench.until(lambda: bench.shows(DRIVABLE, whole[DRIVABLE]))


def test_each_cameras_own_answers_come_below_its_name(running: SimpleNamespace) -> None:
    bench: Bench = running.bench
    topic = "rear/drivable_surface/mask"
    bench.listen(topic, Image)
    bench.until(lambda: topic in bench.maps)
    mask = bench.maps[topic]
    assert mask.header.frame_id == "rear_optical"
    answer = running.predictor.predict(PICTURES).cameras["rear"].answers["drivable_surface"]
    pixels = np.frombuffer(mask.data, np.uint8).reshape(mask.height, mask.step)
    np.testing.assert_array_equal(pixels, answer.values())


def test_the_overlay_is_drawn_while_somebody_looks(running: SimpleNamespace) -> None:
    bench: Bench = running.bench
    topic = "perception/debug/overlay/compressed"
    bench.listen(topic, CompressedImage)
    bench.until(lambda: topic in bench.maps)
    assert bytes(bench.maps[topic].data[:2]) == b"\xff\xd8"


def test_the_skew_may_change_while_running_and_nonsense_is_refused(
    running: SimpleNamespace,
) -> None:
    bench, whole = running.bench, expected(running.predictor)
    try:
        bench.late_s["right"] = 0.2
        assert bench.peer.set_parameter("rig.max_skew_s", 0.25).successful
        bench.until(lambda: bench.shows(DRIVABLE, whole[DRIVABLE]))
        assert not bench.peer.set_parameter("rig.min_cameras", 0).successful
        assert bench.peer.set_parameter("rig.min_cameras", 5).successful
        bench.until(lambda: bench.says("rig", "rig.min_cameras is 5, the rig has 4"))
    finally:
        bench.late_s.clear()
        assert bench.peer.set_parameter("rig.min_cameras", 1).successful
        assert bench.peer.set_parameter("rig.max_skew_s", 0.05).successful
    bench.until(lambda: bench.active("right"))


def test_images_may_be_dropped_on_demand(running: SimpleNamespace) -> None:
    bench = running.bench
    bench.peer.call(SetBool, "set_enabled", SetBool.Request(data=False))
    bench.until(lambda: int(bench.values("camera rear")["disabled"]) > 1)
    bench.wait(lambda: bench.values("processing")["enabled"] == "false")
    bench.peer.call(SetBool, "set_enabled", SetBool.Request(data=True))
    bench.maps.clear()
    bench.until(lambda: DRIVABLE in bench.maps)


def test_every_image_that_was_published_is_in_one_number(running: SimpleNamespace) -> None:
    """After all that the tests above did to the cameras."""
    bench = running.bench
    for _ in range(20):
        bench.send()
    for name in NAMES:
        task, sent = f"camera {name}", bench.sent[name]

        def all_there(task: str = task, sent: int = sent) -> bool:
            counts = bench.values(task)
            return int(counts["received"]) == sent and counts["in_work"] == "0"

        bench.wait(all_there)
        counts = bench.values(task)
        assert sum(int(counts[key]) for key in (*OUTCOMES, "waiting")) == sent
        assert int(counts["used"]) > 0 and int(counts["lost"]) == 0
