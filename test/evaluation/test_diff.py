# SPDX-License-Identifier: Apache-2.0
"""Version B against version A: a model against itself, and against a worse one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from labelled_set import write_set
from report_page import Page
from specs import spec_of
from test_report import rendered
from tiny_model import SPEC, random_image, write_tiny_model

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.drawing.pictures import write_picture
from shared_encoder_perception.evaluation.diff.limits import LABELLED, UNLABELLED, default_limits
from shared_encoder_perception.evaluation.diff.metrics import scores_of
from shared_encoder_perception.tasks import DEFAULT, ROOMS

ROOT = Path(__file__).resolve().parents[2]
FRAMES = 12


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Two models, A and a worse B whose lanes stand aside, and a labelled set."""
    folder = tmp_path_factory.mktemp("diff")
    write_tiny_model(folder / "a.onnx")
    write_tiny_model(folder / "b.onnx", SPEC.__class__("tiny", "2"), aside=4.0)
    write_set(folder / "set", FRAMES)
    for index in range(FRAMES):
        write_picture(folder / "images" / f"{index}.png", random_image(index))
    return folder


def diff(*arguments, expect=0):
    """Run the command; return what it wrote."""
    assert main(["diff", *map(str, arguments)]) == expect
    out = Path(arguments[arguments.index("--out") + 1])
    return json.loads((out / "diff.json").read_text())


@pytest.fixture(scope="module")
def worse(place):
    """B against A on labels."""
    pytest.importorskip("matplotlib", reason="the report's charts need matplotlib")
    sides = place / "a.onnx", place / "b.onnx"
    return diff(*sides, "--input", place / "set", "--out", place / "worse", expect=1)


def test_a_model_does_not_differ_from_itself(place, tmp_path):
    command = (place / "a.onnx", place / "a.onnx", "--no-report", "--out", tmp_path)
    for source in ("set", "images"):
        found = diff(*command, "--input", place / source)
        assert found["passed"] and found["frames"] == FRAMES
        assert found["labelled"] == (source == "set")
        for name, change in found["metrics"].items():
            assert change["change"] == change["low"] == change["high"] == 0, name
        assert not any(found["changed"].values())


def test_a_worse_version_fails_and_says_by_what(worse):
    assert not worse["passed"]
    assert any("ego/f1 lost" in reason for reason in worse["broken"])
    ego = worse["metrics"]["ego/accuracy"]
    assert ego["change"] < 0 and ego["low"] <= ego["change"] <= ego["high"]
    assert worse["changed"]["worse"] and not worse["changed"]["apart"]  # with labels
    assert worse["metrics"]["mask_iou"]["change"] == 0
    assert worse["metrics"]["agreement/found"]["b"] == 1


def test_the_other_way_round_it_is_better(place, worse, tmp_path):
    sides = place / "b.onnx", place / "a.onnx"
    better = diff(*sides, "--input", place / "set", "--out", tmp_path, "--no-report")
    assert better["passed"]
    for name, change in worse["metrics"].items():
        if not name.startswith("agreement/"):
            assert better["metrics"][name]["change"] == pytest.approx(-change["change"]), name
            assert better["metrics"][name]["a"] == change["b"]


@pytest.mark.parametrize("side", ["a", "b"])
def test_scores_are_those_of_evaluate(place, worse, tmp_path, side):
    options = ("--labels", place / "set", "--model", place / f"{side}.onnx", "--out", tmp_path)
    assert main(["evaluate", *map(str, options), "--no-report"]) == 0
    summary = json.loads((tmp_path / "summary.json").read_text())
    scores, found = summary["sources"]["road"], worse["metrics"]
    for lane, score in scores["lanes"].items():
        for key, name in (("valid_row_accuracy", "accuracy"), ("f1", "f1"), ("recall", "recall")):
            if f"{lane}/{name}" in found and found[f"{lane}/{name}"][side] is not None:
                assert found[f"{lane}/{name}"][side] == pytest.approx(score[key], abs=1e-6)
    assert found["mask_iou"][side] == pytest.approx(scores["mask"]["iou"], abs=1e-6)
    for name in ("lane_accuracy", "lane_f1", "boundary_f", "culane_f1", "tusimple_accuracy"):
        if name in summary["headline"]:
            assert found[name][side] == pytest.approx(summary["headline"][name], abs=1e-6), name


def test_two_runs_write_the_same_bytes(place, tmp_path):
    command = ("diff", place / "a.onnx", place / "b.onnx", "--input", place / "images")
    for run in ("one", "two"):
        assert main([*map(str, command), "--no-report", "--out", str(tmp_path / run)]) == 1
    one, two = (tmp_path / run / "diff.json" for run in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_results_of_evaluate_are_compared_frame_by_frame(place, worse, tmp_path):
    for side in "ab":
        options = ("--labels", place / "set", "--model", place / f"{side}.onnx")
        out = ("--out", tmp_path / side, "--no-report")
        assert main(["evaluate", *map(str, (*options, *out))]) == 0
    command = (tmp_path / "a", tmp_path / "b", "--out", tmp_path / "diff", "--no-report")
    found = diff(*command, expect=1)
    for name in ("image/lane_accuracy", "image/mask_iou", "ego/f1", "ego/detected"):
        for key in ("a", "b", "change"):
            expected = worse["metrics"][name][key]
            assert found["metrics"][name][key] == pytest.approx(expected, abs=2e-3), name
    assert "lane_accuracy" not in found["metrics"]
    assert "not checked" in found["limits"]["lane_accuracy"]["note"]


def test_the_report_shows_both_sides(place, worse):
    page = Page(place / "worse" / "report.html")
    assert page.external() == [] and "script" not in page.tags
    for text in ("Diff of tiny 2 (B) against tiny 1.2.3 (A)", "FAILED", "Got worse", "ego/f1"):
        assert text in page.text
    assert str(place) not in page.text
    sides = [caption[0] for caption in page.captions if caption[:2] in ("A:", "B:")]
    assert len(sides) == 2 * sum(map(len, worse["changed"].values()))
    assert sides == ["A", "B"] * (len(sides) // 2)


def test_a_browser_draws_the_report(place, worse, tmp_path):
    shot = rendered(place / "worse" / "report.html", tmp_path, 1300, 3000)
    for top in range(200, 3000, 400):
        assert shot[top : top + 400].std() > 10, f"nothing at {top}"


def test_the_config_file_says_what_holds_by_default():
    content = yaml.safe_load((ROOT / "config" / "diff.yaml").read_text())
    assert set(content) == {LABELLED, UNLABELLED}
    defaults = default_limits(DEFAULT)
    for section, limits in ((LABELLED, defaults.labelled), (UNLABELLED, defaults.unlabelled)):
        read = {
            name: (limit["loss"], limit["significant"])
            if isinstance(limit, dict)
            else (limit, False)
            for name, limit in content[section].items()
        }
        assert read == {name: (one.loss, one.significant) for name, one in limits.items()}


def test_metrics_are_listed(capsys):
    assert main(["diff", "--metrics"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [score.name for score in scores_of(ROOMS)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ego/f2: 0.1", "unknown metric 'ego/f2': did you mean ego/f1?"),
        ("ego/f1: -1", "the loss of ego/f1 is -1, expected a number of 0 or more"),
        ("ego/f1: yes", "the loss of ego/f1 is True"),
        ("ego/f1: {loss: 0.1, sure: true}", "unknown key ego/f1.sure, expected loss and"),
        ("ego/f1: {loss: 0.1, significant: 1}", "significant is 1, expected true or false"),
        ("labelled: 3", "labelled is 3, expected metrics with limits"),
        ("{ego/f1: 0.1, labelled: {ego/f1: 0.2}}", "ego/f1 is there twice"),
        ("", "expected metrics, each with the largest allowed loss"),
        ("[", "is no YAML"),
        ("agreement/found: 1\nlateral_widths: .nan", "expected a number of 0 or more"),
    ],
)
def test_limits_that_cannot_be_read(place, tmp_path, capsys, text, reason):
    limits = tmp_path / "limits.yaml"
    limits.write_text(text)
    sides = [str(place / "a.onnx"), str(place / "b.onnx")]
    options = ["--input", str(place / "set"), "--out", str(tmp_path), "--limits", str(limits)]
    assert main(["diff", *sides, *options, "--no-report"]) == 2
    assert reason in capsys.readouterr().err


def test_limits_of_ones_own(place, tmp_path, capsys):
    limits = tmp_path / "limits.yaml"
    command = (place / "a.onnx", place / "b.onnx", "--input", place / "set", "--out", tmp_path)
    command = (*command, "--limits", limits, "--no-report")
    limits.write_text("ego/f1: 1.0\nlane_accuracy: 1.0")
    assert diff(*command)["passed"]
    limits.write_text(
        "ego/f1: 1.0\nleft_split_ego/accuracy: 0.5"
    )  # of a lane that nobody has labelled
    found = diff(*command, expect=1)
    assert "cannot be checked" in found["broken"][0]
    limits.write_text("unlabelled: {agreement/found: 0.5}")
    assert main(["diff", *map(str, command)]) == 2
    assert "no limit can be checked on this input, with labels" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["a.onnx"], "1 models or folders are given, expected two"),
        (["a.onnx", "b.onnx"], "give the images that both models are to perceive"),
        (["a.onnx", "b.onnx", "--input", "nothing"], "there is no"),
        (["a.onnx", "b.onnx", "--input", "set", "--block", "-1"], "--block is -1"),
        (["a.onnx", "b.onnx", "--input", "set", "--model", "c"], "takes its models as A and B"),
        (["a.onnx", "none.onnx", "--input", "set"], "none.onnx"),
        (["a.onnx", "set", "--input", "set"], "holds no finished result"),
    ],
)
def test_what_cannot_be_compared(place, tmp_path, capsys, arguments, reason):
    known = ("a.onnx", "b.onnx", "set", "nothing", "none.onnx")
    full = [str(place / one) if one in known else one for one in arguments]
    assert main(["diff", *full, "--out", str(tmp_path), "--no-report"]) == 2
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "diff.json").exists()


def test_a_task_that_no_model_has_is_not_spoken_of(place, tmp_path, capsys):
    lanes_only = write_tiny_model(tmp_path / "lanes.onnx", spec_of("half", "1", tasks=("lanes",)))
    options = ("--input", place / "set", "--out", tmp_path / "diff", "--no-report")
    found = diff(lanes_only, lanes_only, *options)
    assert not [name for part in ("metrics", "limits") for name in found[part] if "mask" in name]
    assert found["metrics"]["score"]["b"] > 0
    assert "mask" not in capsys.readouterr().out


def test_a_task_that_one_model_lacks_breaks_its_limits(place, tmp_path):
    lanes_only = write_tiny_model(tmp_path / "lanes.onnx", spec_of("half", "1", tasks=("lanes",)))
    options = ("--input", place / "set", "--out", tmp_path / "diff", "--no-report")
    found = diff(place / "a.onnx", lanes_only, *options, expect=1)
    assert "mask_iou cannot be checked: B has no such score" in found["broken"]
    assert found["metrics"]["mask_iou"]["b"] is None
    score = found["metrics"]["score"]
    assert score["a"] == score["b"] > 0, "a mean over what both are asked for"
