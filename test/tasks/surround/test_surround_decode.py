# SPDX-License-Identifier: Apache-2.0
"""Decoding: what is true comes back, what is unseen is not said, thresholds are obeyed."""

from dataclasses import replace

import numpy as np
import pytest
from surround_scene import BLOCK, BOXES, GRID, LABEL, answer_of, seen_behind_nothing, truth_of

from shared_encoder_perception.tasks.masks.values import NO, YES
from shared_encoder_perception.tasks.surround.decode import Decoder, Options, calibrated


def outputs(value=0.0):
    """Return planes that are all alike."""
    return {"surround": np.full((5, *GRID.shape), value, np.float32)}


def test_label_target_outputs_answer_is_the_label():
    answer, true = answer_of(), truth_of()
    for name in ("vehicle", "drivable"):
        assert (answer.binary(name) == getattr(true, name)).all()
        assert {NO, YES} <= set(np.unique(answer.binary(name)))
    assert len(answer.objects) == len(BOXES)
    x, y = np.moveaxis(GRID.centres(), -1, 0)
    cells = true.ids == 1
    assert (x + answer.offset[0])[cells] == pytest.approx(BOXES[0].x_m, abs=1e-4)
    assert (y + answer.offset[1])[cells] == pytest.approx(BOXES[0].y_m, abs=1e-4)


def test_what_is_unseen_is_nan_and_nothing_else_is():
    seen = seen_behind_nothing()
    assert not seen.all()
    for value in (0.0, 1.0):
        answer = Decoder(BLOCK)(outputs(value), seen, Options())
        for name in ("vehicle", "drivable", "centre"):
            assert (np.isnan(getattr(answer, name)) == ~seen).all()


def test_what_a_network_says_of_unseen_cells_changes_nothing():
    seen = seen_behind_nothing()
    clean = answer_of(seen=seen)
    planes = np.nan_to_num(
        np.stack((clean.vehicle, clean.drivable, clean.centre, *clean.offset)), nan=1.0
    )
    planes[:, ~seen] = np.nan
    answer = Decoder(BLOCK)({"surround": planes}, seen, Options())
    assert answer.objects == clean.objects
    np.testing.assert_array_equal(answer.vehicle, clean.vehicle)


def test_a_cell_that_is_seen_and_not_said_is_refused():
    planes = outputs(0.5)
    planes["surround"][1, 3, 4] = np.nan
    seen = np.ones(GRID.shape, np.bool_)
    with pytest.raises(ValueError, match="drivable is to be NaN exactly"):
        Decoder(BLOCK)(planes, seen, Options())
    with pytest.raises(ValueError, match="surround is"):
        Decoder(BLOCK)({"surround": planes["surround"][:, :-1]}, seen, Options())


def test_rounding_above_one_is_cut_off():
    answer = Decoder(BLOCK)(outputs(1.004), np.ones(GRID.shape, np.bool_), Options())
    assert (answer.vehicle == 1).all()


def test_options_are_the_models_and_decide():
    block = replace(BLOCK, vehicle_threshold=0.3, drivable_threshold=0.4, centre_threshold=0.2)
    assert Options.of(block) == Options(0.3, 0.4, 0.2)
    answer = answer_of(block=block)
    assert (answer.vehicle_threshold, answer.drivable_threshold) == (0.3, 0.4)
    assert answer_of(options=Options(centre_threshold=1.0)).objects == ()
    dim = outputs()
    true = truth_of(LABEL)
    dim["surround"][0], dim["surround"][2] = 0.45 * (true.vehicle == YES), true.centre
    dim["surround"][3:] = true.offset
    seen = np.ones(GRID.shape, np.bool_)
    assert not Decoder(BLOCK)(dim, seen, Options()).objects
    found = Decoder(BLOCK)(dim, seen, Options(0.4)).objects
    assert [one.score for one in found] == pytest.approx([0.45] * len(BOXES))


def test_calibration_undoes_what_a_weighted_loss_did():
    """A weight of w on positives raises odds by w: a bias of -log w brings them back."""
    true = np.linspace(0, 1, 11, dtype=np.float32)
    raised = 2.13 * true / (2.13 * true + 1 - true)
    said = calibrated(raised.astype(np.float32), 1.0, -float(np.log(2.13)))
    assert said.dtype == np.float32
    assert said == pytest.approx(true, abs=1e-6)
    assert calibrated(np.array([0.9], np.float32), 2.0, 0.0) == pytest.approx(0.75)  # odds 9, 3
    assert (np.diff(calibrated(true, 2.0, 0.3)) > 0).all()
    assert np.isnan(calibrated(np.array([np.nan], np.float32), 2.0, 0.3)).all()


def test_thresholds_are_of_calibrated_probabilities():
    block = replace(BLOCK, vehicle_bias=-1.0)
    planes = outputs(0.6)
    answer = Decoder(block)(planes, np.ones(GRID.shape, np.bool_), Options.of(block))
    assert not answer.binary("vehicle").any()
    assert answer.binary("drivable").all()
