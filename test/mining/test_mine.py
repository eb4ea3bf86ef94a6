# SPDX-License-Identifier: Apache-2.0
"""``mine``: from a drive to a data set of the frames worth labelling."""

from __future__ import annotations

import csv
import json

import cv2
import numpy as np
import pytest
import replay_bags
from labelled_set import write_set
from specs import spec_of
from tiny_model import SPEC, random_image, write_tiny_model

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.drawing.pictures import write_picture
from shared_encoder_perception.labels import native
from shared_encoder_perception.mining.choose import choose, usual_distance
from shared_encoder_perception.mining.reasons import Candidate, disagreement, rarity, reason_names
from shared_encoder_perception.tasks import DEFAULT

REASONS = reason_names(DEFAULT)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A model, and one that says something else."""
    folder = tmp_path_factory.mktemp("models")
    write_tiny_model(folder / "tiny.onnx")
    write_tiny_model(folder / "other.onnx", SPEC.__class__("other", "2"), aside=8.0)
    return folder


def mine(source, out, models, *options, expect=0):
    """Run the command; return the set's frames and the lines of ``mined.csv``."""
    engine = ["--model", str(models / "tiny.onnx"), "--backend", "onnxruntime", "--threads", "1"]
    assert main(["mine", str(source), "--out", str(out), *engine, *map(str, options)]) == expect
    with (out / "mined.csv").open(newline="") as lines:
        table = list(csv.DictReader(lines))
    return list(native.read(out)), table


def candidate(index, look=None, **scores):
    """A frame with these numbers and nothing else."""
    full = dict.fromkeys(REASONS, 0.0) | scores
    place = np.full(4, index, np.float32) if look is None else np.full(4, look, np.float32)
    return Candidate(index, str(index), None, full, dict.fromkeys(REASONS, ""), {}, place)


def taken(*arguments, **options):
    return [(one.candidate.index, one.reason) for one in choose(*arguments, **options)]


def test_the_reasons_take_turns():
    frames = [candidate(i, unsure_lane=i / 10, rare=1 - i / 10) for i in range(10)]
    order = taken(frames, ("unsure_lane", "rare"), 4)
    assert [reason for _, reason in order] == ["unsure_lane", "rare"] * 2
    assert [index for index, _ in order][:2] == [9, 0]


def test_what_looks_like_a_frame_already_taken_is_passed_over():
    seen = ((0, 0.9), (0, 0.89), (1, 0.5))
    frames = [candidate(i, look, rare=score) for i, (look, score) in enumerate(seen)]
    assert taken(frames, ("rare",), 3) == [(0, "rare"), (2, "rare")]  # the second one never


def test_a_gap_in_the_drive():
    frames = [candidate(i, rare=1 + i / 100) for i in range(30)]
    indices = [index for index, _ in taken(frames, ("rare",), 30, gap=9)]
    assert min(abs(a - b) for a in indices for b in indices if a != b) > 9
    assert len(indices) >= 2


def test_a_reason_that_has_nothing_to_say_leaves_its_turns_to_others():
    frames = [candidate(i, changed=1.0) for i in range(5)]
    assert [reason for _, reason in taken(frames, REASONS, 3)] == ["changed"] * 3
    assert taken([candidate(0)], REASONS, 3) == [] and choose([], REASONS, 3) == []


def test_frames_that_all_look_the_same_are_one():
    frames = [candidate(i, 0.5, rare=1.0) for i in range(10)]
    assert len(choose(frames, ("rare",), 10)) == 1
    assert usual_distance(np.full((3, 4), 0.5, np.float32)) == 1.0


def test_the_reasons_of_all_tasks_take_turns_before_those_of_none():
    assert REASONS == ["unsure_lane", "unsure_mask", "models_disagree", "changed", "rare"]
    assert reason_names(["lanes"]) == [name for name in REASONS if name != "unsure_mask"]


def test_rare_is_what_few_frames_have():
    often, seldom, once = ("ego",), ("ego", "left_ego"), ()
    scores = [score for score, _ in rarity([often] * 96 + [seldom] * 3 + [once], "no lane")]
    assert scores[0] == 0 and 0 < scores[96] < scores[99] == pytest.approx(1)
    assert rarity([once], "no lane")[0] == (0.0, "") and rarity([], "") == []
    assert (
        rarity([often] * 96 + [seldom] * 3 + [once], "no lane")[99][1]
        == "no lane in 1.0% of the frames"
    )


def test_the_largest_part_is_named():
    assert disagreement({"ego": 0.25, "mask": 0.5}) == (0.75, "mask by 0.50")
    assert disagreement({}) == (0.0, "")


def test_a_bag_becomes_a_set_that_is_valid(tmp_path, models, capsys):
    bag = replay_bags.write_bag(tmp_path / "drive", replay_bags.drive(30))
    out = tmp_path / "mined"
    frames, table = mine(bag, out, models, "--count", 6, "--gap", 2)
    assert len(frames) == 6 and len(table) == 30
    assert main(["dataset", "validate", str(out)]) == 0
    assert "6 frames, 0 faulty" in capsys.readouterr().out
    for frame in frames:
        index = int(frame.name.split("_")[-1].removesuffix(".jpg"))
        row = table[index]
        assert frame.attributes["mined_for"] == row["taken_for"] and row["turn"]
        assert int(frame.attributes["stamp_ns"]) == replay_bags.stamps(30)[index]
        assert frame.attributes["mined_because"]
        sample = frame.load()
        kept, true = (
            cv2.resize(each, (20, 8), interpolation=cv2.INTER_AREA).astype(int)
            for each in (sample.image, random_image(index))
        )
        assert np.abs(kept - true).max() < 8  # a JPEG of noise is right on average
        assert set(frame.pseudo) == set(sample.labels) == set(DEFAULT)
        assert sample.labels["lanes"].lines and sample.labels["lanes"].confidence
    assert sum(bool(row["taken_for"]) for row in table) == 6
    assert (out / "sheet.jpg").stat().st_size > 10_000


def test_two_runs_take_the_same_frames(tmp_path, models):
    bag = replay_bags.write_bag(tmp_path / "drive", replay_bags.drive(12))
    for run in ("one", "two"):
        mine(bag, tmp_path / run, models, "--count", 4, "--gap", 0)
    for name in ("mined.csv", "frames.jsonl"):
        one, two = ((tmp_path / run / name).read_bytes() for run in ("one", "two"))
        assert one == two


def test_a_second_model_shows_where_they_disagree(tmp_path, models):
    folder = tmp_path / "images"
    for index in range(6):
        write_picture(folder / f"{index}.png", random_image(index))
    options = ("--other", models / "other.onnx", "--reasons", "models_disagree", "--count", 3)
    frames, table = mine(folder, tmp_path / "out", models, *options)
    assert all(frame.attributes["mined_for"] == "models_disagree" for frame in frames)
    assert all(float(row["models_disagree"]) > 1 for row in table)
    options = ("--other", models / "tiny.onnx", "--count", 2)
    _, table = mine(folder, tmp_path / "same", models, *options)
    assert all(float(row["models_disagree"]) == 0 for row in table)
    assert all(float(row["changed"]) == 0 for row in table)  # a folder is no drive


def test_a_model_without_a_task_has_no_reason_of_it(tmp_path, models):
    write_picture(tmp_path / "images" / "0.png", random_image(0))
    spec = spec_of("half", "1", tasks=("lanes",))
    write_tiny_model(tmp_path / "tiny.onnx", spec, sureness=0.5)
    _, table = mine(tmp_path / "images", tmp_path / "out", tmp_path, "--count", 1)
    assert list(table[0]) == [
        *("frame", "stamp_ns", "lanes", "unsure_lane", "models_disagree", "changed", "rare"),
        *("taken_for", "turn"),
    ]


def test_labels_of_people_stay(tmp_path, models, capsys):
    labelled = write_set(tmp_path / "set", 4)
    lines = [json.loads(line) for line in (labelled / "frames.jsonl").read_text().splitlines()]
    for line in lines[:2]:
        del line["mask"]  # lanes by people only: the mask is still to be labelled
    (labelled / "frames.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    frames, table = mine(labelled, tmp_path / "out", models, "--gap", 0, "--count", 4)
    assert len(table) == 2 and "2 labelled by people already" in capsys.readouterr().out
    before = {frame.name: frame for frame in native.read(labelled)}
    for frame in frames:
        assert frame.pseudo == ("drivable_surface",)
        lines = frame.labels["lanes"]().lines
        for lane, points in before[frame.name].labels["lanes"]().lines.items():
            kept = lines[lane]
            assert (points is None and kept is None) or np.allclose(points, kept, atol=0.01)


def test_a_damaged_image_is_told_and_the_rest_is_mined(tmp_path, models, capsys):
    messages = replay_bags.drive(8)
    topic, at_ns, _ = messages[3]
    broken = replay_bags.image_message(random_image(3), replay_bags.stamps(8)[3], encoding="odd")
    messages[3] = (topic, at_ns, broken)
    bag = replay_bags.write_bag(tmp_path / "drive", messages)
    _, table = mine(bag, tmp_path / "out", models, "--gap", 0, expect=1)
    assert len(table) == 7
    assert "1 image encoding 'odd' is not supported" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--count", "0"], "--count is 0, expected at least 1"),
        (["--gap", "-1"], "--gap is -1, expected at least 0"),
        (["--limit", "0"], "--limit is 0, expected at least 1"),
        (["--reasons", "luck"], "unknown reason 'luck': use some of unsure_lane"),
        (["--reasons", "models_disagree"], "needs a second model: --other MODEL"),
        (["--reasons", "changed"], "images have no order"),
        (["--topic", "/image"], "--topic is for bags"),
        (["--other", "gone.onnx"], "gone.onnx"),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path, models, capsys, options, reason):
    write_picture(tmp_path / "images" / "0.png", random_image(0))
    command = ["mine", str(tmp_path / "images"), "--out", str(tmp_path / "out")]
    assert main([*command, "--model", str(models / "tiny.onnx"), *options]) == 2
    error = capsys.readouterr().err
    assert reason in error and len(error.strip().splitlines()) == 1


def test_an_earlier_set_is_not_replaced(tmp_path, models, capsys):
    write_picture(tmp_path / "images" / "0.png", random_image(0))
    labelled = write_set(tmp_path / "set", 1)
    command = ["mine", str(tmp_path / "images"), "--model", str(models / "tiny.onnx")]
    assert main([*command, "--out", str(labelled)]) == 2
    assert "exists already" in capsys.readouterr().err
