# SPDX-License-Identifier: Apache-2.0
"""Demo and live replay of a model without lanes: no message tells of the node's work there."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: make setup")
pytest.importorskip("shared_encoder_perception.msg", reason="the messages are not built")

from types import SimpleNamespace

import replay_bags
from specs import spec_of
from tiny_model import random_image, write_tiny_model

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.demo.summary import summarise
from shared_encoder_perception.drawing.overlay import draw
from shared_encoder_perception.images.bags import open_bag
from shared_encoder_perception.images.sources import VideoSource
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.semantic.tables import numbered

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


def test_the_tasks_that_are_asked_for_are_drawn_with_their_own_words(tmp_path, capsys):
    """The bag has the table of classes, by which the video names them."""
    spec = spec_of("three", "1", tasks=("drivable_surface", "semantic"))
    model = write_tiny_model(tmp_path / "three.onnx", spec)
    images = tmp_path / "images"
    images.mkdir()
    image = np.zeros((320, 800, 3), np.uint8)
    image[:, :, 1] = 255  # sure, and all of it drivable
    image[:, :400, 2], image[:, 400:, 2] = 5, 205  # classes 0 and 10
    for index in range(4):
        cv2.imwrite(str(images / f"{index}.png"), image)
    command = ["demo", "--images", str(images), "--rate", "5", "--model", str(model)]
    assert main([*command, "--out", str(tmp_path / "lanes"), "--tasks", "lanes"]) == 2
    told = "the model does not answer lanes: three.onnx answers drivable_surface, semantic"
    assert told in capsys.readouterr().err and not (tmp_path / "lanes").exists()
    out = tmp_path / "out"
    assert main([*command, "--out", str(out), "--tasks", "semantic"]) == 0, capsys.readouterr().err
    assert "/semantic/labels" in topics_of(out / "bag")
    answer = Predictor(load_backend(str(model), "onnxruntime"))(image).answers["semantic"]
    expected = draw(image, Perception((320, 800), {"semantic": answer}))
    shown = [frame.image.astype(int) for frame in VideoSource(out / "overlay.mp4")]
    assert shown
    for picture in shown:
        assert np.abs(picture - expected).mean() < 4
        legend = np.abs(picture - expected)[:50, :120]
        assert legend.mean() < 15, "road and person, not numbers"
    numbers = replace(answer, classes=numbered(len(answer.classes)))
    other = draw(image, Perception((320, 800), {"semantic": numbers}))
    assert np.abs(other.astype(int) - expected)[:50, :120].mean() > 15


def test_live_answers_are_held_against_the_offline_ones(tmp_path, models, capsys):
    bag = replay_bags.write_bag(tmp_path / "bag", replay_bags.drive(COUNT))
    out = tmp_path / "out"
    assert replay_bags.replay(models, bag, out, "--live") == 0, capsys.readouterr().err
    summary = json.loads((out / "live" / "summary.json").read_text())
    assert summary["perceived"] == summary["equal"] > 0
    assert (summary["unaccounted"], summary["unknown"]) == (0, 0)
