# SPDX-License-Identifier: Apache-2.0
"""Reliability of all tasks: parts merge into the whole, and it is drawn."""

import json

import numpy as np
import pytest
from perceptions import perception as perception_of
from samples import sample_of

from shared_encoder_perception.evaluation.report_tables import terminal_table
from shared_encoder_perception.evaluation.scorer import Scorer
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.lanes.answer import LaneId, LaneLine, LaneStatus

SIZE = (60, 80)
TRUTH = np.stack((np.full(10, 40.0), np.arange(55.0, 5.0, -5.0)), axis=1).astype(np.float32)


def say(confidence):
    ego = LaneLine(LaneId.EGO, LaneStatus.DETECTED, confidence, TRUTH, np.zeros(len(TRUTH)))
    return (ego, *(LaneLine(lane) for lane in LaneId if lane is not LaneId.EGO))


def scored(seeds):
    scorer = Scorer((32, 64))
    for seed in seeds:
        rng = np.random.default_rng(seed)
        said = rng.integers(0, 256, SIZE, np.uint8)
        mask = np.where(said > 99, 255, 0).astype(np.uint8)
        perception = perception_of(SIZE, say(rng.uniform()), DrivableMask(said))
        lanes = {LaneId.EGO: TRUTH if seed % 2 else None}
        sample = sample_of(np.zeros((*SIZE, 3), np.uint8), lanes, mask)
        scorer.update("ab"[seed % 3 > 0], perception, sample, Crop(0, 10, 80, 40))
    return scorer


def test_merged_parts_equal_the_whole_inside_the_crop():
    whole, part = scored(range(12)), scored(range(0, 12, 2))
    part.merge(scored(range(1, 12, 2)))
    for source, values in whole.compute().items():
        merged, pooled = part.compute()[source]["calibration"], values["calibration"]
        for task in ("lanes", "mask"):
            assert merged[task]["ece"] == pytest.approx(pooled[task]["ece"])
            assert merged[task]["count"] == pooled[task]["count"]
        assert pooled["mask"]["count"] == values["mask"]["images"] * 40 * 80
    json.dumps(whole.compute(), allow_nan=True)
    assert "calibration error, lanes / mask" in terminal_table(whole.compute())


def test_the_diagram_is_drawn():
    pytest.importorskip("matplotlib", reason="make test")
    from shared_encoder_perception.evaluation import reliability

    picture = reliability.plot(scored(range(6)).compute())
    assert picture.dtype == np.uint8 and picture.shape[2] == 3
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20
