# SPDX-License-Identifier: Apache-2.0
"""Sets hold the labels of whatever tasks there are; keys of nobody are reported and ignored."""

import json

import pytest
import weather_task
from labelled_set import label_of, lanes_of, record, write_records, write_set

from shared_encoder_perception import tasks
from shared_encoder_perception.__main__ import main
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.said import Said
from shared_encoder_perception.labels.statistics import count, table
from shared_encoder_perception.tasks.label_files import LabelError
from shared_encoder_perception.world.synthetic import render_sample

WEATHER = {"sky": "rain", "sky_source": "a person"}


@pytest.fixture
def weather(monkeypatch):
    monkeypatch.setitem(tasks.ROOMS, weather_task.NAME, weather_task.__name__)


def lines_of(path):
    return [json.loads(line) for line in (path / "frames.jsonl").read_text().splitlines()]


def test_an_unknown_key_is_reported_by_validate(tmp_path, capsys):
    write_set(tmp_path, 2)
    lines = lines_of(tmp_path)
    write_records(tmp_path, [lines[0], {**lines[1], "imge": "x", "sky": 1}])
    assert main(["dataset", "validate", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "line 2: unknown key 'imge', did you mean 'image'?" in out
    assert "line 2: unknown key 'sky', expected one of ['image', 'size', 'crop', 'lanes'" in out
    assert "2 frames, 1 faulty" in out


def test_an_unknown_key_hides_no_other_fault(tmp_path, capsys):
    write_set(tmp_path, 1, sky="rain", mask="masks/nothing.png")
    (tmp_path / "masks/nothing.png").unlink()
    assert main(["dataset", "validate", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "unknown key 'sky'" in out and "nothing.png: cannot read the mask" in out


def test_an_unknown_key_is_ignored_elsewhere(tmp_path, capsys):
    plain = write_set(tmp_path / "plain", 2, pseudo=["mask"])
    other = write_set(tmp_path / "other", 2, **WEATHER, pseudo=["sky", "mask"])
    for frame, before in zip(native.read(other), native.read(plain), strict=True):
        assert frame.labels.keys() == before.labels.keys()
        assert frame.pseudo == before.pseudo == ("drivable_surface",)
        assert label_of(frame.load(), "lanes").lines.keys() == lanes_of(before).keys()
    assert main(["dataset", "stats", str(other)]) == 0
    assert main(["dataset", "convert", "native", str(other), "--out", str(tmp_path / "out")]) == 0
    assert lines_of(tmp_path / "out") == lines_of(plain)
    assert main(["dataset", "validate", str(other)]) == 1
    expected = "pseudo names 'sky', expected some of ['lanes', 'mask', 'classes', 'depth', "
    assert expected in capsys.readouterr().out


def test_labels_of_a_third_task_are_read_and_written(weather, tmp_path):
    write_set(tmp_path / "a", 3, **WEATHER, pseudo=["sky"])
    assert main(["dataset", "validate", str(tmp_path / "a")]) == 0
    with native.Writer(tmp_path / "b") as writer:
        for frame in native.read(tmp_path / "a"):
            assert frame.pseudo == (weather_task.NAME,)
            assert frame.load().labels[weather_task.NAME].word == "rain"
            writer.write(frame)
    assert lines_of(tmp_path / "b") == lines_of(tmp_path / "a")


def test_faults_of_a_third_task_are_its_own(weather, tmp_path):
    write_records(tmp_path, [record(0, sky=3)])
    with pytest.raises(LabelError, match=r"frames\.jsonl, line 1: sky is 3, expected a word"):
        list(native.read(tmp_path))


def test_labels_of_a_third_task_are_merged(weather, tmp_path):
    first, second = write_set(tmp_path / "a", 2), write_set(tmp_path / "b", 2)
    write_records(first, [record(0, sky="sun"), record(1)])
    write_records(second, [record(0, **WEATHER), record(1, **WEATHER, pseudo=["sky"])])
    out = tmp_path / "all"
    assert main(["dataset", "merge", str(first), str(second), "--out", str(out)]) == 0
    assert lines_of(out) == [
        record(0, sky="sun"),
        record(1, **WEATHER, pseudo=["sky"]),
    ]
    report = [json.loads(line) for line in (out / "merge_report.jsonl").read_text().splitlines()]
    (conflict,) = (row for row in report if row["kind"] == "conflict")
    assert (conflict["what"], conflict["value"]) == ("sky", "rain")


def test_labels_of_a_third_task_are_counted_and_drawn(weather, tmp_path, capsys):
    folder = write_set(tmp_path / "set", 3)
    write_records(folder, [record(0, **WEATHER, pseudo=["sky"]), record(1, **WEATHER), record(2)])
    statistics = count(native.read(folder))
    counts = statistics.sources["road"]
    assert counts.labels[weather_task.NAME].there == 2
    assert counts.pseudo == {"sky": 1}
    names, _, road, *_ = table(statistics).splitlines()
    assert names.split()[:4] == ["source", "frames", "masks", "weather"]
    assert road.split()[:4] == ["road", "3", "3", "2"]
    assert main(["dataset", "stats", str(folder), "--out", str(tmp_path / "stats.png")]) == 0


def test_a_third_task_may_know_nothing_of_worlds_or_other_sets(weather):
    assert weather_task.NAME not in render_sample(3, (64, 160)).labels
    frame = Said((4, 6)).frame(name="a.jpg", image_path="a.jpg")
    assert frame.labels == {}
