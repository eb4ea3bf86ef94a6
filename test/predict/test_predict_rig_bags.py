# SPDX-License-Identifier: Apache-2.0
"""predict --rig of a bag: which images are of one moment, and what the bag has to say."""

import json
from dataclasses import replace

import numpy as np
import pytest
from replay_bags import COMPRESSED, IMAGE, image_message
from rig_bags import SKEW_NS, START_NS, bag_of, told_by_topics, topics_of
from rig_drive import COUNT, RIG, expected_maps, map_of, moment, predict, write_place

from shared_encoder_perception.rig.rig_file import RigFile, write_rig


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder with the model and a rig.yaml."""
    return write_place(tmp_path_factory.mktemp("rig"))


@pytest.fixture(scope="module")
def maps(place):
    return expected_maps(place)


@pytest.fixture(scope="module")
def taken():
    return [moment(index) for index in range(COUNT)]


@pytest.mark.parametrize("kind", [IMAGE, COMPRESSED])
def test_the_images_of_a_bag_that_were_taken_together_are_a_moment(
    place, taken, maps, tmp_path, kind
):
    transport = {"transport": "compressed"} if kind == COMPRESSED else {}
    rig = topics_of(place, **transport)
    bag, out = bag_of(tmp_path / "bag", taken, kind=kind), tmp_path / "out"
    lines = predict(place, bag, out, rig=rig)
    assert [line["moment"] for line in lines] == ["frame_000000", "frame_000001"]
    for line, expected in zip(lines, maps, strict=True):
        np.testing.assert_array_equal(map_of(out, line), expected)
    names = (out / "cameras" / "left" / "predictions.jsonl").read_text().splitlines()
    assert [json.loads(line)["image"] for line in names] == ["frame_000000", "frame_000001"]


def test_images_that_are_further_apart_are_of_no_moment(place, taken, tmp_path):
    rig = topics_of(place)
    bag = bag_of(tmp_path / "bag", taken)
    lines = predict(place, bag, tmp_path / "out", "--max-skew-s", "0.025", rig=rig)
    assert [line["missing"] for line in lines] == [["rear"], ["rear"]]
    lines = predict(place, bag, tmp_path / "none", "--max-skew-s", "0", rig=rig)
    assert [line["missing"] for line in lines] == [["left", "rear", "right"]] * 2


def test_the_nearest_image_is_taken_and_none_twice(place, taken, tmp_path):
    rig = topics_of(place)
    # The left camera's first image is missing: its second one is 60 ms late for the first moment.
    skews = {**SKEW_NS, "left": -40_000_000}
    bag = bag_of(tmp_path / "bag", taken, skews, without={("left", 0)})
    lines = predict(place, bag, tmp_path / "out", "--max-skew-s", "0.07", rig=rig)
    assert [line["missing"] for line in lines] == [[], ["left"]]
    lines = predict(place, bag, tmp_path / "less", rig=rig)
    assert [line["missing"] for line in lines] == [["left"], []]


def test_of_a_faster_camera_the_image_nearest_in_time_counts(place, taken, tmp_path):
    rig = topics_of(place)
    image = moment(0)["left"]
    more = [
        ("/left/image", START_NS + shift + 10**6, image_message(image, START_NS + shift))
        for shift in (-45_000_000, -10_000_000, 45_000_000)
    ]
    bag = bag_of(tmp_path / "bag", taken, more=more, without={("left", 0)})
    out = tmp_path / "out"
    assert [line["missing"] for line in predict(place, bag, out, rig=rig)] == [[], []]
    names = (out / "cameras" / "left" / "predictions.jsonl").read_text().splitlines()
    assert [json.loads(line)["image"] for line in names] == ["frame_000001", "frame_000003"]


def test_a_camera_that_dies_in_a_bag_holds_nothing_up(place, tmp_path):
    rig = topics_of(place)
    taken = [moment(0)] * 4
    dead = {("right", index) for index in range(1, 4)}
    bag, out = bag_of(tmp_path / "bag", taken, without=dead), tmp_path / "out"
    lines = predict(place, bag, out, rig=rig)
    assert [line["missing"] for line in lines] == [[], ["right"], ["right"], ["right"]]


def test_calibration_and_poses_come_from_the_bag_where_the_rig_says_so(
    place, taken, maps, tmp_path
):
    rig, messages = told_by_topics(place)
    bag, out = bag_of(tmp_path / "bag", taken, more=messages), tmp_path / "out"
    for line, expected in zip(predict(place, bag, out, rig=rig), maps, strict=True):
        found = map_of(out, line)
        assert (found == expected).mean() > 0.999  # a quaternion is no matrix, to the last bit


def test_what_a_bag_lacks_is_named_with_its_camera(place, taken, tmp_path, capsys):
    rig, messages = told_by_topics(place, with_tf=False)
    no_tf = bag_of(tmp_path / "no_tf", taken, more=messages)
    predict(place, no_tf, tmp_path / "out", rig=rig, status=2)
    assert "camera front: " in (error := capsys.readouterr().err)
    assert "'front_lens'" in error
    rig, messages = told_by_topics(place)
    no_info = [one for one in messages if one[0] != "/rear/info"]
    bag = bag_of(tmp_path / "no_info", taken, more=no_info)
    predict(place, bag, tmp_path / "out", rig=rig, status=2)
    assert "camera rear has no calibration" in capsys.readouterr().err
    predict(place, bag, tmp_path / "out", status=2)
    assert "camera front has no topic" in capsys.readouterr().err
    only = [{"front": images["front"]} for images in taken]
    alone = bag_of(tmp_path / "alone", only)
    predict(place, alone, tmp_path / "out", rig=topics_of(place), status=2)
    assert "camera left: " in (error := capsys.readouterr().err)
    assert "'/left/image'" in error


def test_two_cameras_on_one_topic_are_refused(place, taken, tmp_path, capsys):
    entries = [replace(one, topic="/front/image") for one in RigFile.of(RIG).entries]
    write_rig(place / "same.yaml", RigFile(tuple(entries)))
    bag = bag_of(tmp_path / "bag", taken)
    predict(place, bag, tmp_path / "out", rig="same.yaml", status=2)
    assert "cameras front and left have one topic, '/front/image'" in capsys.readouterr().err


def test_what_comes_while_the_first_camera_is_dead_is_of_no_moment(place, tmp_path):
    rig = topics_of(place)
    # For longer than an image is kept.
    dead = {("front", index) for index in range(1, 29)}
    few = [{name: moment(0)[name] for name in ("front", "left")}] * 30
    two = RigFile(tuple(RigFile.of(RIG.only(["front", "left"])).entries))
    entries = [replace(one, topic=f"/{one.name}/image") for one in two.entries]
    write_rig(place / rig, RigFile(tuple(entries)))
    bag = bag_of(tmp_path / "bag", few, without=dead)
    lines = predict(place, bag, tmp_path / "out", rig=rig)
    assert [line["missing"] for line in lines] == [[], []]
    names = (tmp_path / "out" / "cameras" / "left" / "predictions.jsonl").read_text().splitlines()
    assert [json.loads(line)["image"] for line in names] == ["frame_000000", "frame_000029"]


def test_a_damaged_image_is_told_with_its_camera(place, taken, tmp_path, capsys):
    rig = topics_of(place)
    short = image_message(np.zeros((2, 2, 3), np.uint8), START_NS + SKEW_NS["right"])
    short.height = 5  # more than there is
    messages = [("/right/image", START_NS + SKEW_NS["right"] + 10**6, short)]
    bag = bag_of(tmp_path / "damaged", taken, more=messages, without={("right", 0)})
    first, second = predict(place, bag, tmp_path / "out", rig=rig, status=1)
    assert (first["missing"], second["missing"]) == (["right"], [])
    assert "problem: camera right: " in capsys.readouterr().err
