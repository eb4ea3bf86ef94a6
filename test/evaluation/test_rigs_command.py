# SPDX-License-Identifier: Apache-2.0
"""``evaluate --rigs``: scores, a line per moment, a report, equal in two runs; clear refusals."""

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest
from flat_ground import camera
from labelled_set import write_set
from report_page import Page
from rig_moments import TIMES, write_town
from specs import spec_of
from tiny_model import write_tiny_model

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.labels.rigs.native import RigSet
from shared_encoder_perception.rig.rig import Rig


def evaluate(*options):
    return main(["evaluate", *map(str, options)])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Return a model whose mask is the green channel: it knows the flat town exactly."""
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx")


@pytest.fixture(scope="module")
def scored(tmp_path_factory, tiny):
    """Return what two runs wrote about the town."""
    pytest.importorskip("matplotlib", reason="the report's charts need matplotlib")
    pytest.importorskip("jinja2", reason="the report's page needs jinja2")
    folder = tmp_path_factory.mktemp("town")
    labels = write_town(folder / "set", 3)
    outs = [folder / name for name in ("out", "again")]
    for out, path in zip(outs, (labels, labels / "rigs.jsonl"), strict=True):
        command = ("--rigs", path, "--model", tiny, "--swap", "left", "right", "--out", out)
        assert evaluate(*command) == 0
    scores = json.loads((outs[0] / "scores.json").read_text())
    moments = list(csv.DictReader((outs[0] / "moments.csv").open()))
    return SimpleNamespace(labels=labels, outs=outs, scores=scores, moments=moments)


def test_masks_that_know_the_town_score_as_they_should(scored):
    model = scored.scores["own_cells"]["model"]["surround"]
    assert model["drivable_iou"] > 0.95
    assert model["vehicle_iou"] is None
    assert model["vehicle_answered"] == 0
    assert model["drivable_iou_in_view"] is model["drivable_iou_hidden"] is None
    assert model["moments"] == 3
    assert (
        model["drivable_iou"] > scored.scores["own_cells"]["constant"]["surround"]["drivable_iou"]
    )
    assert scored.scores["own_cells"]["empty"]["surround"]["drivable_iou"] == 0
    assert not scored.scores["equal_cells"]  # the model is just that
    assert 0.5 < scored.scores["seen"] < 1


def test_swapped_tables_are_scored_beside(scored):
    kept = scored.scores["kept"]
    assert kept["surround_drivable_iou"] < 0.9
    assert kept["surround_vehicle_iou"] is None
    one, other = (
        scored.scores["tables"][who]["surround"]["drivable_iou"]
        for who in ("model", "tables swapped")
    )
    assert other / one == kept["surround_drivable_iou"]


def test_what_the_scores_depend_on_is_said(scored):
    conditions = scored.scores["conditions"]
    assert conditions["model"] == "tiny 1.2.3"
    assert conditions["data"].startswith("rigs.jsonl, sha256 ")
    assert conditions["labelled"] == "objects in 3, drivable in 3 of 3 moments"
    assert conditions["cameras"] == "4"
    assert conditions["swapped"] == "calibrations of left and right"
    assert "-15 to 35 m" in conditions["cells"]
    assert str(scored.labels) not in json.dumps(scored.scores)


def test_each_moment_has_a_line(scored):
    assert [one["moment"] for one in scored.moments] == ["000", "001", "002"]
    for one in scored.moments:
        assert one["source"] == "town"
        assert one["cameras"] == "4"
        assert one["surround_vehicle_iou"] == ""
        share = float(one["surround_drivable_iou"])
        assert share > 0.9
        assert float(one["faults"]) == pytest.approx(1 - share, abs=2e-4)
        assert float(one["swapped_surround_drivable_iou"]) < share
        assert float(one["latency_ms"]) > 0


def test_two_runs_are_equal_but_for_times(scored):
    one, other = (out / "scores.json" for out in scored.outs)
    assert one.read_bytes() == other.read_bytes()
    again = list(csv.DictReader((scored.outs[1] / "moments.csv").open()))
    for line, same in zip(scored.moments, again, strict=True):
        assert {k: v for k, v in line.items() if k not in TIMES} == {
            k: v for k, v in same.items() if k not in TIMES
        }


def test_the_report_is_one_file_with_everything_in_it(scored):
    page = Page(scored.outs[0] / "report.html")
    assert page.external() == []
    assert "://" not in page.source
    for text in (
        *("Evaluation of tiny 1.2.3 on rigs", "At a glance", "By distance", "Swapped tables"),
        *("The model does not answer: vehicle", "Confidence", "Slices", "Latency", "20-35 m"),
        *("Worst moments", "drivable IoU near", "the mean map", "By cameras"),
    ):
        assert text in page.text
    assert "Against masks" not in page.text
    assert str(scored.labels.parent) not in page.text
    pictures = page.pictures()
    assert all(picture.std() > 5 for picture in pictures)
    moments = [picture for picture in pictures if picture.shape[1] == 1360]
    assert len(moments) == 3
    assert sum(" · 4 cameras · drivable IoU 0.9" in one for one in page.captions) == 3


def test_a_camera_that_gave_nothing_is_named(tmp_path, tiny):
    labels = write_town(tmp_path / "set", 2)
    lines = [json.loads(line) for line in (labels / "rigs.jsonl").read_text().splitlines()]
    del lines[1]["cameras"]["left"]["image"]
    (labels / "rigs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    out = tmp_path / "out"
    assert evaluate("--rigs", labels, "--model", tiny, "--swap", "--out", out) == 0
    whole, less = csv.DictReader((out / "moments.csv").open())
    assert (whole["cameras"], whole["missing"]) == ("4", "")
    assert (less["cameras"], less["missing"]) == ("3", "left")
    assert float(less["seen"]) < float(whole["seen"])
    assert "no picture of left" in (out / "report.html").read_text()
    scores = json.loads((out / "scores.json").read_text())
    assert set(scores["cameras"]) == {"3", "4"}


def test_rendered_moments_are_scored_by_the_shipped_model(tmp_path, capsys):
    outs = [tmp_path / name for name in ("one", "two")]
    for out in outs:
        command = ("--synthetic-rigs", "2", "--rig", "four", "--traffic", "1", "--out", out)
        assert evaluate(*command, "--no-report") == 0
    text = capsys.readouterr().out
    assert "the model does not answer: vehicle" in text
    one, other = (out / "scores.json" for out in outs)
    assert one.read_bytes() == other.read_bytes()
    scores = json.loads(one.read_text())
    assert scores["conditions"]["data"].startswith("2 rendered moments of four rigs, seeds from ")
    assert scores["conditions"]["data"].endswith("somebody near by in 100%")
    model = scores["own_cells"]["model"]["surround"]
    assert model["drivable_iou"] > 0.3
    # Masks smear what stands there over what it hides.
    assert model["drivable_iou_in_view"] > model["drivable_iou"] > model["drivable_iou_hidden"]
    assert 0 < model["drivable_hidden_share"] < 1
    assert "plain view in 2 of 2 moments" in scores["conditions"]["labelled"]
    assert sorted(path.name for path in outs[0].iterdir()) == ["moments.csv", "scores.json"]


def faulty(folder, fault):
    """Return a set that cannot be scored."""
    unlabelled = {"objects": None, "drivable": lambda: None}
    changes = {"no labels": unlabelled, "objects only": {"drivable": lambda: None}}
    sky = Rig((camera("sky", 0.0, pitch_deg=-60.0),)) if fault == "sky" else None
    labels = write_town(folder, 2, sky, **changes.get(fault, {}))
    file = labels / "rigs.jsonl"
    first, second = file.read_text().splitlines()
    if fault == "no moments":
        file.write_text("")
    elif fault == "no picture":
        RigSet(labels)[1].pictures["left"].unlink()
    elif fault == "broken picture":
        RigSet(labels)[1].pictures["left"].write_bytes(b"no picture")
    elif fault == "other picture":
        record = RigSet(labels)[1]
        record.pictures["left"].write_bytes(record.pictures["rear"].read_bytes())
    elif fault == "bad line":
        file.write_text(f'{first}\n{{"cameras": 3}}\n')
    elif fault == "blind":
        line = json.loads(second)
        for one in line["cameras"].values():
            del one["image"]
        file.write_text(f"{first}\n{json.dumps(line)}\n")
    elif fault == "no set":
        file.unlink()
    elif fault == "mirrored":
        line = json.loads(second)
        matrix = np.array(line["cameras"]["left"]["vehicle_from_optical"])
        matrix[:3, 0] *= -1
        line["cameras"]["left"]["vehicle_from_optical"] = matrix.tolist()
        file.write_text(f"{first}\n{json.dumps(line)}\n")
    return labels


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("no labels", "has 2 moments and no label to score against: objects or drivable"),
        ("objects only", "the set labels objects, the model answers drivable"),
        ("no moments", "rigs.jsonl has no moments to score against"),
        ("no picture", "line 2: camera left: there is no picture "),
        ("broken picture", "line 2: camera left: cannot read the picture"),
        ("other picture", "line 2: camera left: "),
        ("bad line", "line 2: cameras is 3, expected an object"),
        ("blind", "line 2: no camera (front, left, rear, right) has a picture"),
        ("mirrored", "line 2: camera left: vehicle_from_optical is mirrored"),
        ("no set", "No such file or directory"),
        ("sky", "no camera of the rig (sky) sees any of the ground"),
    ],
)
def test_what_cannot_be_scored_is_said_in_one_line(tiny, tmp_path, capsys, fault, message):
    labels, out = faulty(tmp_path / "set", fault), tmp_path / "out"
    assert evaluate("--rigs", labels, "--model", tiny, "--out", out, "--no-report") == 2
    (line,) = [one for one in capsys.readouterr().err.splitlines() if one.startswith("error")]
    assert message in line
    assert not (out / "scores.json").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--swap", "left"), "--swap names 1 cameras, expected two, or none"),
        (("--swap", "left", "left"), "--swap names the camera left twice"),
        (("--swap", "left", "roof"), "no rig of the set has a camera 'roof', they have front"),
        (("--swap", "front", "rear"), "line 1: --swap: pictures of camera front are 800x320"),
        (("--worst", "worst.jpg"), "--worst is for single pictures: the report shows"),
        (("--reliability", "a.png"), "--reliability is for single pictures"),
        (("--sweep",), "--sweep is for single pictures"),
        (("--traffic", "0.5"), "--traffic and --rig are for --synthetic-rigs"),
        (("--rig", "four"), "--traffic and --rig are for --synthetic-rigs"),
        (("--out", "scores.json"), "--out is a folder, not a file"),
    ],
)
def test_options_that_make_no_sense_are_refused(scored, tiny, capsys, options, message):
    assert evaluate("--rigs", scored.labels, "--model", tiny, *options) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--synthetic-rigs", "0"), "--synthetic-rigs is 0, expected 1 or more"),
        (("--synthetic-rigs", "1", "--traffic", "2"), "--traffic is 2, expected 0 to 1"),
        (("--synthetic-rigs", "1", "--rig", "nine"), "expected random or four, or a rig.yaml"),
        (("--synthetic", "1", "--swap"), "--swap is for --rigs and --synthetic-rigs"),
        (("--synthetic", "1", "--rig", "four"), "--rig is for --rigs and --synthetic-rigs"),
    ],
)
def test_rendered_rigs_are_checked_before_the_work(tiny, capsys, options, message):
    assert evaluate("--model", tiny, *options) == 2
    assert message in capsys.readouterr().err


def test_a_set_of_the_other_kind_is_refused_with_what_to_do(scored, tiny, tmp_path, capsys):
    assert evaluate("--labels", scored.labels, "--model", tiny) == 2
    assert "is a set of rigs: score it with --rigs" in capsys.readouterr().err
    frames = write_set(tmp_path / "frames", 1) / "frames.jsonl"
    assert evaluate("--rigs", frames, "--model", tiny) == 2
    assert "pictures of single cameras are scored by --labels" in capsys.readouterr().err


def test_a_model_that_says_nothing_of_the_ground_is_refused(scored, tmp_path, capsys):
    path = write_tiny_model(tmp_path / "half.onnx", spec_of("half", "1", tasks=("lanes",)))
    assert evaluate("--rigs", scored.labels, "--model", path) == 2
    assert "none of that says anything of the ground" in capsys.readouterr().err
