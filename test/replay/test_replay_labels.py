# SPDX-License-Identifier: Apache-2.0
"""Labels for replay: of a file by stamp or number, or of the bag's own topics."""

import json

import cv2
import numpy as np
import pytest
import replay_bags
from replay_bags import (
    IMAGE,
    START_NS,
    STEP_NS,
    TOPIC,
    arrival_ns,
    drive,
    lane_message,
    replay,
    stamps,
)
from samples import sample_of
from tiny_model import random_image, write_models

from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.evaluation.scorer import Scorer
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.replay.messages import new_message
from shared_encoder_perception.replay.reading import LABEL_WINDOW
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES, LaneId
from shared_encoder_perception.tasks.lanes.content import ARRAY

COUNT = 6


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def predictor(models):
    return Predictor(load_backend(str(models.tiny), "onnxruntime"))


def shifted(predictor, index, pixels):
    """Return the answer on an image as labels, moved sideways: ego and both neighbours known."""
    lanes = {
        line.lane_id: line.points_px + (pixels, 0)
        for line in predictor(random_image(index)).answers["lanes"].lines[:2]
    }
    return {**lanes, LaneId.RIGHT_EGO: None}


def write_labels(folder, predictor, name, mask=True, pixels=0.0, attributes=None):
    """Write a native set that names its pictures by ``name(index)``."""
    (folder / "masks").mkdir(parents=True)
    lines = []
    for index in range(COUNT):
        lanes = {
            lane.label: None if points is None else np.round(points.astype(float), 2).tolist()
            for lane, points in shifted(predictor, index, pixels).items()
        }
        record = {"image": name(index), "size": [320, 800], "lanes": lanes}
        if mask:
            cv2.imwrite(str(folder / f"masks/{index}.png"), np.full((320, 800), 255, np.uint8))
            record["mask"] = f"masks/{index}.png"
        if attributes:
            record["attributes"] = attributes(index)
        lines.append(json.dumps(record))
    (folder / "frames.jsonl").write_text("\n".join(lines) + "\n")
    return folder / "frames.jsonl"


NAMES = {
    "stamp": (lambda index: f"images/{stamps(COUNT)[index]}.jpg", None),
    "number": (lambda index: f"images/frame_{index:06d}.png", None),
    "attribute": (
        lambda index: f"images/x{index}.png",
        lambda index: {"stamp_ns": str(stamps(COUNT)[index])},
    ),
}


@pytest.mark.parametrize("kind", NAMES)
def test_a_label_file_scores_as_evaluation_does(tmp_path, models, predictor, kind):
    name, attributes = NAMES[kind]
    labels = write_labels(tmp_path / "set", predictor, name, pixels=2.0, attributes=attributes)
    bag = replay_bags.write_bag(tmp_path / "bag", drive(COUNT))
    assert replay(models, bag, tmp_path / "out", "--labels", labels) == 0
    scorer = Scorer(predictor.spec.input_size)
    for index in range(COUNT):
        image = random_image(index)
        truth = {
            lane: None if points is None else np.round(points.astype(float), 2).astype(np.float32)
            for lane, points in shifted(predictor, index, 2.0).items()
        }
        sample = sample_of(image, truth, np.full((320, 800), 255, np.uint8))
        scorer.update("bag", predictor(image), sample)
    told = replay_bags.summary(tmp_path / "out")
    assert told["labelled"] == COUNT
    assert told["scores"] == json.loads(
        json.dumps(scorer.compute()).replace("NaN", "null").replace("Infinity", "null")
    )
    conditions, lines = replay_bags.results(tmp_path / "out")
    assert conditions["labels"].startswith("sha256 ")
    assert lines[0]["scores"]["lanes"]["ego"] == {"label": "present", "accuracy": 1.0}
    assert lines[0]["scores"]["lanes"]["right_ego"] == {"label": "absent", "false_alarm": True}
    assert "left_split_ego" not in lines[0]["scores"]["lanes"]
    assert 0 < lines[-1]["scores"]["mask_iou"] < 1
    assert told["temporal"]["ego/latency_frames"] == 0


def lane_messages(predictor, index, lanes):
    return [lane_message(predictor, index, lane) for lane in LaneId if lane.label in lanes]


@pytest.mark.parametrize("form", ["array", "lines"])
@pytest.mark.parametrize("late", [-2, 0, LABEL_WINDOW - 1])
def test_labels_of_the_bags_topics_find_their_image(tmp_path, models, predictor, form, late):
    """``late``: how many images later, or earlier, a label is recorded."""
    messages = drive(COUNT)
    for index in range(COUNT - 1):
        at_ns = arrival_ns(index) + late * STEP_NS + 1
        lanes = lane_messages(predictor, index, LANE_NAMES[:3])
        if form == "array":
            array = new_message(ARRAY)
            array.header, array.lanes = lanes[0].header, lanes
            messages.append(("/truth", at_ns, array))
        else:
            names = zip(LANE_NAMES, lanes, strict=False)
            messages += [(f"/truth/{name}", at_ns, lane) for name, lane in names]
    messages.sort(key=lambda one: one[1])
    bag = replay_bags.write_bag(tmp_path / "bag", messages)
    assert replay(models, bag, tmp_path / "out", "--labels", "/truth") == 0
    told = replay_bags.summary(tmp_path / "out")
    assert told["labelled"] == COUNT - 1
    assert told["headline"]["lane_f1"] == 1
    _, lines = replay_bags.results(tmp_path / "out")
    assert ["scores" in line for line in lines] == [True] * (COUNT - 1) + [False]
    assert set(lines[0]["scores"]["lanes"]) == set(LANE_NAMES[:3])


def test_the_nodes_own_answers_in_a_bag_are_not_taken_for_truth(tmp_path, models, predictor):
    lane = lane_messages(predictor, 0, ["ego"])[0]
    messages = [*drive(1), ("/lane_lines/ego", arrival_ns(0), lane)]
    bag = replay_bags.write_bag(tmp_path / "bag", messages)
    assert replay(models, bag, tmp_path / "out") == 0
    assert replay_bags.summary(tmp_path / "out")["labelled"] == 0


def test_labels_stop_with_the_images(tmp_path, models, predictor):
    messages = drive(60)
    for index in range(60):
        lane = lane_messages(predictor, index, ["ego"])[0]
        messages.append(("/truth/ego", arrival_ns(index) + 5 * STEP_NS, lane))
    messages.sort(key=lambda one: one[1])
    bag = replay_bags.write_bag(tmp_path / "bag", messages)
    assert replay(models, bag, tmp_path / "out", "--labels", "/truth", "--limit", 6) == 0
    told = replay_bags.summary(tmp_path / "out")
    assert (told["frames"], told["labelled"]) == (6, 6)


def test_a_label_that_cannot_be_used_costs_its_own_score_only(tmp_path, models, predictor):
    good, bad = lane_messages(predictor, 0, ["ego"])[0], lane_messages(predictor, 1, ["ego"])[0]
    bad.image_x = bad.image_x[:-1]
    messages = drive(2)
    messages += [("/truth/ego", arrival_ns(i), lane) for i, lane in enumerate((good, bad))]
    bag = replay_bags.write_bag(tmp_path / "bag", messages)
    assert replay(models, bag, tmp_path / "out", "--labels", "/truth") == 1
    told = replay_bags.summary(tmp_path / "out")
    assert (told["perceived"], told["labelled"]) == (2, 1)
    assert "label on /truth/ego" in told["problems"][0]


@pytest.mark.parametrize(
    ("name", "size", "reason"),
    [
        (lambda index: f"images/{index}.png", (320, 800), "names no image of a bag"),
        (lambda index: f"images/a{index}/frame_000001.png", (320, 800), "is of the same image"),
        (lambda index: f"images/frame_{index}.png", (160, 400), "the image in the bag is 400x160"),
    ],
)
def test_labels_that_do_not_fit_are_refused(
    tmp_path, models, predictor, capsys, name, size, reason
):
    labels = write_labels(tmp_path / "set", predictor, name, mask=False)
    images = [(TOPIC, START_NS, replay_bags.image_message(random_image(0, size), START_NS, IMAGE))]
    bag = replay_bags.write_bag(tmp_path / "bag", images)
    assert replay(models, bag, tmp_path / "out", "--labels", labels) == 2
    assert reason in capsys.readouterr().err


def test_a_topic_without_labels_is_refused(tmp_path, models, capsys):
    bag = replay_bags.write_bag(tmp_path / "bag", drive(1))
    assert replay(models, bag, tmp_path / "out", "--labels", "/truth") == 2
    assert (
        "no LaneLine or LaneLineArray messages on '/truth' or below it" in capsys.readouterr().err
    )
