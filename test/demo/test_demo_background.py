# SPDX-License-Identifier: Apache-2.0
"""The demo of a model that compares images: a fixed camera, the empty road, and both recorded."""

import json

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: make setup")
pytest.importorskip("shared_encoder_perception.msg", reason="the messages are not built")

from pair_model import noise, write_pair_model

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.demo import parked_clip
from shared_encoder_perception.images.bags import open_bag, read_messages
from shared_encoder_perception.images.image_msg import to_bgr
from shared_encoder_perception.images.sources import VideoSource, open_source
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.tasks.foreground.content import MASK_TOPIC

COUNT = 6


@pytest.fixture
def model(tmp_path):
    return write_pair_model(tmp_path / "pair.onnx")


def recorded(bag):
    """Return images and masks by stamp, and backgrounds in their order."""
    images, masks, backgrounds = {}, {}, []
    with open_bag(bag) as reader:
        for connection, _, message in read_messages(reader, bag):
            if connection.topic == "/background":
                backgrounds.append(to_bgr(message))
            elif connection.topic == "/image":
                images[stamp(message)] = to_bgr(message)
            elif connection.topic == f"/{MASK_TOPIC}":
                masks[stamp(message)] = to_bgr(message)[:, :, 0]
    return images, masks, backgrounds


def stamp(message):
    return message.header.stamp.sec, message.header.stamp.nanosec


def test_a_fixed_camera_sees_traffic_against_the_empty_road(tmp_path, model, monkeypatch, capsys):
    monkeypatch.setattr(parked_clip, "FRAMES", COUNT)
    out = tmp_path / "out"
    command = ["demo", "--out", str(out), "--rate", "5", "--model", str(model)]
    assert main([*command, "--tasks", "foreground"]) == 0, capsys.readouterr().err
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["published"], summary["recorded"], summary["unexplained"]) == (COUNT, COUNT, 0)
    images, masks, backgrounds = recorded(out / "bag")
    assert len(backgrounds) == 1 and 0 < len(masks) == summary["complete"]
    predictor = Predictor(load_backend(model, "auto"))
    for key, mask in masks.items():
        beside = {"background": backgrounds[0]}
        expected = predictor(images[key], companions=beside).answers["foreground"].values()
        np.testing.assert_array_equal(mask, expected)
    assert len(open_source(out / "bag")) == COUNT, "the background is no camera"
    (frame, *_) = VideoSource(out / "overlay.mp4")
    height, width = frame.image.shape[0] // 4, frame.image.shape[1] // 4
    small = cv2.resize(backgrounds[0], (width, height), interpolation=cv2.INTER_AREA)
    corner = frame.image[:height, -width:].astype(int)
    assert np.abs(corner - small)[height // 2 :, 2:-2].mean() < 12


def test_own_pictures_need_a_background_and_may_change_it(tmp_path, model, capsys):
    images = tmp_path / "images"
    images.mkdir()
    lines = []
    for index in range(4):
        cv2.imwrite(str(images / f"{index}.png"), noise(index))
        cv2.imwrite(str(images / f"empty_{index // 2}.png"), noise(50 + index // 2))
        lines.append({"image": f"{index}.png", "background": f"empty_{index // 2}.png"})
    out = tmp_path / "out"
    command = ["demo", "--out", str(out), "--rate", "2", "--model", str(model)]
    assert main([*command, "--images", str(images)]) == 2
    assert "--background FILE for all images" in capsys.readouterr().err and not out.exists()
    (images / "frames.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert main([*command, "--images", str(images)]) == 0, capsys.readouterr().err
    seen, masks, backgrounds = recorded(out / "bag")
    assert len(backgrounds) == 2 and len(masks) == 4
    predictor = Predictor(load_backend(model, "auto"))
    for index, key in enumerate(sorted(masks)):
        beside = {"background": backgrounds[index // 2]}
        expected = predictor(seen[key], companions=beside).answers["foreground"].values()
        np.testing.assert_array_equal(masks[key], expected)
    small = tmp_path / "small.png"
    cv2.imwrite(str(small), noise(1, (32, 80)))
    options = ["--images", str(images / "frames.jsonl"), "--background", str(small)]
    assert main([*command, *options]) == 2


def test_the_clip_stands_still_but_for_its_traffic(tmp_path, monkeypatch):
    monkeypatch.setattr(parked_clip, "FRAMES", 3)
    monkeypatch.setattr(parked_clip, "SPEED_M_PER_FRAME", 15.0)
    path = parked_clip.parked_clip(tmp_path, ["background"])
    source = open_source(path)
    source.beside = ["background"]
    frames = list(source)
    empty = frames[0].beside["background"].astype(int)
    assert all((frame.beside["background"] == empty).all() for frame in frames)
    blurred = [cv2.GaussianBlur(frame.image, (0, 0), 3).astype(int) for frame in frames]
    still = np.abs(blurred[0] - blurred[2]).max(axis=2) < 12
    assert 0.6 < still.mean() < 0.99, "most of it stays, something moves"
    assert parked_clip.parked_clip(tmp_path, ["background"]) == path
