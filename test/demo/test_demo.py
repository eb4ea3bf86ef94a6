# SPDX-License-Identifier: Apache-2.0
"""The main job: real processes over Fast DDS, every image accounted for."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: make setup")
pytest.importorskip("shared_encoder_perception.msg", reason="the messages are not built")

from patience import PATIENCE_S
from shipped import SIZE

from shared_encoder_perception.demo.player import sent_size
from shared_encoder_perception.demo.processes import TETHER, Processes
from shared_encoder_perception.demo.results import MARKER, RESULTS, clear
from shared_encoder_perception.demo.summary import summarise
from shared_encoder_perception.images.bags import open_bag
from shared_encoder_perception.images.sources import VideoSource
from shared_encoder_perception.images.video import write_video
from shared_encoder_perception.world.synthetic import Drive

FRAMES = 12


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drive")
    drive = Drive(5)
    for index in range(FRAMES):
        image = cv2.resize(drive.render(float(index)).image, (640, 256))
        cv2.imwrite(str(folder / f"{index:03d}.png"), image)
    return folder


def demo(out, *options, **kwargs):
    command = [sys.executable, "-m", "shared_encoder_perception", "demo", "--out", str(out)]
    return subprocess.Popen(
        [*command, *map(str, options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **kwargs,
    )


def test_every_image_comes_back_whole_or_is_counted(tmp_path, images):
    out = tmp_path / "out"
    process = demo(out, "--images", images, "--rate", 5)
    stdout, stderr = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, stdout + stderr
    summary = json.loads((out / "summary.json").read_text())
    assert summary["published"] == FRAMES
    assert summary["recorded"] == FRAMES
    assert summary["unexplained"] == 0
    assert summary["complete"] > 0
    assert "latency" in stdout and "p99" in stdout
    frames = list(VideoSource(out / "overlay.mp4"))
    assert len(frames) == summary["complete"]
    assert frames[0].image.shape == (*sent_size(SIZE), 3)  # nothing but the main job is drawn
    with open_bag(out / "bag") as reader:
        topics = {connection.topic for connection in reader.connections}
    assert {"/image", "/lane_lines", "/lane_lines/ego", "/drivable_surface/mask"} <= topics
    # A summary with one more image published must not be able to pass.
    assert summarise(out / "bag", FRAMES + 1).unexplained == 1


@pytest.mark.parametrize(
    ("network", "sent"),
    [((320, 800), (320, 800)), ((160, 416), (320, 832)), ((64, 160), (256, 640))],
)
def test_what_is_sent_has_the_networks_shape_and_can_be_looked_at(network, sent):
    assert sent_size(network) == sent


def test_a_bad_model_stops_the_demo_with_the_reason(tmp_path, images):
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"no model")
    process = demo(tmp_path / "out", "--images", images, "--model", bad)
    _, stderr = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert "the node stopped early" in stderr
    assert "is not an ONNX model, or cut off" in stderr
    assert "Traceback" not in stderr
    assert not (tmp_path / "out" / "summary.json").exists()


def test_a_missing_source_costs_no_process(tmp_path):
    process = demo(tmp_path / "out", "--video", tmp_path / "gone.mp4")
    _, stderr = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert "there is no" in stderr
    assert not (tmp_path / "out").exists()


def children_of(pid):
    """Return the process ids of the children."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def running(pids):
    """Return those that still run; what has ended but was not collected has no command line."""
    found = []
    for pid in pids:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/cmdline").read_text():
                found.append(pid)
    return found


def wait_for(condition, seconds=PATIENCE_S):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL]


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_however_it_ends_no_process_is_left(tmp_path, images, number):
    out = tmp_path / "out"
    process = demo(
        out,
        *("--images", images, "--rate", 1),
        # A shell that runs pytest in the background has Ctrl-C ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    log = out / "log" / "node.log"
    assert wait_for(lambda: log.exists() and "active: listening" in log.read_text())
    children = children_of(process.pid)
    assert len(running(children)) == 3, "recorder, node and player"
    process.send_signal(number)
    _, stderr = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == (-number if number == signal.SIGKILL else 130), stderr
    assert "Traceback" not in stderr
    assert wait_for(lambda: not running(children)), running(children)
    assert not (out / "bag").exists()
    assert not (out / "summary.json").exists()


def test_a_child_that_still_imports_ends_in_silence(tmp_path):
    """Python cleans up after each import in a callback, where an exception would be lost."""
    (tmp_path / "slow.py").write_text(
        "import signal, time, weakref\n"
        "class Lock: pass\n"
        "def clean_up(_):\n"
        "    signal.raise_signal(signal.SIGTERM)\n"
        "    time.sleep(0.01)\n"
        "lock = Lock()\n"
        "kept = weakref.ref(lock, clean_up)\n"
        "del lock\n"
        "time.sleep(2)\n"
    )
    reading, writing = os.pipe()  # held open, as the parent does
    try:
        child = subprocess.run(
            [sys.executable, "-m", TETHER, "slow"],
            stdin=reading,
            capture_output=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(tmp_path)])},
            timeout=PATIENCE_S,
        )
    finally:
        os.close(writing)
        os.close(reading)
    assert (child.returncode, child.stdout, child.stderr) == (130, b"", b"")


def test_a_second_interrupt_kills(tmp_path, monkeypatch):
    """A child that takes its time must not outlive an impatient user."""

    def interrupted(name):
        raise KeyboardInterrupt

    processes = Processes(tmp_path)
    monkeypatch.setattr(processes, "stop", interrupted)
    with contextlib.suppress(KeyboardInterrupt), processes:
        processes.start("recorder", "demo.recorder", str(tmp_path / "bag"))
        child = processes._children["recorder"]
    assert child.poll() == -signal.SIGKILL


def test_only_what_the_demo_wrote_is_replaced(tmp_path, images):
    out = tmp_path / "workspace"
    (out / "log").mkdir(parents=True)
    with pytest.raises(ValueError, match="log was not written by this command"):
        clear(out, None)
    (out / "log").rmdir()
    (out / "mine.txt").touch()
    clear(out, None)
    for name in RESULTS:
        (out / name).mkdir()
    with pytest.raises(ValueError, match="would be replaced by the new recording"):
        clear(out, out / "bag")
    assert (out / "summary.json").exists(), "refused before anything was removed"
    clear(out, images)
    assert {path.name for path in out.iterdir()} == {"mine.txt", MARKER}


def test_video_is_complete_or_not_there(tmp_path):
    frames = [np.full((320, 800, 3), value, np.uint8) for value in (0, 128, 255)]
    assert write_video(iter(frames), tmp_path / "a.mp4", 15.0) == 3
    assert [round(f.image.mean()) for f in VideoSource(tmp_path / "a.mp4")] == pytest.approx(
        [0, 128, 255], abs=6
    )
    odd = np.zeros((321, 801, 3), np.uint8)
    with pytest.raises(RuntimeError, match="cannot write the video"):
        write_video(iter([odd]), tmp_path / "b.mp4", 15.0)
    assert write_video(iter([]), tmp_path / "c.mp4", 15.0) == 0
    assert os.listdir(tmp_path) == ["a.mp4"]
