# SPDX-License-Identifier: Apache-2.0
"""Bad days that need processes: a dead camera, a changed model file, a full disk for logs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import loss_probe
import pytest
import ros_harness as ros  # before the others: it sets the environment
from fault_bench import QUICK_ARGUMENTS, TASKS, watched_process
from tiny_model import SPEC, random_image, write_tiny_model

from shared_encoder_perception.artifact.model_info import INFO_TOPIC
from shared_encoder_perception.backends import BACKENDS, load_backend
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.tasks.lanes.content import ARRAY_TOPIC
from shared_encoder_perception.tasks.status import Level


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that takes a millisecond."""
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx")


def test_camera_that_is_killed_and_returns(tmp_path: Path, tiny: Path) -> None:
    """No goodbye from the old camera, another process as the new one."""
    namespace = ros.new_namespace()
    process = ros.NodeProcess(
        tmp_path,
        namespace,
        "-p",
        f"model.path:={tiny}",
        "-p",
        "backend.name:=onnxruntime",
        *QUICK_ARGUMENTS,
    )

    @contextmanager
    def camera(name: str) -> Iterator[None]:
        options = ("--topic", f"{namespace}/image", "--frame-id", name)
        camera = loss_probe.start("publish", *options, environment=os.environ)
        try:
            yield
        finally:
            camera.kill()
            camera.communicate()

    def answered(name: str) -> bool:
        arrays = watch.peer.received[ARRAY_TOPIC]
        return sum(array.header.frame_id == name for array in arrays) > 10

    with watched_process(process, namespace) as watch:
        watch.peer.node.destroy_publisher(watch.peer.images)
        with camera("first"):
            assert watch.peer.spin_until(lambda: answered("first"))
            watch.expect("input", Level.OK, "active")
        watch.expect("input", Level.ERROR, "stale: no image for")
        watch.expect("processing", Level.OK, "idle")
        watch.expect("output", Level.WARN, "nothing published")
        with camera("second"):
            assert watch.peer.spin_until(lambda: answered("second"))
            for task in TASKS:
                watch.expect(task, Level.OK)
        assert process.stop()[0] == 0 and "Traceback" not in process.log


ENGINES = [name for name in ("onnxruntime", "openvino") if name in BACKENDS]


@pytest.mark.parametrize("engine", ENGINES)
def test_model_file_that_changes_under_the_running_node(tmp_path: Path, engine: str) -> None:
    """Whatever becomes of the file: what runs is what was loaded, and says so."""
    pytest.importorskip(BACKENDS[engine].requires)
    model = write_tiny_model(tmp_path / "model.onnx")
    predictor = Predictor(load_backend(write_tiny_model(tmp_path / "same.onnx"), engine))
    other = write_tiny_model(tmp_path / "other.onnx", SPEC.__class__("other", "9"))
    namespace = ros.new_namespace()
    process = ros.NodeProcess(
        tmp_path,
        namespace,
        "-p",
        f"model.path:={model}",
        "-p",
        f"backend.name:={engine}",
        "-p",
        f"backend.cache:={tmp_path / 'cache'}",
        *QUICK_ARGUMENTS,
    )
    size = model.stat().st_size
    with watched_process(process, namespace) as watch:
        peer = watch.peer
        peer.settle(ros.image_message(random_image(0), 0))
        (info,) = peer.received[INFO_TOPIC]
        for number, change in enumerate(
            (
                lambda: os.replace(other, model),
                lambda: model.write_bytes(bytes(size)),
                lambda: os.truncate(model, 0),
                model.unlink,
            )
        ):
            change()
            image = random_image(number)
            ros.assert_equal(peer.ask(ros.image_message(image, number)), predictor(image))
        with ros.peer_in(namespace, process) as late:
            assert late.spin_until(lambda: late.received[INFO_TOPIC])
            assert late.received[INFO_TOPIC][0].sha256 == info.sha256
        watch.all_well(ros.image_message(random_image(0), 50))
        assert process.stop()[0] == 0 and "Traceback" not in process.log


def test_full_disk_for_the_log(tmp_path: Path, tiny: Path) -> None:
    """The log loses lines, perception goes on."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        with suppress(OSError), (disk / "fill").open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        assert not os.statvfs(disk).f_bavail
        namespace = ros.new_namespace()
        options = ("-p", f"model.path:={tiny}", "-p", "backend.name:=onnxruntime")
        process = ros.NodeProcess(tmp_path, namespace, *options, *QUICK_ARGUMENTS, log_folder=disk)
        with watched_process(process, namespace) as watch:
            bad, good = ros.image_message(random_image(0), 0, "bgr8"), random_image(1)
            bad.encoding = "nonsense"
            watch.peer.settle(ros.image_message(good, 1))
            for _ in range(5):
                watch.peer.images.publish(bad)
                watch.peer.spin_for(0.1)
            watch.all_well(ros.image_message(good, 2))
            assert process.stop()[0] == 0 and "Traceback" not in process.log
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
