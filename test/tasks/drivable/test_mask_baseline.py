# SPDX-License-Identifier: Apache-2.0
"""The constant mask is where half of the labels are drivable, of those that say so."""

import numpy as np
import pytest

from shared_encoder_perception.tasks.drivable.baseline import Constant, nothing
from shared_encoder_perception.tasks.drivable.labels import Label

SIZE = (180, 320)


def surface(top=90, ignored=0):
    mask = np.zeros(SIZE, np.uint8)
    mask[top:] = 255
    mask[:ignored] = 127
    return mask


def fit(*masks):
    baseline = Constant()
    for mask in masks:
        baseline.update(Label(mask), SIZE)
    return baseline


def test_the_mask_is_where_half_of_the_labels_are_drivable():
    baseline = fit(surface(60), surface(120), surface(120))
    assert (baseline.answer(SIZE).binary()[:110] == 0).all()
    assert (fit(surface(60), surface(120)).answer(SIZE).binary()[70:] == 255).all()


def test_ignored_pixels_do_not_speak_against_the_surface():
    hidden = surface(40, ignored=100)
    drivable = fit(hidden, hidden, surface(40)).answer(SIZE).binary() > 0
    assert drivable[50:].all()
    assert not drivable[:30].any()
    assert not (fit(hidden).answer(SIZE).binary() > 0)[:90].any()


def test_it_scales_with_the_image():
    large = fit(surface()).answer((360, 640))
    assert large.probability.shape == (360, 640)
    assert (large.binary() > 0).mean() == pytest.approx(0.5, abs=0.01)


def test_what_was_never_labelled_is_not_said():
    for said in (Constant().answer(SIZE), nothing(SIZE)):
        assert said.probability.shape == SIZE
        assert not said.probability.any()


def test_merged_parts_equal_the_whole():
    rng = np.random.default_rng(0)
    masks = [surface(int(rng.integers(60, 120))) for _ in range(6)]
    whole, part = fit(*masks), fit(*masks[:2])
    part.merge(fit(*masks[2:]))
    one, other = (baseline.answer(SIZE).probability.astype(int) for baseline in (whole, part))
    assert one.any()
    assert np.abs(one - other).max() <= 1
