# SPDX-License-Identifier: Apache-2.0
"""Files for TuSimple's evaluator: matched, refused and written as it would."""

import numpy as np
import pytest
from test_tusimple_metric import ROWS, road

from shared_encoder_perception.tasks.lanes.answer import LaneId, LaneLine, LaneStatus
from shared_encoder_perception.tasks.lanes.metrics.tusimple import (
    line_at_rows,
    score_submission,
)


def submission(count=3):
    labels = [
        {"raw_file": f"{index}.jpg", "lanes": road(), "h_samples": ROWS} for index in range(count)
    ]
    said = [{"raw_file": one["raw_file"], "lanes": road(3), "run_time": 9} for one in labels]
    return said, labels


def test_a_submission_is_matched_by_file_in_any_order():
    said, labels = submission()
    assert score_submission(said[::-1], labels) == score_submission(said, labels)
    assert score_submission(said, labels)["fn"] == 0.25


def test_pitfall_a_submission_is_divided_by_the_different_files_of_the_labels():
    said, labels = submission(1)
    scores = score_submission(said * 2, labels * 2)
    assert scores["images"] == 1
    assert scores["fn"] == 0.5  # twice a quarter, over one file


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda said: said.pop(), "2 predictions for 3 labels"),
        (lambda said: said[1].pop("run_time"), "prediction 1 lacks run_time"),
        (lambda said: said[1].update(raw_file="x.jpg"), "prediction 1 is of x.jpg"),
        (lambda said: said[1].update(lanes=[[1]]), "1.jpg: predicted line has shape"),
    ],
    ids=["missing", "incomplete", "unknown", "length"],
)
def test_a_submission_that_the_evaluator_would_refuse_is_refused(spoil, message):
    said, labels = submission()
    spoil(said)
    with pytest.raises(ValueError, match=message):
        score_submission(said, labels)


def test_a_line_is_written_at_the_rows_it_reaches():
    points = np.array([[100.0, 705.0], [200.0, 505.0]])
    line = LaneLine(LaneId.EGO, LaneStatus.DETECTED, 0.9, points, np.zeros(2))
    columns = line_at_rows(line, ROWS)
    assert columns[ROWS.index(500)] == columns[ROWS.index(710)] == -2
    assert columns[ROWS.index(600)] == pytest.approx(152.5)
    assert (line_at_rows(LaneLine(LaneId.EGO), ROWS) == -2).all()
