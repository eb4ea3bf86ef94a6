# SPDX-License-Identifier: Apache-2.0
"""replay knows the camera by the bag's CameraInfo: metres with one, nothing in metres without."""

from types import SimpleNamespace

import numpy as np
import pytest
import replay_bags
from camera_info_bags import COUNT, FOCALS, bag_with_infos, info
from replay_bags import replay
from tiny_model import random_image

pytest.importorskip("torch", reason="exports a network of random weights")

from shared_encoder_perception.backends import DEFAULT_MODEL, load_backend
from shared_encoder_perception.images.bags import open_bag, read_messages
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.replay.camera_infos import beside
from shared_encoder_perception.tasks.depth.content import DEPTH_TOPIC, INFO_TOPIC
from shared_encoder_perception.tasks.depth.depth_msg import read_depth
from shared_encoder_perception.tasks.depth.height import at_height
from shared_encoder_perception.world.synthetic import render_sample


@pytest.fixture(scope="module")
def models(one_task_model):
    return SimpleNamespace(tiny=one_task_model("depth"))


def test_metres_come_with_the_camera_info_of_their_time(tmp_path, models):
    bag, out = bag_with_infos(tmp_path / "bag", FOCALS), tmp_path / "out"
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


@pytest.mark.parametrize(
    ("size", "told"),
    [
        (
            None,
            "all depth is unknown, as the camera's focal length is: record the CameraInfo on "
            "/camera/camera_info, too, or give --focal-px F",
        ),
        (
            (31, 17),
            "its CameraInfo is for 17x31: publish the CameraInfo that belongs to the "
            "image, or give --focal-px F",
        ),
    ],
    ids=["none", "of other images"],
)
def test_without_a_camera_that_fits_there_are_no_metres(size, told, tmp_path, models, capsys):
    bag = bag_with_infos(tmp_path / "bag", () if size is None else FOCALS, size)
    assert replay(models, bag, tmp_path / "out", "+video") == 0
    _, lines = replay_bags.results(tmp_path / "out")
    assert [line["depth"]["median_m"] for line in lines] == [None] * COUNT
    assert (tmp_path / "out" / "overlay.mp4").exists()
    (problem,) = replay_bags.summary(tmp_path / "out")["problems"]
    assert problem.startswith(f"{COUNT} images: ") and problem.endswith(told)
    assert f"problem   {problem}" in capsys.readouterr().out


@pytest.mark.parametrize("focals", [(), FOCALS], ids=["no CameraInfo", "another CameraInfo"])
def test_a_focal_length_that_was_told_comes_first(focals, tmp_path, models):
    """As that of predict comes before what frames.jsonl says."""
    bag, out = bag_with_infos(tmp_path / "bag", focals), tmp_path / "out"
    assert replay(models, bag, out, "--focal-px", "250") == 0
    conditions, lines = replay_bags.results(out)
    assert conditions["focal_px"] == 250
    assert not replay_bags.summary(out)["problems"]
    predictor = Predictor(load_backend(models.tiny, "onnxruntime"))
    for index, line in enumerate(lines):
        depth = predictor(random_image(index)).answers["depth"].through(250.0).depth
        median = np.median(depth[np.isfinite(depth)])
        assert line["depth"]["median_m"] == pytest.approx(median, abs=2e-3)


def test_the_cameras_height_scales_the_metres_of_a_bag(tmp_path, capsys):
    """By the CameraInfo of the bag, or by a focal length that is told beside it."""
    world = render_sample(3, (320, 800), tasks=("depth",))
    focal, (stamp,) = world.labels["depth"].focal_px, replay_bags.stamps(1)
    messages = [
        (beside(replay_bags.TOPIC), stamp, info(stamp, focal, (320, 800))),
        (replay_bags.TOPIC, stamp + 1, replay_bags.image_message(world.image, stamp)),
    ]
    bag = replay_bags.write_bag(tmp_path / "bag", messages)
    answer = Predictor(load_backend(DEFAULT_MODEL, "onnxruntime"))(world.image).answers["depth"]
    expected = at_height(answer.through(focal), 1.3).depth
    given = SimpleNamespace(tiny=DEFAULT_MODEL)
    for name, options in {"info": (), "told": ("--focal-px", str(focal))}.items():
        out = tmp_path / name
        assert replay(given, bag, out, "--camera-height-m", "1.3", *options) == 0
        _, (line,) = replay_bags.results(out)
        median = np.median(expected[np.isfinite(expected)])
        assert line["depth"]["median_m"] == pytest.approx(median, rel=2e-3)
    assert not np.isclose(median, np.median(answer.through(focal).depth), rtol=0.02)


@pytest.mark.parametrize("option", ["--focal-px", "--camera-height-m"])
@pytest.mark.parametrize(
    ("task", "value", "reason"),
    [
        ("depth", "0", " is 0, expected more than 0"),
        ("semantic", "250", "but the model has no depth: it answers semantic"),
    ],
)
def test_a_camera_of_no_use_is_refused(
    option, task, value, reason, tmp_path, one_task_model, capsys
):
    bag = bag_with_infos(tmp_path / "bag", ())
    given = SimpleNamespace(tiny=one_task_model(task))
    assert replay(given, bag, tmp_path / "out", option, value) == 2
    assert reason in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("*.jsonl*"))
