# SPDX-License-Identifier: Apache-2.0
"""Foreground scored: edges, empty pairs, answers that know nothing, methods that learn nothing."""

import math
from dataclasses import replace

import numpy as np
import pytest

from shared_encoder_perception.images.image_msg import fill_image
from shared_encoder_perception.structures import Crop
from shared_encoder_perception.tasks.foreground import content, draw, record, rivals
from shared_encoder_perception.tasks.foreground.answer import ForegroundMask
from shared_encoder_perception.tasks.foreground.labels import Label
from shared_encoder_perception.tasks.foreground.metric import (
    FullMetric,
    Metric,
    full_headline,
    headline,
)
from shared_encoder_perception.world.synthetic import render_sample

SIZE = (96, 240)
WHOLE = Crop(0, 0, 240, 96)


def truth(shift=0):
    mask = np.zeros(SIZE, np.uint8)
    mask[30:70, 60 + shift : 140 + shift] = 255
    return mask


def label_of(mask):
    return Label(mask, np.zeros((*SIZE, 3), np.uint8))


def scored(said, label, kind=Metric):
    metric = kind()
    metric.update(ForegroundMask(said), label, SIZE, WHOLE)
    return metric


@pytest.mark.parametrize(("shift", "f1"), [(0, 1.0), (2, 1.0), (3, None)])
def test_an_edge_counts_within_two_pixels(shift, f1):
    found = full_headline({"a": scored(truth(shift), label_of(truth()), FullMetric)})
    if f1 is None:
        assert found["foreground_edge_f1"] < 0.9
    else:
        assert found["foreground_edge_f1"] == f1


def test_false_pixels_count_on_empty_pairs_alone():
    nothing = label_of(np.zeros(SIZE, np.uint8))
    some = np.zeros(SIZE, np.uint8)
    some[0, :24] = 255
    numbers = headline({"a": scored(some, nothing)})
    assert numbers["foreground_false_percent"] == pytest.approx(2400 / (96 * 240))
    assert numbers["foreground_iou"] == 0
    said = scored(some, nothing).compute()["foreground"]
    assert (said["images"], said["empty_pairs"]) == (0, 1), "it has no IoU of its own"
    other = headline({"a": scored(some, label_of(truth()))})
    assert math.isnan(other["foreground_false_percent"])
    unknown = label_of(np.full(SIZE, 127, np.uint8))
    assert math.isnan(headline({"a": scored(some, unknown)})["foreground_false_percent"])


def test_an_answer_that_knows_nothing_is_neither_right_nor_wrong():
    metric = Metric()
    metric.update(ForegroundMask(truth(), known=False), label_of(truth()), SIZE, WHOLE)
    assert math.isnan(headline({"a": metric})["foreground_iou"])
    unknown = ForegroundMask(truth(), known=False)
    assert (unknown.values() == 127).all() and not unknown.binary().any()
    assert not content.found(unknown) and not record.detected(unknown)
    assert record.result(unknown, WHOLE) == {"foreground": {"area": None, "mean_confidence": None}}
    assert draw.legend(unknown)[0][0] == "foreground: nothing to compare with"


@pytest.mark.parametrize("unseen", [127, 1, 254])
def test_a_message_of_not_known_alone_comes_back_as_such(unseen):
    class Message:
        data = b""

    message = Message()
    unknown = ForegroundMask(truth(), unseen_value=unseen, known=False)
    fill_image(message, unknown.values(), "mono8")
    back = content.read({content.MASK_TOPIC: message}, SIZE)
    assert not back.known
    assert np.array_equal(back.values(), unknown.values())
    with pytest.raises(LookupError, match="no message on foreground/mask"):
        content.read({}, SIZE)


def test_a_difference_finds_what_is_new_where_nothing_else_changed():
    image = np.full((*SIZE, 3), 90, np.uint8)
    now = image.copy()
    now[truth() > 0] = 200
    metric = rivals.Metric()
    metric.update(now, Label(truth(), image), SIZE, WHOLE)
    found = metric.compute()[rivals.SECTION]
    assert found[rivals.DIFFERENCE]["iou"] > 0.9
    assert found[rivals.MOG2]["iou"] > 0.9
    metric.update(image, Label(np.zeros(SIZE, np.uint8), image), SIZE, WHOLE)
    assert all(row["false_percent"] == 0 for row in metric.compute()[rivals.SECTION].values())


def test_matched_exposure_forgives_another_exposure():
    image = np.random.default_rng(0).integers(40, 120, (*SIZE, 3)).astype(np.uint8)
    brighter = (image * 1.4).astype(np.uint8)
    assert rivals.difference(image, brighter).mean() > 15
    assert rivals.difference(image, rivals.matched(brighter, image)).mean() < 3


def test_rivals_merged_are_rivals_pooled():
    pooled, merged = rivals.Metric(), rivals.Metric()
    for seed in range(2):
        sample = render_sample(seed, SIZE, tasks=["foreground"], traffic_probability=1.0)
        one = rivals.Metric()
        for metric in (pooled, one):
            metric.update(sample.image, sample.labels["foreground"], SIZE, WHOLE)
        merged.merge(one)
    assert repr(merged.compute()) == repr(pooled.compute())


def test_panels_show_background_answer_truth_and_error():
    label = replace(label_of(truth()), background=np.full((*SIZE, 3), 77, np.uint8))
    before, answer, right, error = draw.panels(ForegroundMask(truth(8)), label)
    assert (before == 77).all()
    assert np.array_equal(answer[:, :, 0], truth(8)) and np.array_equal(right[:, :, 0], truth())
    assert tuple(error[50, 62]) == draw.MISSED and tuple(error[50, 144]) == draw.FALSE


def test_what_is_not_known_cannot_be_published_as_nothing_new():
    unseen = next(one for one in content.PARAMETERS if one.name == content.UNSEEN)
    assert unseen.problem(0) and unseen.problem(255) and not unseen.problem(127)


def test_rivals_have_the_threshold_that_is_best_for_them():
    """Brighter things on a darker ground: half of the span tells them apart, whatever it is."""
    image = np.full((*SIZE, 3), 20, np.uint8)
    now = image.copy()
    now[:, :120] = 90
    now[truth() > 0] = 240
    metric = rivals.Metric()
    metric.update(now, Label(truth(), image), SIZE, WHOLE)
    best = metric.compute()[rivals.SECTION][rivals.DIFFERENCE]
    assert 70 < best["threshold"] <= 220 and best["iou"] > 0.9


def test_two_models_differ_by_what_they_make_up():
    from shared_encoder_perception.tasks.foreground import drift

    some = np.zeros(SIZE, np.uint8)
    some[0, :24] = 255
    nothing = label_of(np.zeros(SIZE, np.uint8))
    metric, full = scored(some, nothing), scored(some, nothing, FullMetric)
    counts = drift.label_counts(metric, full, {})
    assert set(counts) <= set(drift.COLUMNS)
    assert counts["false"] / counts["empty"] == pytest.approx(2400 / (96 * 240))
