# SPDX-License-Identifier: Apache-2.0
"""What calibrates a rig may come late, change, be wrong, or be in a file that is no rig."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import combinations
from pathlib import Path
from time import sleep

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("nav_msgs", reason="nav_msgs is not installed")

from four_cameras import NAMES, PICTURES, entry, lens, picture, write
from rig_bench import DRIVABLE, info, local_rig, offline, rig_process
from sensor_msgs.msg import CameraInfo
from tiny_model import write_tiny_model

from shared_encoder_perception import tasks
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.rig.rig_file import RigFile, write_rig
from shared_encoder_perception.rig_predictor import RigPredictor, RigView

CONTENT = tasks.part(next(iter(tasks.RIG_ROOMS)), "content")
OTHERS = ("front", "rear", "right")


def maps(model: Path, file: RigFile, focal: float = 40.0) -> tuple[np.ndarray, np.ndarray]:
    """Return the drivable map with and without the left camera, of this focal length."""
    predictor = offline(model, file, {"left": lens(focal).info()})
    few = {name: PICTURES[name] for name in OTHERS}
    both = (predictor.predict(one).surround.drivable for one in (PICTURES, few))
    whole, rest = map(CONTENT.percent, both)
    return whole, rest


def test_no_map_is_better_than_a_wrong_one(tmp_path: Path) -> None:
    model, rig = write_tiny_model(tmp_path / "tiny.onnx"), tmp_path / "rig.yaml"
    file = write(rig, "left")
    (whole, rest), (longer, _) = maps(model, file), maps(model, file, 55.0)
    assert (whole != longer).sum() > 20, "the test would show nothing"
    with rig_process(tmp_path, str(model), rig) as (process, bench):
        bench.discovered()
        waits = "camera left waits for CameraInfo on left/camera_info"
        bench.until(lambda: bench.says("rig", waits, "nothing is published"))
        bench.until(lambda: int(bench.values("camera front")["uncalibrated"]) > 2)
        bench.wait(lambda: bench.says("camera left", "waiting: ", waits))
        assert not bench.maps, "no camera's map before all are calibrated"
        bench.until(lambda: bench.shows(DRIVABLE, whole), infos={"left": info()})
        bench.wait(lambda: bench.values("rig")["tables"] == "1")
        bench.until(lambda: bench.shows(DRIVABLE, longer), infos={"left": info(55.0)})
        bench.wait(lambda: bench.values("rig")["tables"] == "2")
        bad = CameraInfo(width=96, height=48, k=[float("nan")] * 9)
        bench.until(lambda: bench.shows(DRIVABLE, rest), infos={"left": bad})
        bench.until(lambda: bench.says("camera left", "rejected: ", "camera left", "k holds NaN"))
        bench.wait(lambda: bench.says("rig", "left", "k holds NaN", "it is left out"))
        mirrored = info()
        mirrored.k[0] = -40.0
        words = ("camera left", "focal lengths in k are -40")
        bench.until(lambda: bench.says("rig", *words), infos={"left": mirrored})
        bench.until(lambda: bench.shows(DRIVABLE, whole), infos={"left": info()})
        bench.until(lambda: bench.active(*NAMES))
        assert process.stop()[0] == 0 and "Traceback" not in process.log, process.log


def test_no_image_meets_the_lens_of_another_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The left camera changes lens and picture at once; every map is of one time, or without it.

    However long the table takes.
    """
    model, rig = write_tiny_model(tmp_path / "tiny.onnx"), tmp_path / "rig.yaml"
    file = write(rig, "left")
    scenes = [(40.0, PICTURES), (55.0, {**PICTURES, "left": picture(9)})]
    right: set[bytes] = set()
    whole = []
    for focal, pictures in scenes:
        predictor = offline(model, file, {"left": lens(focal).info()})
        for count in range(1, len(NAMES) + 1):
            for names in combinations(NAMES, count):
                few = {name: pictures[name] for name in names}
                right.add(CONTENT.percent(predictor.predict(few).surround.drivable).tobytes())
        whole.append(CONTENT.percent(predictor.predict(pictures).surround.drivable))
    wrong = predictor.predict(PICTURES).surround.drivable
    assert CONTENT.percent(wrong).tobytes() not in right, "the test would show nothing"
    view_of = RigPredictor.view_of

    def slowly(predictor: RigPredictor, rig: Rig) -> RigView:
        sleep(0.3)
        return view_of(predictor, rig)

    monkeypatch.setattr(RigPredictor, "view_of", slowly)
    with local_rig(model, rig) as (_, bench):
        bench.discovered()
        for turn in range(6):
            (focal, pictures), want = scenes[turn % 2], whole[turn % 2]
            shown, infos = partial(bench.shows, DRIVABLE, want), {"left": info(focal)}
            bench.until(shown, infos=infos, pictures=pictures)
        assert len(bench.drawn) >= 6
        assert set(bench.drawn) <= right
        bench.wait(lambda: bench.values("rig")["tables"] == "6")


def test_a_file_that_is_no_rig_keeps_the_node_up_and_may_be_mended(tmp_path: Path) -> None:
    model, rig = write_tiny_model(tmp_path / "tiny.onnx"), tmp_path / "rig.yaml"
    rig.write_text("cameras: {front: {topic: front/image}}\n")
    with rig_process(tmp_path, str(model), rig) as (process, bench):
        bench.wait(lambda: bench.says("rig", "there is no rig", "rig.yaml", "front", "reload_rig"))
        assert bench.peer.state() == "active"
        answer = bench.reload()
        assert not answer.success and "front" in answer.message
        file = write(rig, names=OTHERS)
        few = {name: PICTURES[name] for name in OTHERS}
        want = CONTENT.percent(offline(model, file).predict(few).surround.drivable)
        answer = bench.reload()
        assert answer.success and answer.message == f"{rig}: cameras front, rear, right"
        bench.until(lambda: bench.shows(DRIVABLE, want))
        bench.until(lambda: bench.active(*OTHERS))
        bench.wait(lambda: bench.says("rig", "calibrated") and "camera left" not in bench.statuses)

        mirror = rig.read_text().replace("yaw_deg: 180.0", "yaw_deg: 180.0, yaw_deg: 0.0")
        nameless = replace(entry("rear"), topic="")
        cases = [("[]", "rig.yaml"), ("cameras: 3", "cameras"), (mirror, "rig.yaml")]
        for text, words in cases:
            rig.write_text(text)
            answer = bench.reload()
            assert not answer.success and words in answer.message, answer.message
        write_rig(rig, RigFile((entry("front"), nameless)))
        answer = bench.reload()
        assert not answer.success and "camera rear has no topic" in answer.message
        write_rig(rig, RigFile((entry("front"), replace(entry("rear"), topic="re ar"))))
        answer = bench.reload()
        assert not answer.success and "re ar" in answer.message
        bench.wait(lambda: bench.says("rig", "the rig is refused", "re ar", "stays in use"))
        bench.maps.clear()
        bench.until(lambda: bench.shows(DRIVABLE, want))

        whole, _ = maps(model, write(rig, "left"))
        assert bench.reload().success
        bench.until(lambda: bench.shows(DRIVABLE, whole), infos={"left": info()})
        bench.wait(lambda: bench.values("camera left")["used"] != "0")
        bench.wait(lambda: bench.says("rig", "calibrated"))
        assert bench.peer.change_state("deactivate")
        bench.wait(lambda: bench.says("rig", "inactive") and "camera left" not in bench.statuses)
        assert bench.peer.change_state("activate")
        bench.until(lambda: bench.active(*NAMES), infos={"left": info()})
        assert bench.peer.change_state("deactivate") and bench.peer.change_state("cleanup")
        assert not bench.reload().success
        write_rig(rig, RigFile((replace(entry("rear"), topic="re ar"),)))
        assert bench.peer.change_state("configure") and bench.peer.change_state("activate")
        bench.wait(lambda: bench.says("rig", "the rig cannot be used", "re ar", "reload_rig"))
        write(rig, names=OTHERS)
        assert bench.reload().success
        bench.until(lambda: bench.active(*OTHERS))
        assert process.stop()[0] == 0 and "Traceback" not in process.log, process.log
