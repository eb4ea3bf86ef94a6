# SPDX-License-Identifier: Apache-2.0
"""The soak command with real processes; no time is ever judged here."""

import argparse
import json
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from specs import spec_of
from tiny_model import random_image, write_tiny_model

pytest.importorskip("rclpy", reason="ROS 2 is not installed: make setup")
pytest.importorskip("shared_encoder_perception.msg", reason="the messages are not built")

from patience import PATIENCE_S

from shared_encoder_perception.images.counts import DROP_REASONS
from shared_encoder_perception.soak import analysis, run
from shared_encoder_perception.soak.records import (
    ANSWER,
    ANSWER_FILE,
    SENT,
    SENT_FILE,
    TOLD_STAGES,
    read,
)

OUTPUTS = 7
"""Messages of an image: five lanes, the mask, the array."""
TIME_LIMITS = ("late-percent", "overhead-ms", "overhead-p99-ms", "queued-p99-ms")
"""Limits that depend on what else the machine does: lifted here."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx")


@pytest.fixture
def soak(tmp_path, tiny):
    """Return the command, with small images and the tiny model; signals are put back."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    images = tmp_path / "images"
    images.mkdir()
    for seed in range(5):
        cv2.imwrite(str(images / f"{seed}.png"), random_image(seed))

    def call(*options, model=tiny):
        parser = argparse.ArgumentParser()
        run.add_arguments(parser)
        fixed = ["--images", str(images), "--model", str(model), "--backend", "onnxruntime"]
        free = [f"--max-{name}=inf" for name in TIME_LIMITS]
        free += ["--max-dropped=inf", "--max-memory-percent=20"]
        files = ["--log", str(tmp_path / "log"), "--json", str(tmp_path / "out.json")]
        return run.run(parser.parse_args([*fixed, *free, *files, *options]))

    yield call
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_real_processes_account_for_every_image_and_grow_nothing(soak, tmp_path, capsys):
    assert soak("--seconds", "5") == 0
    printed = capsys.readouterr()
    assert "every limit was kept" in printed.out
    result = json.loads((tmp_path / "out.json").read_text())
    images, found = result["images"], result["resources"]
    assert images["published"] == pytest.approx(150, abs=75), "30 Hz, unless the machine is full"
    assert images["published"] == images["received"] == images["perceived"] + images["dropped"]
    assert images["dropped"] == sum(images[reason] for reason in DROP_REASONS)
    assert images["whole"] == images["perceived"] > 0
    assert (found["new_threads"], found["new_files"]) == (0, 0)
    assert found["threads"] > 1 and found["files"] > 3 and found["memory_mb"] > 50
    assert all(found["cpu_ms_per_image"][name] > 0 for name in ("node", "camera", "probe"))
    assert set(result["stages_told"]) == set(TOLD_STAGES)
    assert 0 < result["times"]["inference"]["p50"] < result["times"]["latency"]["p50"]
    assert (result["model"]["name"], result["model"]["backend"]) == ("tiny", "onnxruntime")
    assert result["broken"] == []
    assert "the camera" in printed.out and "under load" in printed.err
    # One image more, or one answer less, must not be able to pass.
    sent, answers = (read(tmp_path / "log" / name, kind) for name, kind in
                     ((SENT_FILE, SENT), (ANSWER_FILE, ANSWER)))  # fmt: skip
    one_more = np.append(sent, np.ones(1, SENT))
    assert analysis.fates(one_more, answers, {}, OUTPUTS)["unaccounted"] == 1
    assert analysis.fates(sent, answers[1:], {}, OUTPUTS)["lost_messages"] == OUTPUTS


def test_what_is_made_on_demand_comes_back_whole_too(soak, tmp_path):
    tasks = ("lanes", "drivable_surface", "semantic")
    model = write_tiny_model(tmp_path / "classes.onnx", spec_of("classes", "1", tasks=tasks))
    for options, outputs in (((), OUTPUTS + 1), (("--everything",), OUTPUTS + 2)):
        shutil.rmtree(tmp_path / "log", ignore_errors=True)
        assert soak("--seconds", "5", *options, model=model) == 0
        images = json.loads((tmp_path / "out.json").read_text())["images"]
        assert images["whole"] == images["perceived"] > 0
        assert json.loads((tmp_path / "log" / "model.json").read_text())["outputs"] == outputs


def test_an_overload_is_counted_exactly(soak, tmp_path, capsys):
    pytest.importorskip("matplotlib", reason="draws a plot")
    picture = tmp_path / "out.png"
    options = ("--seconds", "5", "--overload", "--slow-model-ms", "40")
    assert soak(*options, "--transport", "compressed", "--plot", str(picture)) == 0
    result = json.loads((tmp_path / "out.json").read_text())
    images = result["images"]
    assert result["setting"]["rate"] == 60 and result["slow_model_ms"] > 5
    assert f"slowed to {result['slow_model_ms']:.0f} ms" in capsys.readouterr().out
    assert images["replaced"] > images["published"] / 4
    assert images["published"] == images["perceived"] + images["replaced"]
    assert images["whole"] == images["perceived"]
    assert cv2.imread(str(picture)).shape[1] > 600


def test_a_node_that_cannot_start_says_why(soak, tmp_path):
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"no model")
    with pytest.raises(RuntimeError, match=r"the node stopped early.*is not an ONNX model"):
        soak(model=bad)
    assert not (tmp_path / "out.json").exists()


def test_a_size_that_is_none_is_named(soak, capsys):
    with pytest.raises(SystemExit):
        soak("--size", "5")
    assert "'5': expected" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seconds", "3"], "3 s at 30 Hz: expected at least 5 s"),
        (["--seconds", "nan"], "expected at least 5 s"),
        (["--minutes", "inf"], "expected at least 5 s"),
        (["--rate", "0"], "a rate above 0"),
        (["--rate", "nan"], "a rate above 0"),
        (["--overload", "--slow-model-ms", "-1"], "expected 0 or more"),
        (["--slow-model-ms", "40"], "is for an overload: add --overload"),
        (["--images", "gone"], "there is no gone"),
        (["--params", "gone.yaml"], "there is no parameter file gone.yaml"),
        (["--plot", "gone/out.png"], "there is no folder gone"),
    ],
)
def test_mistakes_cost_no_process(soak, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        soak(*options)
    assert not (tmp_path / "log").exists()


def test_logs_of_another_run_are_not_mixed_up(soak, tmp_path):
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "model.json").touch()
    with pytest.raises(ValueError, match="is not empty"):
        soak()


def test_ctrl_c_ends_all_processes_in_peace(tmp_path, tiny):
    log = tmp_path / "log"
    images = tmp_path / "images"
    images.mkdir()
    cv2.imwrite(str(images / "0.png"), random_image(0))
    options = ["--images", str(images), "--model", str(tiny), "--log", str(log), "--minutes", "5"]
    command = [sys.executable, "-m", "shared_encoder_perception", "soak", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        deadline_s = (
            time.monotonic() + PATIENCE_S
        )  # a busy machine takes its time; nothing here judges it
        while not len(read(log / ANSWER_FILE, ANSWER)) and time.monotonic() < deadline_s:
            time.sleep(0.1)
        ours = children(process.pid)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE_S)
    assert len(ours) == 3
    assert process.returncode == 130, said
    assert b"Traceback" not in said and b"interrupted" in said
    assert f"logs and records are in {log}".encode() in said
    assert not [pid for pid in ours if Path(f"/proc/{pid}").exists()]
    assert "inactive:" in (log / "node.log").read_text(), "the node had time to say goodbye"


def children(parent):
    """Return the process ids of a process's children."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent:
                found.append(int(folder.name))
    return found
