# SPDX-License-Identifier: Apache-2.0
"""Engines that hang, poses from TF, and other models than the one of the other tests."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("nav_msgs", reason="nav_msgs is not installed")

from four_cameras import FRAME, GRID, NAMES, PICTURES, entry, write
from rig_bench import DRIVABLE, MAPS, cells, local_rig, offline, rig_process
from tiny_model import write_tiny_model
from tiny_rig_model import write_tiny_rig_model
from visualization_msgs.msg import MarkerArray

from shared_encoder_perception import tasks
from shared_encoder_perception.node.rig import pipeline
from shared_encoder_perception.node.rig.parameters import rig_parameters
from shared_encoder_perception.rig.rig_file import RigFile, write_rig

CONTENT = tasks.part(next(iter(tasks.RIG_ROOMS)), "content")


def test_an_engine_that_hangs_is_named_and_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "STOP_TIMEOUT_S", 0.1)
    model, rig = write_tiny_model(tmp_path / "tiny.onnx"), tmp_path / "rig.yaml"
    write(rig)
    with local_rig(model, rig, **{"diagnostics.hang_s": 0.1}) as (local, bench):
        assert set(rig_parameters()) <= set(local.node._parameters), "declared"
        bench.until(lambda: DRIVABLE in bench.maps)
        local.backends[0].gate.clear()
        local.backends[0].entered.clear()
        bench.until(local.backends[0].entered.is_set)
        bench.wait(lambda: bench.says("processing", "inference has not returned"))
        assert bench.peer.change_state("deactivate")
        assert not bench.peer.change_state("activate"), "its engine is still busy"
        assert bench.peer.change_state("cleanup") and not local.backends[0].closed
        assert bench.peer.change_state("configure") and bench.peer.change_state("activate")
        bench.maps.clear()
        bench.until(lambda: DRIVABLE in bench.maps)
        assert len(local.backends) == 2


class Tf:
    """A stand-in for the parts of tf2_ros that are used; the wheels have none."""

    class TransformException(Exception):  # noqa: N818
        """What the real one raises."""

    poses: ClassVar[dict[str, Any]] = {}

    class Buffer:
        """Knows what ``poses`` says."""

        def lookup_transform(self, target: str, source: str, _: Any) -> Any:
            """Return the newest."""
            assert target == FRAME
            if source not in Tf.poses:
                raise Tf.TransformException(f"frame {source} does not exist")
            return SimpleNamespace(transform=Tf.poses[source])

    class TransformListener:
        """Hears nothing."""

        def __init__(self, *_: Any) -> None:
            pass

        def unregister(self) -> None:
            """Stop."""


def transform(x: float) -> Any:
    """Return the pose of a camera that looks ahead and a little down."""
    from shared_encoder_perception.ground.extrinsics import Extrinsics

    pose = Extrinsics.from_angles((x, 0.0, 1.6), 0.0, 0.3, 0.0)
    w = np.sqrt(1 + np.trace(pose.rotation)) / 2
    skew = pose.rotation - pose.rotation.T
    turn = np.array((skew[2, 1], skew[0, 2], skew[1, 0])) / (4 * w)
    return SimpleNamespace(
        translation=SimpleNamespace(x=x, y=0.0, z=1.6),
        rotation=SimpleNamespace(**dict(zip("xyz", map(float, turn), strict=True)), w=float(w)),
    )


def test_a_pose_may_come_from_tf_and_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("tf2_ros")
    for name in ("TransformException", "Buffer", "TransformListener"):
        setattr(module, name, getattr(Tf, name))
    monkeypatch.setitem(sys.modules, "tf2_ros", module)
    monkeypatch.setattr(Tf, "poses", {})
    model, rig = write_tiny_model(tmp_path / "tiny.onnx"), tmp_path / "rig.yaml"
    file = RigFile((entry("front", by_tf=True), entry("rear")), FRAME)
    write_rig(rig, file)

    def expected(x: float) -> np.ndarray:
        found = offline(model, RigFile(file.entries, FRAME), tf={"front": transform(x)})
        few = {name: PICTURES[name] for name in ("front", "rear")}
        return np.asarray(CONTENT.percent(found.predict(few).surround.drivable))

    first, second = expected(1.5), expected(3.5)
    with local_rig(model, rig) as (_, bench):
        words = ("camera front waits for the transform of front_optical", "does not exist")
        bench.until(lambda: bench.says("rig", *words))
        assert not bench.maps
        Tf.poses["front_optical"] = transform(1.5)
        bench.until(lambda: bench.shows(DRIVABLE, first))
        Tf.poses["front_optical"] = transform(3.5)
        bench.until(lambda: bench.shows(DRIVABLE, second))


def test_without_tf_a_rig_that_needs_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tf2_ros", None)
    model, rig = write_tiny_model(tmp_path / "tiny.onnx"), tmp_path / "rig.yaml"
    write(rig)
    with local_rig(model, rig) as (_, bench):
        bench.until(lambda: DRIVABLE in bench.maps)
        write_rig(rig, RigFile((entry("front", by_tf=True),), FRAME))
        answer = bench.reload()
        assert not answer.success and "needs the package tf2_ros" in answer.message
        bench.maps.clear()
        bench.until(lambda: DRIVABLE in bench.maps)


def test_the_shipped_model_draws_the_ground(tmp_path: Path) -> None:
    rig = tmp_path / "rig.yaml"
    predictor = offline("shipped:default", write(rig))
    want = CONTENT.percent(predictor.predict(PICTURES).surround.drivable)
    with rig_process(tmp_path, "shipped:default", rig) as (process, bench):
        bench.until(lambda: bench.shows(DRIVABLE, want))
        assert (cells(bench.maps[MAPS[1]]) == -1).all(), "it knows nothing of vehicles"
        assert process.stop()[0] == 0 and "Traceback" not in process.log, process.log


def test_a_model_that_is_asked_of_the_rig_says_where_vehicles_are(tmp_path: Path) -> None:
    rig = tmp_path / "rig.yaml"
    model = write_tiny_rig_model(tmp_path / "rig.onnx", GRID)
    predictor = offline(model, write(rig), grid=None)

    def expected(*names: str) -> dict[str, np.ndarray]:
        answer = predictor.predict({name: PICTURES[name] for name in names}).surround
        vehicle, drivable = CONTENT.percent(answer.vehicle), CONTENT.percent(answer.drivable)
        return dict(
            zip(MAPS, (CONTENT.occupancy(vehicle, drivable), vehicle, drivable), strict=True)
        )

    whole, less = expected(*NAMES), expected(*NAMES[:3])
    assert len(np.unique(whole[MAPS[1]])) > 30 and (less[MAPS[1]] != whole[MAPS[1]]).sum() > 30
    with rig_process(tmp_path, str(model), rig) as (process, bench):
        bench.listen("surround/objects", MarkerArray)
        bench.until(lambda: all(bench.shows(topic, one) for topic, one in whole.items()))
        bench.until(lambda: "surround/objects" in bench.maps)
        assert bench.maps["surround/objects"].markers[0].header.frame_id == FRAME
        bench.until(lambda: all(bench.shows(topic, one) for topic, one in less.items()), *NAMES[:3])
        assert process.stop()[0] == 0 and "Traceback" not in process.log, process.log
