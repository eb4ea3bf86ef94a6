# SPDX-License-Identifier: Apache-2.0
"""Tables of ours: names that a spreadsheet would run, and lines of somebody else."""

import csv
import json

import cv2
import pytest
from labelled_set import record, write_records, write_set
from tiny_model import random_image, write_tiny_model

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.evaluation.diff import evaluations
from shared_encoder_perception.evaluation.diff.evaluations import pair_evaluations
from shared_encoder_perception.evaluation.diff.results import compare_results

FORMULAS = ("=cmd|calc!A0.png", "+1.png", "-2+3.png", "@SUM(A1).png", "'=1.png")


def cells(path, column):
    with path.open(newline="", encoding="utf-8") as lines:
        return [row[column] for row in csv.DictReader(lines)]


def safe(texts):
    return not any(text.lstrip("'")[:1] in "=+-@" and text[0] != "'" for text in texts if text)


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Evaluate a set whose source and pictures are named like formulas, by their names alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = write_set(tmp_path / "set", len(FORMULAS))
    lines = []
    for index, name in enumerate(FORMULAS):
        line = record(index)
        (folder / line["image"]).rename(folder / "images" / name)
        lines.append({**line, "image": f"images/{name}", "source": "=road"})
    write_records(folder, lines)
    model = write_tiny_model(tmp_path / "tiny.onnx")
    command = ["evaluate", "--labels", str(folder / "frames.jsonl"), "--model", str(model)]
    out = tmp_path / "out"
    assert main([*command, "--backend", "onnxruntime", "--no-report", "--out", str(out)]) == 0
    return out


def test_no_cell_of_an_evaluation_is_a_formula_and_diff_reads_the_names(results):
    table = results / "frames.csv"
    assert cells(table, "source") == ["'=road"] * len(FORMULAS)
    assert safe(cells(table, "image"))
    found = list(evaluations._csv_frames(table))
    assert [one.source for one in found] == ["=road"] * len(FORMULAS)
    assert [one.name for one in found] == [f"images/{name}" for name in FORMULAS]


def test_a_table_that_is_none_is_said_with_its_line(results):
    table = results / "frames.csv"
    good = table.read_bytes()
    for bad, line in ((b"\0" * 10, 2), (b'"' + b"x" * 200_000, 2)):
        head, rest = good.split(b"\n", 1)
        table.write_bytes(head + b"\n" + bad + b"," + rest)
        with pytest.raises(ValueError, match=rf"frames\.csv, line {line}|line \d+: not a line of"):
            list(pair_evaluations(table, table, 1))
    table.write_bytes(b"\xff\xfe" + good)
    with pytest.raises(ValueError, match=r"frames\.csv"):
        pair_evaluations(table, table, 1)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"conditions":' * 100_000, '{"a": ' + "9" * 5000])
def test_results_nested_too_deep_are_named(results, text):
    (results / "summary.json").write_text(text)
    with pytest.raises(ValueError, match=r"summary\.json holds no conditions: not a result of"):
        compare_results(results, results, 0)


def test_the_table_of_mining_holds_no_formula(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "drive"
    folder.mkdir()
    for index, name in enumerate(FORMULAS):
        cv2.imwrite(str(folder / name), random_image(index))
    model, out = write_tiny_model(tmp_path / "tiny.onnx"), tmp_path / "mined"
    command = ["mine", str(folder), "--model", str(model), "--out", str(out), "--count", "2"]
    assert main(command) == 0
    names = cells(out / "mined.csv", "frame")
    assert len(names) == len(FORMULAS) and safe(names)
    told = [json.loads(line)["image"] for line in (out / "frames.jsonl").read_text().splitlines()]
    assert len(told) == 2
