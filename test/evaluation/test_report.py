# SPDX-License-Identifier: Apache-2.0
"""The report's page: complete in itself, safe with any text, and read by a real browser."""

import shutil
import subprocess

import cv2
import numpy as np
import pytest
from patience import PATIENCE_S
from report_page import Page

from shared_encoder_perception.evaluation.report import charts
from shared_encoder_perception.evaluation.report.document import NOTHING, Report, cell_text

pytest.importorskip("jinja2", reason="the report's page needs jinja2")
pytest.importorskip("matplotlib", reason="the report's charts need matplotlib")

BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--hide-scrollbars",
)
GREEN = (30, 160, 40)


def small_report(**changes):
    report = Report("What we saw", {"model": "tiny 1.2.3"})
    report.section("Numbers")
    report.numbers([("F1", 0.5, "constant 0.1")])
    report.table(["lane", "F1"], [["ego", 0.91], ["left", float("nan")]], "All")
    report.section("Pictures")
    report.picture(np.full((90, 300, 3), GREEN, np.uint8), "a green one", **changes)
    report.picture(charts.histogram({"road": [0.2, 0.3]}, "IoU", "share", limits=(0, 1)))
    return report


def rendered(path, folder, width=900, height=1200):
    """Draw a page with a real browser; (H, W, 3) uint8 BGR."""
    if not BROWSER:
        pytest.skip("no chromium or google-chrome here")
    shot = folder / "shot.png"
    options = (f"--user-data-dir={folder / 'profile'}", f"--window-size={width},{height}")
    command = [BROWSER, *FLAGS, *options, f"--screenshot={shot}", path.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_S)
    return cv2.imread(str(shot))


def test_a_page_needs_nothing_from_elsewhere(tmp_path):
    small_report().write(tmp_path / "report.html")
    page = Page(tmp_path / "report.html")
    assert page.external() == []
    assert "://" not in page.source  # which base64 cannot hold
    assert not {"script", "link", "iframe", "object", "base"} & set(page.tags)


def test_the_check_for_what_comes_from_elsewhere_can_fail(tmp_path):
    path = tmp_path / "bad.html"
    path.write_text('<img src="https://example.org/a.png"><a href="#here">x</a>')
    assert Page(path).external() == ["https://example.org/a.png"]


def test_text_numbers_and_pictures_are_all_there(tmp_path):
    small_report().write(tmp_path / "report.html")
    page = Page(tmp_path / "report.html")
    for text in ("What we saw", "tiny 1.2.3", "0.500", "constant 0.1", "ego", "0.910", NOTHING):
        assert text in page.text
    green, chart = page.pictures()
    assert green.shape == (90, 300, 3)
    assert np.abs(green.astype(int).mean(axis=(0, 1)) - GREEN).max() < 3
    assert chart.std() > 10
    assert page.captions == ["a green one"]
    assert {"#section-1", "#section-2"} <= set(page.addresses)


def test_any_text_is_shown_as_it_is(tmp_path):
    nasty = '<script>alert("1")</script> & "quotes" {{ 7 * 7 }}'
    report = Report(nasty, {nasty: nasty})
    report.section(nasty)
    report.heading(nasty)
    report.text(nasty)
    report.numbers([(nasty, nasty, nasty)])
    report.table([nasty], [[nasty]], nasty, groups=[(nasty, 1)])
    report.picture(np.zeros((8, 8, 3), np.uint8), nasty)
    report.write(tmp_path / "report.html")
    page = Page(tmp_path / "report.html")
    assert "script" not in page.tags
    assert page.text.count(nasty) == 16
    assert page.captions == [nasty]


def test_the_same_content_gives_the_same_bytes(tmp_path):
    for name in ("one.html", "other.html"):
        small_report().write(tmp_path / name)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "other.html").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.html", "other.html"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("ego", "ego"),
        (None, NOTHING),
        (float("nan"), NOTHING),
        (12345, "12,345"),
        (0.12345, "0.123"),
        (-0.0001, "0.000"),
        (-0.1, "-0.100"),
    ],
)
def test_a_cell_is_written_for_people(value, text):
    assert cell_text(value) == text


def test_a_column_may_have_decimals_of_its_own(tmp_path):
    report = Report("t", {})
    report.section("s")
    report.table(["a", "b"], [[1.25, 1.25]], decimals={1: 1})
    report.write(tmp_path / "report.html")
    assert "1.250" in Page(tmp_path / "report.html").text
    assert ">1.2<" in Page(tmp_path / "report.html").source


@pytest.mark.parametrize(
    ("add", "message"),
    [
        (lambda r: r.table(["a", "b"], [["x"]], "T"), "'T' has a row of 1 cells, expected 2"),
        (lambda r: r.table(["a"], [], "T", groups=[("g", 2)]), "groups of 2 columns, expected 1"),
        (lambda r: r.picture(b"GIF89a", "P"), "'P' is neither BGR uint8 nor PNG nor JPEG"),
        (lambda r: r.picture(b"\x89PNG\r\n\x1a\nbroken", "P"), "neither BGR uint8 nor PNG"),
        (lambda r: r.picture(np.zeros((4, 4))), r"float64 \(4, 4\), expected uint8 \(H, W, 3\)"),
    ],
)
def test_what_cannot_be_shown_is_refused(add, message):
    report = Report("t", {})
    report.section("s")
    with pytest.raises(ValueError, match=message):
        add(report)


def test_content_needs_a_section():
    with pytest.raises(ValueError, match="begin a section"):
        Report("t", {}).text("x")


def test_a_browser_draws_it(tmp_path):
    small_report().write(tmp_path / "report.html")
    shot = rendered(tmp_path / "report.html", tmp_path)
    assert shot.shape == (1200, 900, 3)
    assert shot[5:30, :].mean() < 80  # the dark header
    assert (np.abs(shot.astype(int) - GREEN).max(axis=2) < 8).sum() > 0.8 * 90 * 300


@pytest.mark.parametrize("values", [{}, {"road": []}, {"a": [1.0], "b": [], "c": [5.0, 500.0]}])
def test_a_histogram_of_anything_can_be_drawn(values):
    for limits in (None, (0.0, 1.0)):
        picture = charts.histogram(values, "t", "ms", limits=limits, marks={"limit": 0.5})
        assert cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR).shape[1] > 500


def test_lines_over_time_leave_gaps():
    series = {"iou": ([0, 1, 2, 3], [0.5, float("nan"), 0.7, 0.8]), "other": ([0, 3], [0, 1])}
    picture = charts.lines(series, "t", "s", "IoU", y_limits=(0, 1))
    assert cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR).shape[1] > 1000
    assert picture == charts.lines(series, "t", "s", "IoU", y_limits=(0, 1))
