# SPDX-License-Identifier: Apache-2.0
"""replay and predict of a model that answers neither lanes nor a mask: nothing misses them."""

import json

import cv2
import grey_task
import numpy as np
import pytest
import replay_bags
from replay_bags import arrival_ns, drive, header, replay, stamps
from tiny_model import random_image

from shared_encoder_perception import tasks
from shared_encoder_perception.__main__ import main
from shared_encoder_perception.images.bags import open_bag, read_messages
from shared_encoder_perception.images.sources import VideoSource
from shared_encoder_perception.replay.messages import new_message
from shared_encoder_perception.replay.recorder import Recorder

COUNT = 6


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    """A model of the third task, which is in the table."""
    monkeypatch.setitem(tasks.ROOMS, grey_task.NAME, grey_task.__name__)
    return grey_task.write_grey_model(tmp_path / "grey.onnx")


@pytest.fixture
def bag(tmp_path):
    return replay_bags.write_bag(tmp_path / "bag", drive(COUNT))


def test_predict_writes_what_the_model_answers_and_nothing_else(tmp_path, models, capsys):
    (tmp_path / "in").mkdir()
    cv2.imwrite(str(tmp_path / "in" / "a.png"), random_image(9))
    out = tmp_path / "out"
    options = ["--model", str(models.tiny), "--backend", "onnxruntime", "--overlay"]
    command = ["predict", "--input", str(tmp_path / "in"), "--out", str(out), *options]
    assert main(command) == 0
    (line,) = map(json.loads, (out / "predictions.jsonl").read_text().splitlines())
    assert list(line) == ["image", "size", "grey", "crop", "stage_ms"]
    assert {path.name for path in out.iterdir()} == {"predictions.jsonl", "overlays"}
    overlay = cv2.imread(str(out / "overlays" / "a.png.png"))
    assert (overlay[-20:, -20:] == round(255 * line["grey"])).all()
    said = capsys.readouterr().out
    assert "light            detected in 100.0%" in said and "ego" not in said
    assert main([*command, "--force"]) == 0


def test_replay_records_draws_and_reports_it(tmp_path, models, bag, capsys):
    out = tmp_path / "out"
    assert replay(models, bag, out, "+bag", "+video", "+report") == 0
    conditions, lines = replay_bags.results(out)
    assert conditions["light_from"] == 0.2
    assert not {"lane_thresholds", "mask_threshold"} & set(conditions)
    assert [list(line) for line in lines] == [["frame", "stamp_ns", "grey", "grey_seen"]] * COUNT
    told = replay_bags.summary(out)
    light = np.mean([line["grey"] >= 0.2 for line in lines])
    assert 0 < light < 1 and told["detected"] == {"light": light}
    assert told["temporal"] == {}
    assert f"grey      light {light:.0%}" in capsys.readouterr().out
    assert len(list(VideoSource(out / "overlay.mp4"))) == COUNT
    found = {}
    with open_bag(out / "bag") as reader:
        for connection, _, message in read_messages(reader, bag):
            found.setdefault(connection.topic, []).append(message)
    overlay = "/perception/debug/overlay/compressed"
    assert set(found) == {"/grey/value", overlay, "/model_info", "/grey/light_from"}
    assert list(found["/model_info"][0].tasks) == ["grey"]
    assert [message.illuminance for message in found["/grey/light_from"]] == [0.2]
    values = [message.illuminance for message in found["/grey/value"]]
    assert np.round(values, 4).tolist() == [line["grey"] for line in lines]
    page = (out / "report.html").read_text()
    assert "images perceived" in page and "jitter" not in page and "Drivable" not in page


def write_labels(folder):
    """Write a native set that says how grey each image of the drive is."""
    folder.mkdir()
    texts = [
        json.dumps({"image": f"frame_{index:06d}.png", "size": [320, 800], "grey": 0.5})
        for index in range(COUNT)
    ]
    (folder / "frames.jsonl").write_text("\n".join(texts) + "\n")
    return folder


@pytest.mark.parametrize("source", ["file", "topic"])
def test_replay_scores_it(tmp_path, models, source):
    messages, labels = drive(COUNT), "/truth"
    if source == "file":
        labels = write_labels(tmp_path / "set")
    else:
        for index, stamp_ns in enumerate(stamps(COUNT)):
            label = new_message(grey_task.KIND)
            label.header, label.illuminance = header(stamp_ns), 0.5
            messages.append(("/truth/grey", arrival_ns(index), label))
    bag = replay_bags.write_bag(tmp_path / "bag", messages)
    assert replay(models, bag, tmp_path / "out", "--labels", labels) == 0
    _, lines = replay_bags.results(tmp_path / "out")
    errors = [line["scores"]["grey_error"] for line in lines]
    assert np.allclose(errors, [0.5 - line["grey"] for line in lines], atol=1e-3)
    told = replay_bags.summary(tmp_path / "out")
    assert told["scores"]["bag"]["grey"]["images"] == told["labelled"] == COUNT


def test_replay_interrupted_goes_on_with_what_its_refiner_and_metric_know(
    tmp_path, models, bag, monkeypatch
):
    """Their classes are not of this package; a checkpoint may name them all the same."""
    stopped, whole = tmp_path / "stopped", tmp_path / "whole"
    labels = write_labels(tmp_path / "set")
    options = ("--tracking", "--checkpoint-every", 2, "--labels", labels)
    write = Recorder.write

    def fail(self, seen):
        if seen.frame.index == 4:
            raise RuntimeError("the disk is full")
        write(self, seen)

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "write", fail)
        assert replay(models, bag, stopped, *options) == 2
    assert replay(models, bag, stopped, *options, "--resume") == 0
    assert replay(models, bag, whole, *options) == 0
    assert (stopped / "results.jsonl").read_bytes() == (whole / "results.jsonl").read_bytes()
    assert replay_bags.summary(stopped)["scores"] == replay_bags.summary(whole)["scores"]
    _, lines = replay_bags.results(whole)
    assert [line["grey_seen"] for line in lines] == list(range(1, COUNT + 1))
