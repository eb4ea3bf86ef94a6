# SPDX-License-Identifier: Apache-2.0
"""replay knows the camera by the bag's CameraInfo: metres with one, nothing in metres without."""

from types import SimpleNamespace

import numpy as np
import pytest
import replay_bags
from replay_bags import TOPIC, drive, header, replay, stamps
from tiny_model import random_image

pytest.importorskip("torch", reason="exports a network of random weights")

from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.images.bags import open_bag, read_messages
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.replay.camera_infos import beside
from shared_encoder_perception.replay.messages import new_message
from shared_encoder_perception.tasks.depth.content import DEPTH_TOPIC, INFO_TOPIC
from shared_encoder_perception.tasks.depth.depth_msg import read_depth

COUNT = 4
FOCALS = (500.0, 500.0, 1000.0, 1000.0)
"""Of each image: the camera zooms in the middle of the drive."""


def info(stamp_ns, focal_px, size):
    message = new_message("sensor_msgs/msg/CameraInfo")
    message.header = header(stamp_ns)
    message.height, message.width = size
    message.distortion_model = "plumb_bob"
    message.d = np.zeros(5)
    message.k = np.array([focal_px, 0, size[1] / 2, 0, focal_px, size[0] / 2, 0, 0, 1.0])
    message.r = np.eye(3).ravel()
    message.p = np.insert(message.k.reshape(3, 3), 3, 0, axis=1).ravel()
    return message


@pytest.fixture(scope="module")
def models(one_task_model):
    return SimpleNamespace(tiny=one_task_model("depth"))


def bag_with(path, focals, size=None):
    size = size or random_image(0).shape[:2]
    messages = drive(COUNT)
    for stamp, focal in zip(stamps(COUNT), focals, strict=False):
        messages.append((beside(TOPIC), stamp, info(stamp, focal, size)))
    return replay_bags.write_bag(path, sorted(messages, key=lambda one: one[1]))


def test_metres_come_with_the_camera_info_of_their_time(tmp_path, models):
    bag, out = bag_with(tmp_path / "bag", FOCALS), tmp_path / "out"
    assert replay(models, bag, out, "+bag") == 0
    _, lines = replay_bags.results(out)
    predictor = Predictor(load_backend(models.tiny, "onnxruntime"))
    expected = [
        predictor(random_image(index)).answers["depth"].through(focal).depth
        for index, focal in enumerate(FOCALS)
    ]
    for line, depth in zip(lines, expected, strict=True):
        median = np.median(depth[np.isfinite(depth)])
        assert line["depth"]["median_m"] == pytest.approx(median, abs=2e-3)
    with open_bag(out / "bag") as reader:
        found = [(c.topic, m) for c, _, m in read_messages(reader, bag)]
    depths = [read_depth(message) for topic, message in found if topic == f"/{DEPTH_TOPIC}"]
    for depth, right in zip(depths, expected, strict=True):
        np.testing.assert_array_equal(depth, right)
    cameras = [message.k[0] for topic, message in found if topic == f"/{INFO_TOPIC}"]
    assert cameras == list(FOCALS)


@pytest.mark.parametrize("size", [None, (31, 17)], ids=["none", "of other images"])
def test_without_a_camera_that_fits_there_are_no_metres(size, tmp_path, models):
    bag = bag_with(tmp_path / "bag", () if size is None else FOCALS, size)
    assert replay(models, bag, tmp_path / "out", "+video") == 0
    _, lines = replay_bags.results(tmp_path / "out")
    assert [line["depth"]["median_m"] for line in lines] == [None] * COUNT
    assert (tmp_path / "out" / "overlay.mp4").exists()
