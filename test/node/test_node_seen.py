# SPDX-License-Identifier: Apache-2.0
"""What a real node says of a 4:3 camera's picture, of which the network sees about half."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import rclpy
import rclpy.logging
import ros_harness as ros
from shared_encoder_perception.msg import LaneLineArray
from tiny_model import random_image, write_models

from shared_encoder_perception.artifact.model_info import INFO_TOPIC
from shared_encoder_perception.images.image_msg import to_bgr
from shared_encoder_perception.images.preprocess import default_crop
from shared_encoder_perception.node import camera_pipeline
from shared_encoder_perception.node.camera_pipeline import seen_line
from shared_encoder_perception.structures import Crop
from shared_encoder_perception.tasks.drivable.content import MASK_TOPIC
from shared_encoder_perception.tasks.lanes.content import ARRAY_TOPIC, read_crop

SIZE = (480, 640)
SEEN = "the network sees"


def test_the_node_tells_what_it_did_not_see_and_that_stamps_are_old(tmp_path: Path) -> None:
    """In the array, in the mask, in model_info, and once in the log; the stamps are of 1970."""
    model = write_models(tmp_path).tiny
    namespace = ros.new_namespace()
    arguments = ("-p", f"model.path:={model}")
    pixels = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    crop = default_crop(SIZE, (320, 800))
    with (
        ros.node_process(tmp_path, namespace, *arguments) as node,
        ros.peer_in(namespace, node) as peer,
    ):
        peer.settle(ros.image_message(pixels, 0))
        (info,) = peer.received[INFO_TOPIC]
        assert list(info.mask_values) == [0, 127, 255] and info.mask_labels[1] == "unseen"
        for sequence in range(1, 4):
            answer = peer.ask(ros.image_message(pixels, sequence))
            assert isinstance(answer[ARRAY_TOPIC], LaneLineArray)
            assert read_crop(answer[ARRAY_TOPIC]) == crop == Crop(0, 224, 640, 256)
            mask = to_bgr(answer[MASK_TOPIC])[:, :, 0]
            assert (mask[: crop.y] == 127).all()
            assert set(np.unique(mask[crop.window])) <= {0, 255}
        wide = peer.ask(ros.image_message(random_image(1), 4))
        assert read_crop(wide[ARRAY_TOPIC]) == Crop(0, 0, 800, 320)
        assert not (to_bgr(wide[MASK_TOPIC]) == 127).any()
        assert peer.spin_until(lambda: SEEN in node.log)
        lines = [line for line in node.log.splitlines() if SEEN in line]
        (old,) = [line for line in node.log.splitlines() if "]: images are " in line]
        assert "[WARN]" in old and "years old by this node's clock: use_sim_time?" in old
    assert "640x256 of the images' 640x480 pixels (53%)" in lines[0]
    assert "[0, 224, 640, 256]" in lines[0] and "mask.unseen_value" in lines[0]
    assert len(lines) <= 2, "not for every image"


def test_the_node_says_of_its_own_that_the_horizon_lies_badly(tmp_path: Path) -> None:
    """By its calibration: here in the middle of the picture, a third too low."""
    model = write_models(tmp_path).tiny
    # x = 1.5 f / (v - 160), y = x (400 - u) / f with f = 500: the horizon is row 160 of 320.
    matrix = [[0.0, 0.0, 750.0], [-1.5, 0.0, 600.0], [0.0, 1.0, -160.0]]
    file = tmp_path / "road.json"
    file.write_text(json.dumps(matrix))
    parameters = {"model.path": model, "ground.source": "homography", "ground.calibration": file}
    arguments = [part for item in parameters.items() for part in ("-p", "{}:={}".format(*item))]
    namespace = ros.new_namespace()
    with (
        ros.node_process(tmp_path, namespace, *arguments) as node,
        ros.peer_in(namespace, node) as peer,
    ):
        peer.settle(ros.image_message(random_image(0), 0))
        peer.ask(ros.image_message(random_image(1), 1))
        assert peer.spin_until(lambda: "the horizon lies 50%" in node.log)
        (line,) = [line for line in node.log.splitlines() if "the horizon lies" in line]
    assert "[WARN]" in line and "expected 2% to 30%" in line and "input.crop:=[" in line


def test_what_changes_soon_after_is_told_later(
    capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last change is never lost, however often images change their size."""
    now = 100.0
    monkeypatch.setattr(camera_pipeline, "monotonic", lambda: now)
    logger = rclpy.logging.get_logger("seen")
    one = SimpleNamespace(
        _node=SimpleNamespace(get_logger=lambda: logger), _told_seen=None, _tell_again_s=0.0
    )
    small, large = (
        SimpleNamespace(image_size=size, crop=Crop(0, 0, size[1], size[0]))
        for size in ((320, 800), (640, 1600))
    )
    said = ""
    for image in (small, small, large, large):
        camera_pipeline.CameraPipeline._tell_seen(one, image)
        said += capfd.readouterr().err
    assert "800x320" in said and "1600x640" not in said
    now += camera_pipeline.SEEN_PERIOD_S
    camera_pipeline.CameraPipeline._tell_seen(one, large)
    assert capfd.readouterr().err.count("1600x640") == 1


def test_a_picture_that_is_seen_whole_is_said_to_be() -> None:
    """Whoever reads the log need not compute."""
    assert seen_line((320, 800), Crop(0, 0, 800, 320)).endswith("all 800x320 pixels of the images")
