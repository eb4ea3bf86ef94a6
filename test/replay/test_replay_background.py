# SPDX-License-Identifier: Apache-2.0
"""replay compares images with the newest background of the bag, or with that of a file."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import replay_bags
from pair_model import noise, write_pair_model
from replay_bags import COMPRESSED, IMAGE, TOPIC, arrival_ns, replay, stamps
from tiny_model import write_tiny_model

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.images.bags import BagError, open_bag, read_messages
from shared_encoder_perception.images.own_topics import is_ours
from shared_encoder_perception.images.sources import open_source
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.replay import run
from shared_encoder_perception.tasks.foreground.content import MASK_TOPIC

COUNT = 8
BESIDE = "/camera/background"
UNKNOWN = np.full((64, 160), 127, np.uint8)


@pytest.fixture
def models(tmp_path):
    return SimpleNamespace(tiny=write_pair_model(tmp_path / "pair.onnx"))


def picture(at, seed, kind=IMAGE, **fields):
    """A background that is recorded just before the image of that number."""
    message = replay_bags.image_message(noise(seed), stamps(COUNT)[at] - 10**9, kind, **fields)
    return arrival_ns(at) - 1_000_000, message


def bag_with(path, *pictures, topic=BESIDE):
    messages = [
        (TOPIC, arrival_ns(index), replay_bags.image_message(noise(index), stamp))
        for index, stamp in enumerate(stamps(COUNT))
    ]
    messages += [(topic, at_ns, message) for at_ns, message in pictures]
    return replay_bags.write_bag(path, sorted(messages, key=lambda one: one[1]))


def masks_of(bag):
    with open_bag(bag) as reader:
        messages = [m for c, _, m in read_messages(reader, bag) if c.topic == f"/{MASK_TOPIC}"]
    return [message.data.reshape(message.height, message.step) for message in messages]


def expected(models, seeds):
    """What the predictor says of each image and the background of that seed; 127 without."""
    predictor = Predictor(load_backend(models.tiny, "onnxruntime"))
    return [
        UNKNOWN
        if seed is None
        else predictor(noise(index), companions={"background": noise(seed)})
        .answers["foreground"]
        .values()
        for index, seed in enumerate(seeds)
    ]


@pytest.mark.parametrize(
    ("kind", "topic"),
    [(IMAGE, BESIDE), (COMPRESSED, f"{BESIDE}/compressed"), (IMAGE, "/background")],
)
def test_the_newest_background_counts_and_before_the_first_nothing_is_known(
    kind, topic, tmp_path, models, capsys
):
    bag = bag_with(tmp_path / "bag", picture(2, 50, kind), picture(5, 51, kind), topic=topic)
    assert replay(models, bag, tmp_path / "out", "+bag", "+video", "+report") == 0
    seeds = [None, None, 50, 50, 50, 51, 51, 51]
    np.testing.assert_array_equal(masks_of(tmp_path / "out" / "bag"), expected(models, seeds))
    conditions, lines = replay_bags.results(tmp_path / "out")
    assert conditions["companions"] == {"background": topic}
    known = [line["foreground"]["area"] is not None for line in lines]
    assert known == [seed is not None for seed in seeds]
    said = capsys.readouterr().err
    assert (
        f"warning: 2 images were compared with nothing: the bag has no background on {topic}"
        in said
    )


def test_a_file_is_for_all_images_and_wins(tmp_path, models):
    file = tmp_path / "empty.png"
    cv2.imwrite(str(file), noise(60))
    bag = bag_with(tmp_path / "bag", picture(2, 50))
    assert replay(models, bag, tmp_path / "out", "+bag", "--background", file) == 0
    np.testing.assert_array_equal(
        masks_of(tmp_path / "out" / "bag"), expected(models, [60] * COUNT)
    )
    conditions, _ = replay_bags.results(tmp_path / "out")
    assert conditions["companions"]["background"].startswith("sha256 ")


def test_a_background_of_no_use_is_told_and_the_next_one_works(tmp_path, models, capsys):
    other = picture(2, 52)[1]
    other.header.frame_id = "rear"
    small = replay_bags.image_message(noise(1, (32, 80)), stamps(COUNT)[0])
    bag = bag_with(
        tmp_path / "bag",
        (arrival_ns(0) - 1, small),
        (arrival_ns(2) - 1, other),
        picture(4, 50, encoding="32FC1"),
        picture(6, 51),
    )
    assert replay(models, bag, tmp_path / "out", "+bag") == 0
    seeds = [None] * 6 + [51] * 2
    np.testing.assert_array_equal(masks_of(tmp_path / "out" / "bag"), expected(models, seeds))
    said = capsys.readouterr().err
    for words in ("is 80x32, the image 160x64", "by the camera 'rear'", "'32FC1' is not supported"):
        assert f"warning: 2 images were compared with nothing: the background from {BESIDE}" in said
        assert words in said and "give --background FILE" in said


@pytest.mark.parametrize("given", [True, False], ids=["file", "none"])
def test_a_replay_in_which_nothing_was_compared_ends_with_1_and_says_so(
    given, tmp_path, models, capsys
):
    file = tmp_path / "small.png"
    cv2.imwrite(str(file), noise(60, (32, 80)))
    bag, out = bag_with(tmp_path / "bag"), tmp_path / "out"
    options = ("--background", file) if given else ()
    assert replay(models, bag, out, *options) == 1
    said = capsys.readouterr()
    assert "no image could be compared with anything" in said.out
    last = said.err.splitlines()[-1]
    assert last.startswith("warning: 8 images were compared with nothing")
    better = "give --background a picture by the same camera, of its size"
    cure = better if given else "give --background FILE"
    assert last.endswith(cure)
    assert replay(models, bag, out, *options, "--resume") == 1


def test_a_resumed_replay_knows_the_background_from_before(tmp_path, models, monkeypatch):
    bag, whole, torn = bag_with(tmp_path / "bag", picture(1, 50)), tmp_path / "a", tmp_path / "b"
    assert replay(models, bag, whole) == 0
    options = ("--checkpoint-every", 3)
    look = run.Drive.look

    def killed(self, frame):
        if frame.index == 5:
            raise KeyboardInterrupt
        return look(self, frame)

    monkeypatch.setattr(run.Drive, "look", killed)
    with pytest.raises(KeyboardInterrupt):
        run.run(run_arguments(models, bag, torn, *options))
    monkeypatch.setattr(run.Drive, "look", look)
    assert replay(models, bag, torn, *options, "--resume") == 0
    one, other = ((out / "results.jsonl").read_bytes() for out in (whole, torn))
    assert one == other
    assert [
        folder.joinpath("summary.json").read_text().count("compared") for folder in (whole, torn)
    ] == [0, 0]


def run_arguments(models, bag, out, *options):
    import argparse

    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    return parser.parse_args(replay_bags.arguments(models, bag, out, *options)[1:])


def test_a_model_that_compares_nothing_takes_no_background(tmp_path, capsys):
    models = SimpleNamespace(tiny=write_tiny_model(tmp_path / "tiny.onnx"))
    bag = bag_with(tmp_path / "bag", picture(1, 50))
    assert replay(models, bag, tmp_path / "out", "--background", "a.png") == 2
    assert "compares images with nothing" in capsys.readouterr().err
    assert replay(models, bag, tmp_path / "out") == 0
    assert "companions" not in replay_bags.results(tmp_path / "out")[0]


def test_a_background_is_no_camera(tmp_path):
    assert is_ours("/gate/background") and is_ours("/background/compressed")
    assert not is_ours("/background/image") and not is_ours("/camera/my_background")
    assert len(open_source(bag_with(tmp_path / "bag", picture(1, 50)))) == COUNT
    messages = [(TOPIC, *picture(1, 50)), ("/other/image", *picture(2, 51))]
    with pytest.raises(BagError, match="images on 2 topics"):
        open_source(replay_bags.write_bag(tmp_path / "two", messages))


def test_live_answers_are_those_of_the_offline_replay(tmp_path, models, capsys):
    pytest.importorskip("rclpy", reason="ROS 2 is not installed: make setup")
    pytest.importorskip("shared_encoder_perception.msg", reason="the messages are not built")
    import json

    bag = bag_with(tmp_path / "bag", picture(2, 50), picture(5, 51))
    file = tmp_path / "empty.png"
    cv2.imwrite(str(file), noise(60))
    for name, options in (("topic", ()), ("file", ("--background", file))):
        out = tmp_path / name
        assert replay(models, bag, out, "--live", *options) == 0, capsys.readouterr().err
        summary = json.loads((out / "live" / "summary.json").read_text())
        assert summary["perceived"] == summary["equal"] == COUNT


def test_other_commands_say_that_they_cannot(tmp_path, models, capsys):
    bag = bag_with(tmp_path / "bag")
    images = tmp_path / "images"
    images.mkdir()
    cv2.imwrite(str(images / "a.png"), noise(0))
    commands = [
        ["mine", str(bag), "--out", str(tmp_path / "mined"), "--count", "2"],
        ["dataset", "label", str(images), "--out", str(tmp_path / "labelled")],
    ]
    for command in commands:
        assert main([*command, "--model", str(models.tiny)]) == 2
        said = capsys.readouterr().err
        assert "compares each image with a picture 'background'" in said
