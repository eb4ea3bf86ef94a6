# SPDX-License-Identifier: Apache-2.0
"""The page of a sequence: all of it in one file, its numbers those of the matrix."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

pytest.importorskip("jinja2", reason="the report's page needs jinja2")
pytest.importorskip("matplotlib", reason="the report's charts need matplotlib")

from learned_runs import matrix_of, sequence
from report_page import Page

from shared_encoder_perception.continual.matrix import MatrixError, ScoredTest, write_matrix
from shared_encoder_perception.continual.measures import MEASURES
from shared_encoder_perception.continual.report import measures_of, write_report
from shared_encoder_perception.continual.report_charts import heat_map
from shared_encoder_perception.files.data_paths import PathError

NAMES = ("untrained", "day", "dusk", "night")


@pytest.fixture
def matrix():
    return sequence("replay", 0, 0.9)


def with_pictures(matrix, folder):
    """Write a run whose pictures of row k are grey, 40 + 50 k."""
    write_matrix(matrix, folder)
    for test in matrix.tests:
        (folder / "pictures" / test.name).mkdir(parents=True)
        for row, name in enumerate(NAMES):
            grey = np.full((40, 1200, 3), 40 + 50 * row, np.uint8)
            cv2.imwrite(str(folder / "pictures" / test.name / f"{row}_{name}.jpg"), grey)
    return folder


def test_the_page_is_one_file_with_all_that_the_matrix_holds(tmp_path, matrix):
    path = write_report(with_pictures(matrix, tmp_path))
    page = Page(path)
    assert path == tmp_path / "report.html"
    assert page.external() == [] and "script" not in page.tags
    found = measures_of(matrix, "miou")
    for text in (
        *(f"{getattr(found, name):.3f}" for name in MEASURES if name != "intransigence"),
        *matrix.tasks,
        *(f"{number:.1f}" for number in matrix.seconds),
        *("2,400", "1,100,000 parameters", "replay", "3 of 3 learned", "One seed"),
    ):
        assert text in page.text, text
    first = path.read_bytes()
    assert write_report(tmp_path).read_bytes() == first  # its own page is no part of the run


def test_the_same_frames_after_each_task_stand_beside_one_another(tmp_path, matrix):
    page = Page(write_report(with_pictures(matrix, tmp_path)))
    shown = page.pictures()[-12:]
    assert all(picture.shape == (32, 960, 3) for picture in shown)  # no wider than it needs
    levels = [round(float(picture.mean())) for picture in shown]
    assert np.allclose(levels, [40, 90, 140, 190] * 3, atol=2)
    expected = [f"day, {name}" for name in ("untrained", "after day", "after dusk", "after night")]
    assert [text.strip() for text in page.captions[-12:-8]] == expected


def test_a_picture_that_lacks_or_is_damaged_is_told(tmp_path, matrix):
    with_pictures(matrix, tmp_path)
    (tmp_path / "pictures" / "day" / "1_day.jpg").write_bytes(b"no picture")
    (tmp_path / "pictures" / "dusk" / "2_dusk.jpg").unlink()
    page = Page(write_report(tmp_path))
    assert "1_day.jpg of day cannot be shown" in page.text
    assert "There is no picture of dusk after dusk." in page.text


@pytest.mark.parametrize("learned", [0, 1, 2])
def test_a_sequence_that_still_runs_has_a_page_that_says_so(tmp_path, learned):
    rows = [[0.1, 0.2, 0.3], [0.8, 0.3, 0.3], [0.6, 0.7, 0.3]]
    write_matrix(matrix_of(rows[: learned + 1]), tmp_path)
    page = Page(write_report(tmp_path))
    assert f"{learned} of 3 tasks are learned" in page.text.replace("\n", " ")


def test_intransigence_is_told_beside_a_ceiling_alone(tmp_path, matrix):
    ceiling = sequence("joint", 0, 1.0)
    for name, one in (("own", matrix), ("joint", ceiling)):
        (tmp_path / name).mkdir()
        write_matrix(one, tmp_path / name)
    value = f"{measures_of(matrix, 'miou', ceiling).intransigence:.3f}"
    alone = write_report(tmp_path / "own").read_text()
    beside = write_report(tmp_path / "own", tmp_path / "joint").read_text()
    assert alone != beside and f"<b>{value}</b>" in beside and f"<b>{value}</b>" not in alone


def test_a_ceiling_of_another_sequence_is_refused_and_the_page_stays(tmp_path, matrix):
    (tmp_path / "joint").mkdir()
    write_matrix(matrix, tmp_path)
    before = write_report(tmp_path).read_bytes()
    write_matrix(replace(matrix, digest="e" * 64), tmp_path / "joint")
    with pytest.raises(ValueError, match="a run of another sequence"):
        write_report(tmp_path, tmp_path / "joint")
    assert (tmp_path / "report.html").read_bytes() == before


def test_pictures_outside_of_the_run_are_not_shown(tmp_path, matrix):
    run, other = tmp_path / "run", tmp_path / "other"
    for folder in (run, other):
        folder.mkdir()
    with_pictures(matrix, other)
    write_matrix(matrix, run)
    (run / "pictures").symlink_to(other / "pictures")
    with pytest.raises(PathError):
        write_report(run)


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(MatrixError, match="expected the folder of a run"):
        write_report(tmp_path)


def test_scores_that_do_not_count_and_further_tests_are_shown_too(tmp_path, matrix):
    rows = matrix.scores["miou"]
    tests = (ScoredTest("day", 0), ScoredTest("rain", 0), *matrix.tests[1:])
    other = tuple({"rain": 0.5 + 0.001 * place} for place in range(len(rows)))
    write_matrix(replace(matrix, tests=tests, scores={"miou": rows, "other": other}), tmp_path)
    page = Page(write_report(tmp_path))
    assert "rain" in page.text and all(f"0.50{place}" in page.text for place in range(4))


def test_the_chart_shows_each_score_and_what_is_not_known_is_not_zero():
    rows = [[0.1, 0.2], [0.8, 0.3], [0.6, 0.7]]
    changed = [[0.1, 0.2], [0.8, 0.3], [0.6, 0.0]]
    zero, plain = heat_map(matrix_of(changed), "miou"), heat_map(matrix_of(rows), "miou")
    scores = matrix_of(changed).scores["miou"]
    unknown = replace(matrix_of(rows), scores={"miou": (*scores[:2], {"day": 0.6})})
    assert len({zero, plain, heat_map(unknown, "miou")}) == 3
    assert heat_map(matrix_of(rows), "miou") == plain


def test_a_score_that_nobody_knows_is_drawn_as_nothing(tmp_path):
    write_matrix(matrix_of([[0.1, 0.2]] * 3, scores={"miou": ({}, {}, {})}), tmp_path)
    assert "NaN" not in Page(write_report(tmp_path)).text


def test_names_from_a_file_are_text_and_no_markup(tmp_path, matrix):
    write_matrix(replace(matrix, strategy="<script>a</script>$x$", machine="$\\frac"), tmp_path)
    page = Page(write_report(tmp_path))
    assert "script" not in page.tags and "<script>a</script>$x$" in page.text
