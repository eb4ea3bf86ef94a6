# SPDX-License-Identifier: Apache-2.0
"""Scores of rigs: perfect is 1, what is not seen or not answered is not scored, pooled = merged."""

import math
from dataclasses import replace

import numpy as np
import pytest
from rig_moments import (
    GRID,
    TASK,
    answers_of,
    drivable,
    evaluated,
    everywhere,
    label_of,
    perfect,
    seen_ahead,
    without_vehicles,
)

from shared_encoder_perception.evaluation.rigs.counts import RigCounts
from shared_encoder_perception.evaluation.rigs.picked_moments import (
    BEST,
    MIDDLE,
    WORST,
    near_label,
    pick,
)
from shared_encoder_perception.evaluation.rigs.rig_evaluation import (
    EQUAL,
    ON_GROUND,
    OWN,
    SWAPPED,
    TABLES,
    RigEvaluation,
)
from shared_encoder_perception.evaluation.rigs.rig_tables import (
    numbers_table,
    terminal_text,
    unanswered,
)
from shared_encoder_perception.rig.boxes import Box
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.ground_map import GroundLabel
from shared_encoder_perception.tasks.contract.reports import CONSTANT, EMPTY, MODEL
from shared_encoder_perception.tasks.surround.target import truth

SHARES = ("vehicle_iou", "drivable_iou", "centre_recall", "centre_precision")


def moments(count=4, seen=None):
    return [(label_of(i), answers_of(perfect(label_of(i), seen))) for i in range(count)]


def section(evaluation, who=MODEL, comparison=OWN):
    return evaluation.summary()[comparison][who][TASK]


def equal(one, other):
    """Whether two summaries are the same, NaN and all."""
    np.testing.assert_equal(one, other)


def test_perfect_answers_score_1_at_every_distance():
    evaluation = evaluated(moments())
    scores = section(evaluation)
    assert [scores[name] for name in SHARES] == [1.0] * 4
    assert scores["offset_error_m"] == pytest.approx(0, abs=1e-6)
    assert scores["centre_error_m"] < 0.3
    bins = evaluation.summary()[OWN][MODEL]["surround_distances"].values()
    assert {one["drivable_iou"] for one in bins if not math.isnan(one["drivable_iou"])} == {1.0}
    assert sum(one["vehicles"] for one in bins) == 12
    assert all(one.scores.faults == 0 for one in evaluation.records)


def test_one_wrong_moment_costs_what_its_cells_are():
    wrong = replace(perfect(label_of(1)), drivable=np.zeros(GRID.shape, np.float32))
    evaluation = evaluated([moments()[0], (label_of(1), answers_of(wrong))])
    areas = [(drivable(2.0 * index).values > 0).sum() for index in range(2)]
    assert section(evaluation)["drivable_iou"] == pytest.approx(areas[0] / sum(areas))
    assert section(evaluation)["vehicle_iou"] == 1.0
    assert [one.scores.faults for one in evaluation.records] == pytest.approx([0.0, 0.5])


def test_sources_pooled_are_all_moments_together():
    apart = evaluated(moments(5), sources=("town", "country"))
    together = evaluated(moments(5))
    for who in (MODEL, CONSTANT, EMPTY):
        equal(apart.summary()[OWN][who], together.summary()[OWN][who])
    assert list(apart.summary()["sources"]) == ["country", "town"]
    country = apart.summary()["sources"]["country"][CONSTANT][TASK]
    assert country["moments"] == 2
    assert country != section(apart, CONSTANT)


def test_merged_counts_are_pooled_counts():
    seen, wrong = everywhere(), perfect(label_of(3))
    truths = [truth(label_of(index), GRID, seen) for index in range(3)]
    each = [RigCounts.of(TASK, wrong, one) for one in truths]
    whole = RigCounts(TASK)
    for one in truths:
        whole.basic.update(wrong, one)
        whole.full.update(wrong, one)
    equal(RigCounts.pooled(TASK, each).compute(), whole.compute())
    equal(RigCounts.pooled(TASK, each[::-1]).compute(), whole.compute())
    assert whole.compute() != each[0].compute()


def test_two_evaluations_are_equal():
    equal(evaluated(moments()).summary(), evaluated(moments()).summary())


def test_cells_that_no_camera_sees_never_count():
    seen = seen_ahead()
    answer = perfect(label_of(0), seen)
    # Behind everything is otherwise than labelled; whoever looked there would see it.
    values = label_of(0).drivable.values.copy()
    values[~seen] = 255 - values[~seen]
    boxes = (*label_of(0).objects, Box("vehicle", -6.0, -5.0, 0.8, 4.0, 2.0, 1.5, 0.0))
    other = GroundLabel(boxes, replace(label_of(0).drivable, values=values))
    one, two = (evaluated([(label, answers_of(answer))]) for label in (label_of(0), other))
    equal(section(one), section(two))
    assert [section(two)[name] for name in SHARES] == [1.0] * 4
    whole = evaluated([(other, answers_of(perfect(label_of(0))))])
    assert section(whole)["drivable_iou"] < 0.9
    assert section(whole)["centre_recall"] == 0.75
    assert two.records[0].seen == pytest.approx(seen.mean())


def test_an_answer_that_there_is_not_is_no_zero():
    evaluation = evaluated(
        [(label_of(i), answers_of(without_vehicles(perfect(label_of(i))))) for i in range(2)]
    )
    scores = section(evaluation)
    for name in ("vehicle_iou", "vehicle_iou_near", "centre_recall", "centre_precision"):
        assert math.isnan(scores[name])
    assert scores["vehicle_answered"] == 0
    assert scores["drivable_iou"] == 1.0
    assert unanswered(TASK, evaluation.compared(OWN)[MODEL]) == ["vehicle"]
    text = terminal_text(evaluation)
    assert "the model does not answer: vehicle" in text
    row = next(line for line in text.splitlines() if line.startswith("vehicle IoU "))
    assert row.split()[2] == "-"
    assert row.split()[-1] == "0.000"  # who says that there is nothing does answer
    assert evaluation.records[0].scores.faults == 0


def test_nothing_that_is_labelled_is_nothing_to_score():
    bare = GroundLabel(objects=label_of(0).objects)
    evaluation = evaluated([(bare, answers_of(without_vehicles(perfect(label_of(0)))))])
    assert not evaluation.records[0].scores.scored
    assert not any(pick(evaluation.records).values())


def test_baselines_say_the_mean_map_and_nothing():
    same = [(label_of(0), answers_of(perfect(label_of(0))))] * 3
    evaluation = evaluated(same)
    assert section(evaluation, CONSTANT)["drivable_iou"] == 1.0
    assert section(evaluation, CONSTANT)["centre_recall"] == 0
    assert section(evaluation, EMPTY)["drivable_iou"] == 0
    assert 0 < section(evaluated(moments()), CONSTANT)["drivable_iou"] < 1
    assert set(evaluation.baselines) == {CONSTANT, EMPTY}


def test_who_does_not_look_is_scored_on_the_models_cells():
    seen = seen_ahead()
    compared = evaluated(moments(1, seen)).compared(OWN)
    counts = [one["calibration"]["surround_drivable"]["count"] for one in compared.values()]
    assert counts == [seen.sum()] * 3


def test_model_and_masks_are_compared_on_cells_that_both_see():
    label, ahead = label_of(0), seen_ahead()
    left = GRID.centres()[..., 1] > -10.0
    model, masks = perfect(label, ahead), without_vehicles(perfect(label, left))
    # Both are wrong where the other does not see: on equal cells nobody notices.
    model = replace(model, drivable=np.where(left, model.drivable, 1 - model.drivable))
    masks = replace(masks, drivable=np.where(ahead, masks.drivable, 1 - masks.drivable))
    evaluation = evaluated([(label, answers_of(model, masks))])
    compared = evaluation.compared(EQUAL)
    assert list(compared) == [MODEL, ON_GROUND, CONSTANT, EMPTY]
    counts = {who: scores["calibration"]["surround_drivable"] for who, scores in compared.items()}
    assert {one["count"] for one in counts.values()} == {int((ahead & left).sum())}
    assert compared[MODEL][TASK]["drivable_iou"] == 1.0
    assert compared[ON_GROUND][TASK]["drivable_iou"] == 1.0
    assert math.isnan(compared[ON_GROUND][TASK]["vehicle_iou"])
    assert section(evaluation)["drivable_iou"] < 1.0
    assert evaluation.records[0].beside["equal_masks_surround_drivable_iou"] == 1.0


def test_a_swap_tells_what_is_left():
    label = label_of(0)
    swapped = replace(perfect(label), vehicle=np.zeros(GRID.shape, np.float32), objects=())
    evaluation = evaluated([(label, answers_of(perfect(label), swapped=swapped)), *moments(2)])
    assert evaluation.moments(TABLES) == 1  # of the others there was no pair
    assert evaluation.kept() == {"surround_vehicle_iou": 0.0, "surround_drivable_iou": 1.0}
    assert evaluation.compared(TABLES)[SWAPPED][TASK]["centre_recall"] == 0
    assert "surround vehicle IoU keeps 0%" in terminal_text(evaluation)
    assert not evaluated(moments(1)).kept()


def test_each_score_has_a_row_and_each_answer_a_column():
    header, rows = numbers_table(TASK, evaluated(moments(1)).compared(OWN))
    assert header == ["", MODEL, CONSTANT, EMPTY]
    assert all(len(row) == 4 for row in rows)
    assert "vehicle IoU near" in [row[0] for row in rows]


def test_each_moment_is_shown_once_the_extremes_first():
    said = [perfect(label_of(i)) for i in range(7)]
    worse = [
        replace(one, drivable=np.where(GRID.centres()[..., 0] < 3.0 * index, 0, one.drivable))
        for index, one in enumerate(said)
    ]
    order = [3, 6, 0, 5, 1, 2, 4]
    evaluation = evaluated([(label_of(i), answers_of(worse[i])) for i in order])
    faults = [one.scores.faults for one in evaluation.records]
    shown = pick(evaluation.records, kept=2)
    assert [order[one.index] for one in shown[WORST]] == [6, 5]
    assert [order[one.index] for one in shown[BEST]] == [0, 1]
    assert order[shown[MIDDLE][0].index] == 3
    assert max(faults) == shown[WORST][0].scores.faults
    assert len({one.index for kind in shown.values() for one in kind}) == 6


def test_labels_in_pictures_are_of_what_is_near_and_seen():
    far = Box("vehicle", 60.0, 0.0, 0.8, 4.0, 2.0, 1.5, 0.0)
    hidden = Box("vehicle", 10.0, 0.0, 0.8, 4.0, 2.0, 1.5, 0.0, 0.0)
    label = GroundLabel((*label_of(0).objects, far, hidden))
    assert near_label(label, GRID).objects == label_of(0).objects
    assert near_label(GroundLabel(), GRID).objects is None


def test_an_answer_of_other_cells_is_refused():
    evaluation = RigEvaluation(TASK, BevGrid(cells_x=60))
    with pytest.raises(ValueError, match="the answer is of BevGrid"):
        evaluation.update(0, "a", "b", label_of(0), answers_of(perfect(label_of(0))))
