# SPDX-License-Identifier: Apache-2.0
"""compare, diff and mine with a task that the package does not know, and with nothing else."""

import csv
import json

import green_task
import pytest
from tiny_model import random_image

from shared_encoder_perception import tasks
from shared_encoder_perception.__main__ import main
from shared_encoder_perception.drawing.pictures import write_picture
from shared_encoder_perception.evaluation.diff.metrics import scores_of
from shared_encoder_perception.evaluation.differences import default_tolerances

FRAMES = 12


@pytest.fixture(autouse=True)
def _in_the_table(monkeypatch):
    monkeypatch.setitem(tasks.ROOMS, green_task.NAME, "green_task")


@pytest.fixture
def folder(tmp_path):
    """Two models, pictures, and the same ones with labels."""
    green_task.write_green_model(tmp_path / "a.onnx")
    green_task.write_green_model(tmp_path / "b.onnx", "2", more=0.25)
    lines = []
    for index in range(FRAMES):
        image = random_image(index, green_task.SIZE)
        write_picture(tmp_path / "set" / "images" / f"{index:02d}.png", image)
        lines.append(
            {
                "image": f"images/{index:02d}.png",
                "size": list(green_task.SIZE),
                "source": "meadow",
                "green": float(image.mean() / 255),
            }
        )
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "set" / "frames.jsonl").write_text(text)
    return tmp_path


def compare(folder, *options):
    """Run the command; return exit status and report."""
    engines = ["--engine", "onnxruntime:fp32", "onnxruntime", "--out", str(folder / "out")]
    command = ["compare", str(folder / "a.onnx"), "--input", str(folder / "set"), *engines]
    status = main([*command, *map(str, options)])
    return status, json.loads((folder / "out" / "report.json").read_text())


def test_compare_shows_the_tensors_of_a_task_that_says_nothing_else(folder, capsys):
    status, result = compare(folder)
    assert status == 0
    for row in result["engines"]:
        assert row["largest"] == {"green": 0.0}
        assert list(row["scores"]) == ["green_right"]
        assert row["scores"]["green_right"] == pytest.approx(1.0, abs=1e-6)
        assert "largest_green_error_on" in row
    assert "| engine | runs in | green | green right | |" in capsys.readouterr().out
    assert default_tolerances()["fp32"]["green"] == 1e-3


def test_compare_takes_tolerances_of_that_task(folder):
    limits = folder / "own.yaml"
    limits.write_text("fp32: {green: 0, green_right_loss: 0.5}\n")
    assert compare(folder, "--tolerances", limits)[0] == 0


def diff(folder, *options, expect):
    """Run the command on A and B; return its result."""
    sides = [str(folder / "a.onnx"), str(folder / "b.onnx")]
    out = folder / "diff"
    command = ["diff", *sides, "--out", str(out), "--backend", "onnxruntime"]
    assert main([*command, *map(str, options)]) == expect
    return json.loads((out / "diff.json").read_text())


def test_diff_scores_it_with_labels_and_says_nothing_of_other_tasks(folder, capsys):
    found = diff(folder, "--input", folder / "set", "--no-report", expect=1)
    assert found["labelled"] and found["frames"] == FRAMES
    assert list(found["metrics"]) == ["score", "green_right", "green_share", "agreement/green"]
    right = found["metrics"]["green_right"]
    assert right["change"] == pytest.approx(-0.25, abs=1e-3)
    assert right == {**found["metrics"]["score"]}
    assert list(found["limits"]) == ["green_right"] and found["found"] == {}
    assert [one["b"] for one in found["changed"]["worse"]] == ["green off by 0.25"] * 8
    assert "lane" not in capsys.readouterr().out


def test_diff_holds_two_answers_together_without_labels(folder):
    pytest.importorskip("matplotlib", reason="the report's charts need matplotlib")
    found = diff(folder, "--input", folder / "set" / "images", expect=1)
    assert not found["labelled"]
    assert "agreement/green lost 0.25" in found["broken"][0]
    assert found["changed"]["apart"][0]["a"].startswith("green 0.")
    page = (folder / "diff" / "report.html").read_text()
    for text in ("All colours", "the difference", "Farthest apart"):
        assert text in page
    assert "lane" not in page


def test_diff_says_so_when_no_task_can_be_compared(folder, monkeypatch, capsys):
    monkeypatch.delattr(green_task, "drift")
    sides = [str(folder / "a.onnx"), str(folder / "b.onnx")]
    options = ["--input", str(folder / "set"), "--out", str(folder / "diff"), "--no-report"]
    assert main(["diff", *sides, *options]) == 2
    assert "diff cannot compare answers of greenness" in capsys.readouterr().err


def test_the_third_task_comes_after_those_of_the_package():
    names = [score.name for score in scores_of(tasks.ROOMS)]
    assert names.index("mask_iou") < names.index("green_right") < names.index("boundary_f")


def mine(folder, *options, expect=0):
    """Run the command; return the lines of ``mined.csv``."""
    out = folder / "mined"
    command = ["mine", str(folder / "set" / "images"), "--out", str(out), "--count", "4"]
    engine = ["--model", str(folder / "a.onnx"), "--backend", "onnxruntime"]
    assert main([*command, *engine, *map(str, options)]) == expect
    if expect:
        return []
    with (out / "mined.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_mine_asks_that_task_for_its_reasons(folder):
    table = mine(folder, "--other", folder / "b.onnx")
    assert list(table[0])[:4] == ["frame", "stamp_ns", "too_green", "models_disagree"]
    assert "lanes" not in table[0] and len(table) == FRAMES
    greenest = max(table, key=lambda row: float(row["too_green"]))
    assert greenest["taken_for"] == "too_green"
    assert {float(row["models_disagree"]) for row in table} == {0.25}
    lines = (folder / "mined" / "frames.jsonl").read_text().splitlines()
    assert len(lines) == 4 and "pseudo" not in json.loads(lines[0])


def test_mine_refuses_reasons_of_tasks_that_the_model_lacks(folder, capsys):
    mine(folder, "--reasons", "unsure_lane", expect=2)
    error = capsys.readouterr().err
    assert "--reasons unsure_lane is not for this model, which answers greenness" in error


def test_mine_passes_over_what_people_have_labelled(folder, capsys):
    command = ["mine", str(folder / "set"), "--out", str(folder / "mined")]
    engine = ["--model", str(folder / "a.onnx"), "--backend", "onnxruntime"]
    assert main([*command, *engine]) == 2
    assert f"{FRAMES} labelled by people already" in capsys.readouterr().err
