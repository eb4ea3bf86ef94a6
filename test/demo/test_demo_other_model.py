"""Demo and live replay of a model without lanes: no message tells of the node's work there."""

import json

import cv2
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: make setup")
pytest.importorskip("shared_encoder_perception.msg", reason="the messages are not built")

from types import SimpleNamespace

import replay_bags
from specs import spec_of
from tiny_model import random_image, write_tiny_model

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.demo.summary import summarise
from shared_encoder_perception.images.bags import open_bag
from shared_encoder_perception.images.sources import VideoSource

COUNT = 8
MASK = "/drivable_surface/mask"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    spec = spec_of("mask_only", "1", tasks=("drivable_surface",))
    path = tmp_path_factory.mktemp("models") / "mask_only.onnx"
    return SimpleNamespace(tiny=write_tiny_model(path, spec))


def topics_of(bag):
    with open_bag(bag) as reader:
        return {connection.topic for connection in reader.connections}


def test_the_demo_records_and_counts_what_the_model_answers(tmp_path, models, capsys):
    images = tmp_path / "images"
    images.mkdir()
    for seed in range(COUNT):
        cv2.imwrite(str(images / f"{seed}.png"), random_image(seed))
    out = tmp_path / "out"
    options = ["--images", str(images), "--rate", "5", "--model", str(models.tiny)]
    assert main(["demo", "--out", str(out), *options]) == 0, capsys.readouterr().err
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["published"], summary["recorded"], summary["unexplained"]) == (COUNT, COUNT, 0)
    assert 0 < summary["complete"] == len(list(VideoSource(out / "overlay.mp4")))
    assert summary["detected"] == {} and summary["stage_ms"] == {}
    assert set(summary["latency_ms"]) == {"p50", "p95", "p99"}
    assert topics_of(out / "bag") == {"/image", MASK, "/model_info", "/diagnostics"}
    assert summarise(out / "bag", COUNT + 1).unexplained == 1


def test_live_answers_are_held_against_the_offline_ones(tmp_path, models, capsys):
    bag = replay_bags.write_bag(tmp_path / "bag", replay_bags.drive(COUNT))
    out = tmp_path / "out"
    assert replay_bags.replay(models, bag, out, "--live") == 0, capsys.readouterr().err
    summary = json.loads((out / "live" / "summary.json").read_text())
    assert summary["perceived"] == summary["equal"] > 0
    assert (summary["unaccounted"], summary["unknown"]) == (0, 0)
