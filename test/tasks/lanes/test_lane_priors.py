# SPDX-License-Identifier: Apache-2.0
"""Where lanes start: the middle and the spread of what labels show."""

import numpy as np
import pytest

from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.lanes.labels import Label
from shared_encoder_perception.tasks.lanes.priors import Priors
from shared_encoder_perception.tasks.lanes.spec import Block


def learned(count, seed=0):
    rng = np.random.default_rng(seed)
    priors = Priors(Block(), (64, 160))
    for _ in range(count):
        x = 80 + rng.normal(0, 8)
        line = np.array([[x, 60], [x, 20]], np.float32)
        priors.update(Label(dict.fromkeys(LaneId, line)))
    return priors.fit()


def test_priors_are_where_lanes_start():
    prior = learned(200).start_priors[0]
    assert prior.u == pytest.approx(10, abs=0.5)
    assert prior.v == pytest.approx(7.5)
    assert prior.sigma_u == prior.sigma_v == 3.0  # the floor


def test_too_few_samples_are_no_statistics():
    with pytest.raises(ValueError, match="only 5 samples show ego"):
        learned(5)
