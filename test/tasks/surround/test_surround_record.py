# SPDX-License-Identifier: Apache-2.0
"""Lines of JSON, and maps in files that can be read as numbers."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from surround_scene import GRID, LABEL, answer_of, one_vehicle, seen_behind_nothing, soft, truth_of

from shared_encoder_perception.tasks.surround import record
from shared_encoder_perception.tasks.surround.answer import Surround
from shared_encoder_perception.tasks.surround.metric import Metric

SEEN = seen_behind_nothing()
ANSWER = soft(answer_of(seen=SEEN))
MASKS = Surround(GRID, SEEN, drivable=ANSWER.drivable)


def test_files_hold_the_maps_in_the_layout_of_arrays(tmp_path):
    line = json.loads(json.dumps(record.prediction(ANSWER, tmp_path, Path("drive/a.png"))))
    for name in ("vehicle", "drivable"):
        read = cv2.imread(str(tmp_path / line[f"surround_{name}"]), cv2.IMREAD_UNCHANGED)
        assert read.dtype == np.uint8
        assert ((read == record.UNSEEN) == ~SEEN).all()
        np.testing.assert_allclose(read[SEEN] / 254, getattr(ANSWER, name)[SEEN], atol=0.5 / 254)
    assert set(record.FILES) < set(line)
    grid = line["surround_grid"]
    assert grid["x_min_m"] + grid["cells_x"] * grid["cell_m"] == GRID.extent_m[2]
    assert len(line["surround_objects"]) == len(LABEL.objects)
    assert line["surround_objects"][0].keys() == vars(ANSWER.objects[0]).keys()


def test_a_map_that_nobody_says_is_null(tmp_path):
    line = record.prediction(MASKS, tmp_path, Path("a.png"))
    assert line["surround_vehicle"] is None
    assert line["surround_objects"] == []
    assert record.result(MASKS)["surround"]["vehicle_m2"] is None


def test_results_tell_areas_in_square_metres():
    told = record.result(answer_of(one_vehicle(10.0, 0.0, 0.0, 4.0, 2.0)))["surround"]
    assert told["vehicle_m2"] == pytest.approx(8.0)
    assert told["objects"] == 1
    assert told["seen"] == 1.0
    assert record.result(ANSWER)["surround"]["seen"] == pytest.approx(SEEN.mean(), abs=1e-4)


def test_scores_are_null_without_a_label():
    counted = Metric()
    assert set(record.scores(counted).values()) == {None}
    counted.update(answer_of(), truth_of())
    assert set(record.scores(counted).values()) == {1.0}
    json.dumps(record.scores(counted), allow_nan=False)


def test_whole_percent_are_the_same_and_another_answer_is_not():
    line = record.result(ANSWER)
    percent = replace(ANSWER, drivable=np.round(ANSWER.drivable, 2))
    assert not record.different(line, percent)
    assert record.different(line, replace(ANSWER, drivable=ANSWER.drivable / 2)) == ["surround"]
    assert record.different(line, MASKS) == ["surround"]
    assert record.different(line, ANSWER.within(GRID.centres()[..., 0] > 0)) == ["surround"]


def test_a_vehicle_is_detected():
    assert record.detected(ANSWER) == ["vehicle"]
    assert record.detected(MASKS) == []
    assert set(record.detected(ANSWER)) <= set(record.DETECTABLE)
