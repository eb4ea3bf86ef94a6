# SPDX-License-Identifier: Apache-2.0
"""The toy task goes the whole way, from rendered worlds to a report, without a file of the package.

The heart of the house: whatever fails here knows a task that it should have asked the table for.
"""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import toy_task
from patience import PATIENCE_S
from replay_bags import drive, write_bag

from shared_encoder_perception import tasks

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.world.synthetic import render_sample

SIZE = (64, 160)
ENGINES = ("onnxruntime", "openvino", "torch")
CONFIG = """
network: {encoder: test_resnet, tasks: [brightness], channels: 16, head_channels: 8}
data:
  train: [{path: synthetic, count: 32}]
  val: [{path: synthetic, count: 4}]
stages: [{size: [64, 160], steps: 30, batch_size: 4, learning_rate: 5.0e-3}]
machine: {workers: 0, precision: 32-true, accelerator: cpu}
validate_every: 0
ema: 0.9
"""


@pytest.fixture(scope="module", autouse=True)
def toy_in_the_table():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(tasks.ROOMS, toy_task.NAME, toy_task.__name__)
        yield


def command(*arguments):
    """Run a command as a user would, with the toy in the table, in a process of its own."""
    words = [sys.executable, toy_task.__file__, *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=4 * PATIENCE_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A toy that was trained on worlds and exported."""
    folder = tmp_path_factory.mktemp("toy")
    (folder / "toy.yaml").write_text(CONFIG)
    command("train", folder / "toy.yaml", f"out={folder / 'run'}")
    path = folder / "toy.onnx"
    size = ("--size", 64, 160, "--worlds", 12, "--name", "toy")
    assert main(["export", *map(str, (folder / "run", "--out", path, *size))]) == 0
    return path


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Worlds that the toy has not seen."""
    folder = tmp_path_factory.mktemp("pictures")
    for seed in range(4):
        cv2.imwrite(str(folder / f"{seed}.png"), render_sample(5000 + seed, SIZE).image)
    return folder


def read_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_it_learned_and_its_spec_says_so(model):
    spec = load_backend(model).spec
    assert list(spec.tasks) == ["brightness"]
    assert list(spec.output_tensors()) == ["brightness"]
    record = json.loads((model.parent / "run" / "run.json").read_text())
    assert record
    rows = read_lines(model.parent / "run" / "metrics.jsonl")
    losses = [row["train/brightness"] for row in rows if "train/brightness" in row]
    assert losses[-1] < losses[0]
    assert spec.scores["synthetic/brightness_right"] > 0


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_answers(model, pictures, engine):
    picture = cv2.imread(str(pictures / "0.png"))
    reference, found = (
        Predictor(load_backend(model, name))(picture).answers["brightness"].plane
        for name in ("onnxruntime", engine)
    )
    assert np.abs(reference - found).max() < 0.05


def test_predict_writes_it(model, pictures, tmp_path):
    out = tmp_path / "out"
    arguments = ["--input", str(pictures), "--model", str(model), "--out", str(out)]
    assert main(["predict", *arguments, "--overlay", "--sheet"]) == 0
    lines = read_lines(out / "predictions.jsonl")
    assert [set(line) for line in lines] == [{"image", "size", "brightness", "stage_ms"}] * 4
    assert np.shape(lines[0]["brightness"]) == (8, 8)
    drawn = list((out / "overlays").rglob("*.png"))
    assert len(drawn) == 4 and (out / "sheet.png").exists()
    plain = cv2.imread(str(pictures / "0.png"))
    assert (cv2.imread(str(sorted(drawn)[0])) != plain).any()


def test_evaluate_scores_it(model, tmp_path, capsys):
    out = tmp_path / "scores"
    assert main(["evaluate", "--synthetic", "6", "--model", str(model), "--out", str(out)]) == 0
    summary = json.loads((out / "summary.json").read_text())
    assert summary["sources"]["synthetic"]["brightness"]["images"] == 6
    assert set(summary["headline"]["model"]) == {"brightness_right", "score"}
    header = (out / "frames.csv").read_text().splitlines()[0].split(",")
    assert "brightness_error" in header and "mask_iou" not in header
    assert "Cells right" in (out / "report.html").read_text()


def test_compare_holds_engines_against_each_other(model, pictures, capsys):
    arguments = [str(model), "--input", str(pictures)]
    engines = ["onnxruntime:fp32", "openvino:fp32"]
    assert main(["compare", *arguments, "--engine", *engines]) == 0
    table = capsys.readouterr().out
    assert "brightness" in table and "lane" not in table


def test_card_shows_it(model, tmp_path):
    card = tmp_path / "card.md"
    card.write_text("# Toy\n<!-- scores:begin -->\n<!-- scores:end -->\n")
    assert main(["card", str(card), "--model", str(model), "--worlds", "4"]) == 0
    assert "cells right" in card.read_text() and "| synthetic |" in card.read_text()


def test_replay_records_and_draws_it(model, tmp_path):
    bag = write_bag(tmp_path / "drive", drive(4))
    out = tmp_path / "out"
    arguments = [str(bag), "--model", str(model), "--out", str(out)]
    assert main(["replay", *arguments]) == 0
    lines = read_lines(next(out.rglob("results.jsonl")))
    assert all(0 <= line["brightness"] <= 1 for line in lines[1:])
    from shared_encoder_perception.images.bags import open_bag

    with open_bag(next(path.parent for path in out.rglob("metadata.yaml"))) as reader:
        topics = {connection.topic: connection.msgtype for connection in reader.connections}
    assert topics["/brightness/plane"] == "sensor_msgs/msg/Image"
    assert not any("lane_lines" in topic or "drivable" in topic for topic in topics)


def test_mine_and_diff_say_what_the_toy_does_without(model, pictures, tmp_path, capsys):
    """It has no ``reasons`` and no ``drift``, which are optional."""
    mine = ["mine", str(pictures), "--model", str(model), "--out", str(tmp_path / "mined")]
    assert main(mine) == 2
    assert "gives a reason to label it" in capsys.readouterr().err
    same = ["diff", str(model), str(model), "--input", str(pictures)]
    assert main([*same, "--out", str(tmp_path / "diff")]) == 2
    assert "cannot compare answers of brightness" in capsys.readouterr().err


def test_a_config_with_a_misspelt_task_is_refused(tmp_path, capsys):
    (tmp_path / "toy.yaml").write_text(CONFIG.replace("[brightness]", "[brightnes]"))
    assert main(["train", str(tmp_path / "toy.yaml"), f"out={tmp_path / 'run'}"]) == 2
    assert "did you mean 'brightness'?" in capsys.readouterr().err


def test_no_file_of_the_package_names_it():
    package = Path(tasks.__file__).parents[1]
    files = [path for path in package.rglob("*.py") if "brightness/plane" in path.read_text()]
    assert not files and len(list(package.rglob("*.py"))) > 300
