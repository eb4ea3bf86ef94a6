# SPDX-License-Identifier: Apache-2.0
"""The file of a sequence's scores: what it holds, and what it refuses."""

import json
import math
import os
from dataclasses import replace

import pytest
from learned_runs import matrix_of, sequence

from shared_encoder_perception.continual.matrix import (
    MATRIX,
    MatrixError,
    ScoredTest,
    known,
    read_matrix,
    rows_by_score,
    write_matrix,
)

ROWS = [[0.1, 0.2], [0.8, 0.3], [0.6, 0.7]]


def changed(folder, **values):
    """Write a sound matrix, and change what its file says."""
    write_matrix(matrix_of(ROWS), folder)
    path = folder / MATRIX
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    return folder


@pytest.mark.parametrize("rows", [ROWS, ROWS[:2], ROWS[:1]])
def test_what_is_written_is_read_also_while_a_sequence_runs(tmp_path, rows):
    matrix = matrix_of(rows)
    write_matrix(matrix, tmp_path)
    assert read_matrix(tmp_path) == matrix
    assert matrix.learned == len(rows) - 1


def test_numbers_survive_the_file_bit_for_bit(tmp_path):
    matrix = sequence("replay", 3, 0.9)
    write_matrix(matrix, tmp_path)
    assert read_matrix(tmp_path).scores == matrix.scores


def test_what_is_not_known_is_not_there_and_never_zero(tmp_path):
    summary = {"miou": math.nan, "score": 0.0}
    rows = [{"day": summary, "dusk": {"score": 0.5}}]
    found = rows_by_score(rows)
    assert found == {"miou": ({},), "score": ({"day": 0.0, "dusk": 0.5},)}
    matrix = matrix_of(ROWS[:1], scores=found, headline=("score",))
    write_matrix(matrix, tmp_path)
    again = read_matrix(tmp_path)
    assert math.isnan(again.score("miou", 0, "day")) and again.score("score", 0, "day") == 0
    assert math.isnan(again.score("score", 1, "day"))  # not learned yet
    assert math.isnan(again.score("nothing", 0, "day"))
    assert known({"a": math.inf, "b": math.nan, "c": 1}) == {"c": 1.0}


def test_the_first_test_of_a_task_is_its_own():
    tests = (ScoredTest("day", 0), ScoredTest("rain", 0), ScoredTest("dusk", 1))
    matrix = matrix_of(ROWS, tests=tests)
    assert [matrix.own_test(task) for task in range(2)] == ["day", "dusk"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tasks": ("day", "day")}, "two tasks have the name 'day'"),
        ({"tests": (ScoredTest("day", 0), ScoredTest("day", 1))}, "two tests have the name 'day'"),
        ({"tests": (ScoredTest("day", 0), ScoredTest("../x", 1))}, r"has the name '\.\./x'"),
        ({"tasks": ("day", "")}, "a task has the name '', expected letters"),
        ({"tests": (ScoredTest("day", 0),)}, r"tests are of the tasks \[0\], expected .* 2 tasks"),
        ({"seconds": (1.0,) * 3}, "3 tasks were learned, expected at most 2"),
        ({"steps": (100,)}, "steps has 1 numbers, expected 2 as of seconds"),
        ({"scores": {"miou": ({}, {})}}, "miou has 2 rows, expected 3: one before"),
        (
            {"scores": {"miou": ({"dya": 0.1}, {}, {})}},
            "miou has the unknown test 'dya'; did you mean 'day'",
        ),
        ({"headline": ()}, "headline is .*: name scores that there are"),
        ({"headline": ("iou",)}, "headline is .* of which scores lacks 'iou'"),
    ],
)
def test_a_matrix_that_contradicts_itself_is_refused(values, message):
    with pytest.raises(MatrixError, match=message):
        replace(matrix_of(ROWS), **values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"seed": "1"}, "seed is '1', expected a whole number"),
        ({"steps": [100]}, f"{MATRIX}: steps has 1 numbers, expected 2"),
        ({"score": {}}, "the unknown key 'score'; did you mean 'scores'"),
        ({"scores": {"miou": [{"day": None}, {}, {}]}}, "expected a number"),
    ],
)
def test_a_file_of_something_else_is_refused_and_named(tmp_path, values, message):
    with pytest.raises(MatrixError, match=message) as told:
        read_matrix(changed(tmp_path, **values))
    assert MATRIX in str(told.value)


def test_a_folder_without_a_matrix_a_broken_one_and_a_pipe_are_refused(tmp_path):
    with pytest.raises(MatrixError, match=r"cannot read .* expected the folder of a run"):
        read_matrix(tmp_path)
    (tmp_path / MATRIX).write_text("{")
    with pytest.raises(MatrixError, match="is not valid JSON"):
        read_matrix(tmp_path)
    (tmp_path / MATRIX).unlink()
    os.mkfifo(tmp_path / MATRIX)
    with pytest.raises(MatrixError, match="named pipe"):
        read_matrix(tmp_path)


def test_a_commit_is_told_with_its_changes():
    assert matrix_of(ROWS, commit="a" * 40 + "+changes").source == "a" * 12 + "+changes"
    assert matrix_of(ROWS).source == "not known"
