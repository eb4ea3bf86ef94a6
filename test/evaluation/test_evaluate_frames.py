# SPDX-License-Identifier: Apache-2.0
"""The frames that are shown: the right ones, in the right order, and few however many there are."""

import csv

import cv2
import numpy as np
import pytest
from road_answers import CROP, LINE, SIZE, perceive, sample
from samples import sample_of

from shared_encoder_perception.evaluation.baseline_answers import CONSTANT, EMPTY, BaselineAnswers
from shared_encoder_perception.evaluation.evaluation import Evaluation
from shared_encoder_perception.evaluation.frame_counts import FullCounts
from shared_encoder_perception.evaluation.frame_record import FramesCsv, columns, record_of
from shared_encoder_perception.evaluation.labelled_images import LabelledImage, LabelledSet, Labels
from shared_encoder_perception.evaluation.picked_frames import WIDTH_PX, PickedFrames
from shared_encoder_perception.labels.frame import constant
from shared_encoder_perception.tasks.lanes.answer import LaneId

SLICES = {
    "light": "day",
    "curvature": "straight",
    "focal length": "unknown",
    "occlusion": "unknown",
    "source": "road",
}
TASKS = ("lanes", "drivable_surface")
COLUMNS = columns(TASKS)
BARE = sample_of(np.zeros((*SIZE, 3), np.uint8), {}, None)


def record(name, shift=0.0, labels=None, source="road"):
    said, counts = perceive(shift), FullCounts()
    counts.update(said, labels or sample(), CROP)
    return record_of(name, source, SLICES, said, counts)


def picked(shifts, kept):
    frames = PickedFrames(kept)
    for index, shift in enumerate(shifts):
        frames.update(record(f"{index}.png", shift), perceive(shift), sample(), CROP)
    return frames


def names(frames):
    return [frame.caption.split(" ")[0] for frame in frames["road"]]


def test_the_most_and_the_fewest_faults_are_kept():
    frames = picked((3.0, 100.0, 0.0, 0.0, 100.0, 3.0), kept=2)
    assert names(frames.worst()) == ["1.png", "4.png"]
    assert names(frames.best()) == ["0.png", "2.png"]
    assert [frame.faults for frame in frames.worst()["road"]] == [1.0, 1.0]


def test_among_equals_the_first_stay():
    frames = picked([100.0] * 9 + [0.0] * 9, kept=3)
    assert names(frames.worst()) == ["0.png", "1.png", "2.png"]
    assert names(frames.best()) == ["9.png", "10.png", "11.png"]


def test_a_frame_is_shown_once():
    frames = picked((0.0, 100.0), kept=2)
    assert names(frames.worst()) == ["1.png", "0.png"]
    assert frames.best()["road"] == []


def test_frames_with_nothing_to_score_are_not_shown():
    frames = PickedFrames()
    frames.update(record("bare.png", labels=BARE), perceive(), BARE, CROP)
    assert frames.worst() == frames.best() == {}


def test_a_picture_shows_answer_and_label():
    frames = PickedFrames()
    labels = sample()
    frames.update(record("a.png", 60.0), perceive(60.0), labels, CROP)
    (frame,) = frames.worst()["road"]
    assert frame.caption == "a.png · mask IoU 1.000 · ego 0.00"
    picture = cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (round(128 * WIDTH_PX / 320), WIDTH_PX, 3)
    row = picture[200].astype(int)
    assert row[360:363].min(axis=1).max() > 150  # the label, white, at x = 160 of 320
    yellow = row[490:500]  # the answer, at x = 220
    assert (yellow[:, 2] - yellow[:, 0]).max() > 80


@pytest.mark.parametrize(
    ("shift", "lanes", "words"),
    [
        (0.0, {LaneId.EGO: None}, "ego false alarm"),
        (0.0, {LaneId.LEFT_EGO: LINE}, "left missed"),
        (0.0, {LaneId.EGO: LINE}, "ego 1.00"),
    ],
)
def test_a_caption_says_what_went_wrong(shift, lanes, words):
    frames = PickedFrames()
    labels = sample_of(BARE.image, {LaneId.RIGHT_EGO: LINE, **lanes}, None)
    frames.update(record("a.png", shift, labels), perceive(shift), labels, CROP)
    assert words in frames.worst()["road"][0].caption


def test_the_table_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "frames.csv"
    with FramesCsv(path, TASKS) as table:
        table.write(record("a.png"))
        table.write(record('b, "quoted".png', labels=BARE))
        assert not path.exists()
    rows = list(csv.reader(path.open()))
    assert tuple(rows[0]) == COLUMNS
    assert all(len(row) == len(COLUMNS) for row in rows)
    first, second = (dict(zip(COLUMNS, row, strict=True)) for row in rows[1:])
    assert first["ego_accuracy"] == "1.0000" and second["ego_accuracy"] == ""
    assert second["image"] == 'b, "quoted".png' and second["ego_label"] == "unknown"


def test_a_table_that_is_not_complete_is_not_left(tmp_path):
    with pytest.raises(RuntimeError), FramesCsv(tmp_path / "frames.csv", TASKS):
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_a_baseline_that_has_learned_nothing_says_that_there_is_nothing():
    for tasks in (TASKS, TASKS[:1]):
        answers = BaselineAnswers(tasks)
        for name in (CONSTANT, EMPTY):
            said = answers.answer(name, "road", 0, SIZE).answers
            assert tuple(said) == tasks
            assert not any(line.detected for line in said["lanes"])
            assert "drivable_surface" not in said or not said["drivable_surface"].binary().any()


def test_a_baseline_is_of_its_source_and_half():
    answers = BaselineAnswers(TASKS)
    labels = {name: constant(label) for name, label in sample().labels.items()}
    answers.learn([Labels("road", 1, labels, SIZE)])
    said = answers.answer(CONSTANT, "road", 1, SIZE).answers
    assert said["lanes"][LaneId.EGO].detected and said["drivable_surface"].binary().any()
    for source, half in (("road", 0), ("town", 1)):
        other = answers.answer(CONSTANT, source, half, SIZE).answers
        assert not other["lanes"][LaneId.EGO].detected


def test_baselines_say_what_they_say():
    texts = BaselineAnswers(TASKS).texts()
    assert texts[CONSTANT] == (
        "each head's mean line and the usual drivable surface, for every image the same"
    )
    assert texts[EMPTY] == "no lane and no drivable surface"
    assert BaselineAnswers(TASKS[1:]).texts()[EMPTY] == "no drivable surface"


def test_what_is_kept_of_many_images_is_small():
    """Pictures of the few, 8 bytes for each histogram and image, whatever the number of images."""
    labels = sample()
    images = LabelledSet({}, {"road": 40}, {}, lambda: iter(()), lambda: iter(()))
    evaluation = Evaluation(images, (64, 160), TASKS)
    evaluation.learn()
    for index in range(40):
        image = LabelledImage("road", f"{index}.png", labels, CROP, 0)
        evaluation.update(image, perceive(float(index % 7)))
    shown = [*evaluation.picked.worst()["road"], *evaluation.picked.best()["road"]]
    assert len(shown) == 8
    assert all(len(values["road"]) == 40 for values in evaluation.spreads.values())
    assert evaluation.spreads["mask_iou"]["road"].itemsize == 8
