# SPDX-License-Identifier: Apache-2.0
"""Scores: perfect for the truth, pooled, by distance, and blind to what nobody knows."""

from dataclasses import replace
from math import isnan

import numpy as np
import pytest
from surround_scene import (
    BOXES,
    GRID,
    LABEL,
    NARROW,
    answer_of,
    one_vehicle,
    partly_in_view,
    seen_behind_nothing,
    soft,
    truth_of,
)

from shared_encoder_perception.rig.boxes import Box
from shared_encoder_perception.rig.ground_map import NO, NOT_KNOWN, YES, GroundLabel
from shared_encoder_perception.tasks.surround import baseline
from shared_encoder_perception.tasks.surround.answer import SeenObject, Surround
from shared_encoder_perception.tasks.surround.metric import (
    COLUMNS,
    SCORE,
    FullMetric,
    Metric,
    full_headline,
    headline,
    record,
    shipped_scores,
)
from shared_encoder_perception.tasks.surround.scores import BINS, matched

ALL = np.ones(GRID.shape, np.bool_)


def section(answer, truth, kind=Metric, name="surround"):
    """Return what is computed of one moment."""
    counted = kind()
    counted.update(answer, truth)
    return counted.compute()[name]


def at(x_m, y_m):
    """Return an object at a place."""
    return SeenObject(x_m, y_m, 4.0, 2.0, 0.0, 1.0, 9)


def test_the_truth_scores_one():
    found = section(answer_of(), truth_of(partly_in_view()))
    hidden = [found.pop(f"{name}_hidden_share") for name in ("vehicle", "drivable")]
    assert 0.4 < hidden[0] < hidden[1] < 0.6
    errors = {name: found.pop(name) for name in ("centre_error_m", "offset_error_m")}
    assert max(errors.values()) < 1e-3
    assert found.pop("moments") == 1
    assert set(found.values()) == {1.0}


def test_a_vehicle_one_cell_aside_has_the_iou_of_two_shifted_rectangles():
    true = truth_of(one_vehicle(10.0, 0.0, 0.0, 4.0, 2.0))
    answer = answer_of(one_vehicle(10.5, 0.0, 0.0, 4.0, 2.0))
    found = section(answer, true)
    assert found["vehicle_iou"] == pytest.approx(7 / 9)
    assert found["centre_error_m"] == pytest.approx(0.5, abs=1e-4)


def test_the_offsets_error_is_in_metres_and_of_true_cells_only():
    answer, true = answer_of(), truth_of()
    shifted = replace(
        answer, offset=answer.offset + np.array((0.3, -0.4), np.float32)[:, None, None]
    )
    assert section(shifted, true)["offset_error_m"] == pytest.approx(0.5, abs=1e-4)
    elsewhere = answer.offset.copy()
    elsewhere[:, true.ids == 0] += 9
    assert section(replace(answer, offset=elsewhere), true)["offset_error_m"] < 1e-3
    assert isnan(section(replace(answer, offset=None), true)["offset_error_m"])


def test_a_centre_is_found_within_a_metre():
    true, answer = truth_of(one_vehicle(10.0, 0.0)), answer_of(GroundLabel(()))
    for x, right in ((10.9, 1.0), (11.1, 0.0)):
        found = section(replace(answer, objects=(at(x, 0.0),)), true)
        assert found["centre_recall"] == right
        assert found["centre_precision"] == right
    twice = section(replace(answer, objects=(at(10.2, 0.0), at(9.9, 0.0))), true)
    assert (twice["centre_recall"], twice["centre_precision"]) == (1.0, 0.5)
    assert twice["centre_error_m"] == pytest.approx(0.1)


def test_pairs_are_the_nearest_first_and_each_once():
    boxes = [Box("vehicle", x, 0.0, 0.8, 4.0, 2.0, 1.5, 0.0) for x in (0.0, 0.9)]
    objects = [at(0.5, 0.0), at(1.0, 0.0)]
    assert sorted(matched(objects, boxes)) == [(0, 0), (1, 1)]
    assert matched([at(0.5, 0.0)], boxes) == [(0, 1)]
    assert matched([], boxes) == matched(objects, []) == []


def test_near_and_far_are_told_apart():
    near, far = one_vehicle(9.0, 0.0), one_vehicle(30.0, 0.0)
    both = truth_of(GroundLabel((*near.objects, *far.objects)))
    found = section(answer_of(near), both)
    assert (found["centre_recall"], found["centre_recall_near"]) == (0.5, 1.0)
    assert found["vehicle_iou"] == pytest.approx(0.5, abs=0.02)
    assert found["vehicle_iou_near"] == 1.0
    by_distance = section(answer_of(near), both, FullMetric, "surround_distances")
    assert list(by_distance) == list(BINS)
    assert by_distance["0-10 m"]["centre_recall"] == 1.0
    assert by_distance["20-35 m"]["centre_recall"] == 0.0
    assert by_distance["20-35 m"]["vehicle_iou"] == 0.0
    assert isnan(by_distance["50 m and more"]["vehicle_iou"])
    assert sum(row["vehicles"] for row in by_distance.values()) == 2


def test_what_is_not_known_costs_nothing():
    """A hidden vehicle, an unseen corner, a label without vehicles: no mistake in either way."""
    hidden = replace(BOXES[0], visible=0.1)
    label = GroundLabel((hidden, *BOXES[1:]), LABEL.drivable)
    assert section(answer_of(LABEL), truth_of(label))["vehicle_iou"] == 1.0
    found = section(answer_of(LABEL), truth_of(label))
    assert (found["centre_recall"], found["centre_precision"]) == (1.0, 1.0)
    seen = GRID.centres()[..., 0] > 0
    part = section(answer_of(LABEL, seen), truth_of(LABEL, seen))
    assert (part["vehicle_iou"], part["centre_recall"], part["vehicle_answered"]) == (1, 1, 1)
    unknown = section(answer_of(LABEL), truth_of(GroundLabel(None, LABEL.drivable)))
    assert isnan(unknown["vehicle_iou"])
    assert isnan(unknown["centre_recall"])
    assert unknown["drivable_iou"] == 1.0


def test_what_an_answer_does_not_see_is_left_out_and_told():
    half = answer_of(LABEL).within(GRID.centres()[..., 1] > 0)
    found = section(half, truth_of(LABEL))
    assert found["drivable_iou"] == 1.0
    assert found["drivable_answered"] == pytest.approx(0.5)


def test_masks_alone_are_scored_as_far_as_they_say():
    masks = Surround(GRID, ALL, drivable=answer_of().drivable)
    found = section(masks, truth_of())
    assert found["drivable_iou"] == 1.0
    assert found["vehicle_answered"] == 0.0
    assert isnan(found["vehicle_iou"])
    assert isnan(found["centre_recall"])
    by_distance = section(masks, truth_of(), FullMetric, "surround_distances")
    there = section(answer_of(), truth_of(), FullMetric, "surround_distances")
    assert [row["vehicles"] for row in by_distance.values()] == [
        row["vehicles"] for row in there.values()
    ]


def test_swapped_rows_and_columns_are_seen():
    true = truth_of()
    answer = answer_of()
    flipped = replace(answer, vehicle=np.ascontiguousarray(answer.vehicle.T))
    assert section(flipped, true)["vehicle_iou"] < 0.2
    with pytest.raises(ValueError, match="cells"):
        section(answer, truth_of(LABEL, grid=NARROW.grid))


def test_metrics_merged_are_metrics_pooled():
    seen = seen_behind_nothing()
    moments = [
        (soft(answer_of(seen=seen), seed), truth_of(one_vehicle(5.0 * seed, seed - 2.0), seen))
        for seed in range(4)
    ] + [(answer_of(), truth_of())]
    for kind in (Metric, FullMetric):
        pooled, merged = kind(), kind()
        for moment in moments:
            one = kind()
            one.update(*moment)
            pooled.update(*moment)
            merged.merge(one)
        assert repr(merged.compute()) == pytest.approx(repr(pooled.compute()))
    ious = [section(*moment)["vehicle_iou"] for moment in moments]
    assert pooled.area["vehicle"].iou != pytest.approx(np.nanmean(ious), abs=1e-3)


def test_calibration_is_zero_where_confidence_comes_true():
    rng = np.random.default_rng(0)
    said = rng.choice(np.array((0.2, 0.8), np.float32), GRID.shape)
    values = np.where(rng.uniform(size=GRID.shape) < said, YES, NO).astype(np.uint8)
    true = replace(truth_of(GroundLabel(())), drivable=values)
    right = section(Surround(GRID, ALL, drivable=said), true, name="calibration")
    wrong = section(Surround(GRID, ALL, drivable=1 - said), true, name="calibration")
    assert right["surround_drivable"]["ece"] < 0.02
    assert wrong["surround_drivable"]["ece"] == pytest.approx(0.6, abs=0.02)
    assert right["surround_drivable"]["count"] == GRID.cells_x * GRID.cells_y
    assert isnan(right["surround_vehicle"]["ece"])
    half = Surround(GRID, ALL, drivable=said).within(GRID.centres()[..., 0] > 10)
    assert section(half, true, name="calibration")["surround_drivable"]["count"] == half.seen.sum()


def test_headlines_and_records_have_the_names_that_they_promise():
    counted, full = Metric(), FullMetric()
    for metric in (counted, full):
        metric.update(answer_of(), truth_of(partly_in_view()))
    assert set(SCORE) == set(headline({"one": counted, "nothing": Metric()}))
    assert headline({"one": counted, "nothing": Metric()})["surround_vehicle_iou"] == 1.0
    assert all(value == 1.0 for value in full_headline({"one": full}).values())
    assert all(value == 1.0 for value in shipped_scores(counted.compute()).values())
    scored = record(answer_of(), full)
    assert tuple(scored.cells) == COLUMNS
    assert (scored.faults, scored.scored) == (0.0, True)
    assert not record(answer_of(), FullMetric()).scored


def test_the_usual_map_says_how_often_a_cell_was_so():
    labels = [one_vehicle(10.0, 0.0), one_vehicle(10.0, 0.0), one_vehicle(-5.0, 3.0), LABEL]
    one, other = baseline.Constant(), baseline.Constant()
    for index, label in enumerate(labels):
        (one, other)[index % 2].update(truth_of(label), GRID)
    one.merge(other)
    seen = seen_behind_nothing()
    answer = one.answer(GRID, seen)
    column, row = GRID.cells(np.array((10.0, 0.25))).astype(int)
    assert answer.vehicle[row, column] == pytest.approx(2 / 4)
    assert (np.isnan(answer.vehicle) == ~seen).all()
    # Only one label says where one may drive.
    assert set(np.unique(answer.drivable[seen])) == {0, 1}
    assert section(answer, truth_of(LABEL))["drivable_iou"] == 1.0
    with pytest.raises(ValueError, match="the usual map is of"):
        one.update(truth_of(LABEL, grid=NARROW.grid), NARROW.grid)
    with pytest.raises(ValueError, match="the usual map is of"):
        one.answer(NARROW.grid, np.ones(NARROW.grid.shape, np.bool_))


def test_nothing_is_said_where_nothing_was_learned():
    seen = seen_behind_nothing()
    one = baseline.Constant()
    one.merge(baseline.Constant())
    answer = one.answer(GRID, seen)
    found = section(answer, truth_of())
    assert (found["vehicle_iou"], found["drivable_iou"], found["centre_recall"]) == (0, 0, 0)
    assert (truth_of(LABEL, seen).vehicle[~seen] == NOT_KNOWN).all()
