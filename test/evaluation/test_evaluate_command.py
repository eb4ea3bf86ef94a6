# SPDX-License-Identifier: Apache-2.0
"""The evaluate command's options, its report, and what it says of input that cannot be scored."""

import json

import cv2
import pytest
from labelled_set import record, write_records, write_set
from missing_libraries import hide
from report_page import Page
from test_report import rendered
from tiny_model import write_models

from shared_encoder_perception.__main__ import main


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def report(tmp_path_factory, models):
    """The report on two sources, in one of which nothing but masks is known."""
    pytest.importorskip("matplotlib", reason="the report's charts need matplotlib")
    pytest.importorskip("jinja2", reason="the report's page needs jinja2")
    folder = tmp_path_factory.mktemp("report")
    road = write_set(folder / "set", 5, attributes={"timeofday": "night"})
    lines = [json.loads(line) for line in (road / "frames.jsonl").read_text().splitlines()]
    town = [{**line, "lanes": {}, "source": "town <b>", "attributes": {}} for line in lines]
    write_records(road, lines + town)
    out = folder / "out"
    command = ["evaluate", "--labels", str(road), "--model", str(models.tiny), "--out", str(out)]
    assert main(command) == 0
    return out / "report.html"


def test_the_report_is_one_file_with_everything_in_it(report):
    page = Page(report)
    assert page.external() == []
    assert "://" not in page.source
    assert "script" not in page.tags and "b" in page.tags
    for text in (
        *("Evaluation of tiny 1.2.3", "At a glance", "Lanes", "Drivable surface", "Confidence"),
        *("Slices", "Latency", "Worst frames", "Best frames", "town <b>", "constant", "empty"),
        *("night", "day", "By occlusion: not known of any image", "CULane F1", "boundary F"),
    ):
        assert text in page.text
    assert "/set" not in page.text  # where it lay is nobody's business


def test_the_reports_pictures_are_charts_and_overlays(report):
    page = Page(report)
    pictures = page.pictures()
    assert all(picture is not None and picture.std() > 5 for picture in pictures)
    overlays = [picture for picture in pictures if picture.shape[:2] == (288, 720)]
    assert len(overlays) == 2 * 5  # of five frames four are the worst, and one the best
    assert len(pictures) == len(overlays) + 4
    assert sum("mask IoU" in caption for caption in page.captions) == len(overlays)
    assert sum(" · ego 0." in caption for caption in page.captions) == 5  # the road's


def test_a_browser_draws_the_report(report, tmp_path):
    shot = rendered(report, tmp_path, 1300, 3000)
    assert shot[5:30].mean() < 80
    for top in range(200, 3000, 400):
        assert shot[top : top + 400].std() > 10, f"nothing at {top}"


def test_a_report_is_left_out_with_a_warning_where_it_cannot_be_drawn(
    models, tmp_path, monkeypatch, capsys
):
    hide(monkeypatch, "jinja2", "matplotlib")
    labels, out = write_set(tmp_path / "set", 2), tmp_path / "deep" / "out"
    out.mkdir(parents=True)
    (out / "report.html").write_text("of other scores")
    command = ["evaluate", "--labels", str(labels), "--model", str(models.tiny), "--out", str(out)]
    assert main([*command, "--reliability", str(tmp_path / "diagram.png")]) == 0
    told = capsys.readouterr().err
    assert "warning: the report is left out: jinja2 and matplotlib are not installed" in told
    assert "warning: the reliability diagram is left out: matplotlib is not installed" in told
    assert "pip install 'jinja2>=3.1' 'matplotlib>=3.6'" in told
    assert sorted(path.name for path in out.iterdir()) == ["frames.csv", "summary.json"]
    assert not (tmp_path / "diagram.png").exists()


def test_worlds_and_pictures_as_before(models, tmp_path, capsys):
    pytest.importorskip("matplotlib", reason="the reliability diagram needs matplotlib")
    worst, diagram = tmp_path / "worst.jpg", tmp_path / "diagram.png"
    options = ["--worst", str(worst), "--reliability", str(diagram), "--model", str(models.tiny)]
    assert main(["evaluate", "--synthetic", "2", *options]) == 0
    out = capsys.readouterr().out
    assert "synthetic       ego" in out
    for name in ("constant", "empty", "mask IoU", "calibration error"):
        assert name in out
    assert cv2.imread(str(worst)).shape[1] > 1000
    assert cv2.imread(str(diagram)).shape == (700, 1200, 3)


def test_a_teachers_mask_is_no_truth(models, tmp_path):
    labels = write_set(tmp_path / "set", 2, pseudo=["mask"])
    out = tmp_path / "out"
    command = ["evaluate", "--labels", str(labels), "--model", str(models.tiny)]
    assert main([*command, "--out", str(out), "--no-report"]) == 0
    road = json.loads((out / "summary.json").read_text())["sources"]["road"]
    assert road["mask"]["images"] == 0
    assert road["lanes"]["ego"]["labelled"] == 2


def test_a_model_without_a_mask_is_scored_on_lanes(models, tmp_path):
    labels, out = write_set(tmp_path / "set", 2), tmp_path / "out"
    command = ["evaluate", "--labels", str(labels), "--model", str(models.lanes_only)]
    assert main([*command, "--out", str(out), "--no-report"]) == 0
    summary = json.loads((out / "summary.json").read_text())
    for scores in (summary["sources"], *summary["baselines"].values()):
        assert scores["road"]["lanes"]["ego"]["labelled"] == 2
        assert not {"mask", "boundary"} & set(scores["road"])
        assert set(scores["road"]["calibration"]) == {"lanes"}
    assert "mask_iou" not in summary["headline"]["model"]
    with (out / "frames.csv").open() as lines:
        assert not any(name.startswith(("mask", "boundary")) for name in next(lines).split(","))


def faulty(folder, fault):
    """A set that cannot be scored."""
    labels = write_set(folder, 3)
    if fault == "no labels":
        write_records(labels, [record(index, lanes=None, mask=None) for index in range(3)])
    elif fault == "no frames":
        write_records(labels, [])
    elif fault == "pseudo only":
        write_records(labels, [record(0, lanes=None, pseudo=["mask"])])
    elif fault == "no picture":
        (labels / "images/road/002.png").unlink()
    elif fault == "broken picture":
        (labels / "images/road/002.png").write_bytes(b"no picture")
    elif fault == "no mask":
        (labels / "masks/road/001.png").unlink()
    elif fault == "bad line":
        write_records(labels, [record(0), '{"image": 3}'])
    elif fault == "no set":
        (labels / "frames.jsonl").unlink()
    return labels


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("no labels", "frames.jsonl has 3 frames and no label to score against: lanes or mask"),
        ("no frames", "frames.jsonl has no frames to score against"),
        ("pseudo only", "no label to score against"),
        ("no picture", "line 3: there is no picture"),
        ("broken picture", "line 3: cannot read the picture"),
        ("no mask", "cannot read the mask"),
        ("bad line", "line 2: "),
        ("no set", "there is no frames.jsonl in"),
    ],
)
def test_what_cannot_be_scored_is_said(models, tmp_path, capsys, fault, message):
    labels, out = faulty(tmp_path / "set", fault), tmp_path / "out"
    command = ["evaluate", "--labels", str(labels), "--model", str(models.tiny), "--no-report"]
    assert main([*command, "--out", str(out)]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_labels_of_what_the_model_does_not_answer_are_refused(models, tmp_path, capsys):
    labels = write_set(tmp_path / "set", 2, lanes=None)
    command = ["evaluate", "--labels", str(labels), "--model", str(models.lanes_only)]
    assert main(command) == 2
    assert "the set labels drivable_surface, the model answers lanes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--synthetic", "0"], "--synthetic is 0, expected 1 or more"),
        (
            ["--synthetic", "1", "--out", "scores.json"],
            "--out is a folder, not a file: --out score",
        ),
    ],
)
def test_options_that_make_no_sense_are_refused(
    models, tmp_path, monkeypatch, capsys, options, message
):
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", "--model", str(models.tiny), *options]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
