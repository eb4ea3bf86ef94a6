# SPDX-License-Identifier: Apache-2.0
"""What rooms say for ``compare``, ``diff`` and ``mine`` fits together, whatever the tasks are."""

from collections import Counter

import pytest

from shared_encoder_perception import tasks
from shared_encoder_perception.evaluation.deviations import quantities, shown_scores
from shared_encoder_perception.evaluation.diff.metrics import scores_of
from shared_encoder_perception.mining.reasons import reason_names
from shared_encoder_perception.tasks.contract.comparisons import AGREEMENT, FRAMES

DRIFTS = tasks.parts("drift")


def test_no_two_tasks_share_a_name():
    for names in (
        [score.name for score in scores_of(tasks.ROOMS)],
        reason_names(tasks.ROOMS),
        [name for room in tasks.ROOMS for name in quantities([room])],
        [name for room in tasks.ROOMS for name in shown_scores([room])],
        [thing for room in DRIFTS.values() if room.THINGS for thing in room.THINGS.names],
    ):
        assert [name for name, count in Counter(names).items() if count > 1] == []


@pytest.mark.parametrize("name", DRIFTS)
def test_what_is_counted_has_a_column(name):
    room = DRIFTS[name]
    assert len(set(room.COLUMNS)) == len(room.COLUMNS) and FRAMES not in room.COLUMNS
    known = {score.name for score in room.SCORES}
    assert known.issuperset(tasks.part(name, "metric").SCORE), "the mean of these is the score"
    for thing in room.THINGS.names if room.THINGS else ():
        assert f"{thing}/detected" in room.COLUMNS
        assert known.issuperset(f"{AGREEMENT}{thing}/{what}" for what in room.THINGS.agreed)


@pytest.mark.parametrize("name", DRIFTS)
def test_agreement_has_a_best_and_other_scores_have_none(name):
    for score in DRIFTS[name].SCORES:
        assert (score.perfect is not None) == score.name.startswith(AGREEMENT), score.name


@pytest.mark.parametrize("name", tasks.parts("differences"))
def test_scores_that_are_compared_are_scores(name):
    headline = tasks.part(name, "metric").headline({})
    assert set(tasks.part(name, "differences").SCORES) <= set(headline)
