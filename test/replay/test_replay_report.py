# SPDX-License-Identifier: Apache-2.0
"""The report of a replay draws each task's own numbers, whatever other tasks call theirs."""

import json

import pytest

pytest.importorskip("jinja2", reason="the report is not installed")
pytest.importorskip("matplotlib", reason="the report is not installed")

from shared_encoder_perception import tasks
from shared_encoder_perception.evaluation.report import charts
from shared_encoder_perception.replay.report import write_report

NAMES = ("drivable_surface", "semantic")
CONDITIONS = {
    **dict.fromkeys(("backend", "backend_version", "device", "precision", "threads"), "x"),
    **dict.fromkeys(("model", "version", "sha256", "bag", "topic", "labels"), "x"),
    "crop": None,
    "tracking": False,
    "limit": None,
}
SUMMARY = {
    "conditions": CONDITIONS,
    "throughput": {"replay_hz": 1.0, "share": 1.0},
    "skipped": {},
    "scores": {},
    "temporal": {},
    "detected": {},
    "latency_ms": {},
    "problems": [],
    "frames": 2,
    "perceived": 2,
}


@pytest.mark.parametrize("names", [NAMES, NAMES[::-1]])
def test_each_chart_shows_the_numbers_of_its_task(tmp_path, monkeypatch, names):
    drivable, semantic = (tasks.part(name, "record").KEY for name in NAMES)
    said = [{drivable: {"area": 0.3, "mean_confidence": 0.9}, semantic: {"mean_confidence": 0.2}}]
    lines = [{"frame": index, "stamp_ns": 10**9 + index, **said[0]} for index in range(2)]
    texts = [json.dumps(one) for one in ({"conditions": CONDITIONS}, *lines)]
    (tmp_path / "results.jsonl").write_text("\n".join(texts) + "\n")
    drawn, draw = {}, charts.lines

    def watched(series, title, *rest, **keys):
        drawn[title] = {name: values.tolist() for name, (_, values) in series.items()}
        return draw(series, title, *rest, **keys)

    monkeypatch.setattr(charts, "lines", watched)
    write_report(tmp_path / "report.html", tmp_path, names, SUMMARY, {}, [])
    assert drawn["Drivable surface"] == {"area": [0.3, 0.3], "mean_confidence": [0.9, 0.9]}
    assert drawn["Classes"] == {"mean_confidence": [0.2, 0.2]}
