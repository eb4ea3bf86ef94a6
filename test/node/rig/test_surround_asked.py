# SPDX-License-Identifier: Apache-2.0
"""What single cameras say is decoded while somebody listens, and the map is the same anyway."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("nav_msgs", reason="nav_msgs is not installed")

from decode_counts import counted
from four_cameras import GRID, NAMES, PICTURES, write
from rig_bench import MAPS, Bench, local_rig, offline
from sensor_msgs.msg import CompressedImage, Image
from tiny_model import write_tiny_model
from tiny_rig_model import write_tiny_rig_model

from shared_encoder_perception import tasks
from shared_encoder_perception.node.rig.camera_counts import OUTCOMES
from shared_encoder_perception.rig_predictor import RigPredictor

CONTENT = tasks.part(next(iter(tasks.RIG_ROOMS)), "content")
MASK, OVERLAY = "rear/drivable_surface/mask", "perception/debug/overlay/compressed"
TASK = "drivable_surface"
MOMENTS = 5


def expected(predictor: RigPredictor) -> dict[str, np.ndarray]:
    """Return what the maps have to be, by topic."""
    answer = predictor.predict(PICTURES).surround
    vehicle, drivable = CONTENT.percent(answer.vehicle), CONTENT.percent(answer.drivable)
    occupancy = CONTENT.occupancy(vehicle, drivable)
    return dict(zip(MAPS, (occupancy, vehicle, drivable), strict=True))


def decoded(bench: Bench, counts: Any) -> set[str]:
    """Return what is decoded of some moments that are sent now."""
    heard = len(bench.drawn)
    counts.clear()
    bench.until(lambda: len(bench.drawn) >= heard + MOMENTS)
    return set(counts)


def accounted(bench: Bench) -> bool:
    """Whether every image that was sent is in one number, and none is lost."""
    for name in NAMES:
        counts = bench.values(f"camera {name}")
        ended = sum(int(counts[key]) for key in (*OUTCOMES, "waiting"))
        if not (ended == int(counts["received"]) == bench.sent[name] and counts["lost"] == "0"):
            return False
    return True


@pytest.mark.parametrize(("topic", "kind"), [(MASK, Image), (OVERLAY, CompressedImage)])
def test_a_task_that_nobody_listens_to_is_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, topic: str, kind: Any
) -> None:
    rig = tmp_path / "rig.yaml"
    model = write_tiny_rig_model(tmp_path / "rig.onnx", GRID)
    predictor = offline(model, write(rig), grid=None)
    want = expected(predictor)
    mask = predictor.predict(PICTURES).cameras["rear"].answers[TASK].values()
    assert 0 < mask.mean() < 255, "the test would compare nothing"
    options = {"rig.publish_cameras": topic == MASK, "debug.overlay_max_rate_hz": 30.0}
    with local_rig(model, rig, **options) as (_, bench):
        bench.discovered()
        bench.until(lambda: all(bench.shows(name, one) for name, one in want.items()))
        counts = counted(monkeypatch)
        assert decoded(bench, counts) == set()
        listener = bench.listen(topic, kind)
        bench.until(lambda: topic in bench.maps)
        assert decoded(bench, counts) == {TASK}
        assert all(bench.shows(name, one) for name, one in want.items())
        if topic == MASK:
            found = bench.maps[MASK]
            pixels = np.frombuffer(found.data, np.uint8).reshape(found.height, found.step)
            np.testing.assert_array_equal(pixels, mask)
        bench.peer.node.destroy_subscription(listener)
        assert bench.peer.spin_until(lambda: decoded(bench, counts) == set())
        assert all(bench.shows(name, one) for name, one in want.items())
        bench.wait(lambda: accounted(bench))


def test_a_map_of_the_cameras_answers_decodes_those_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, rig = write_tiny_model(tmp_path / "tiny.onnx"), tmp_path / "rig.yaml"
    predictor = offline(model, write(rig))
    assert "lanes" in predictor.spec.tasks
    want = CONTENT.percent(predictor.predict(PICTURES).surround.drivable)
    with local_rig(model, rig, **{"rig.publish_cameras": True}) as (_, bench):
        bench.until(lambda: bench.shows(MAPS[2], want))
        counts = counted(monkeypatch)
        assert decoded(bench, counts) == {TASK}
        assert bench.shows(MAPS[2], want)
