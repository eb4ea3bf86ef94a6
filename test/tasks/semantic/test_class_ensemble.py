# SPDX-License-Identifier: Apache-2.0
"""Classes of several pictures of one image: who is heard, and how sure the result is."""

import numpy as np
import pytest

from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.images.variants import parse_variants
from shared_encoder_perception.tasks.semantic.ensemble import merge
from shared_encoder_perception.tasks.semantic.spec import OUTPUT_CONFIDENCE, OUTPUT_IDS, Block

SIZE, STRIDE = (64, 160), 8
GRID = (8, 20)
TRANSFORM = ImageTransform.fit(SIZE, SIZE)
BLOCK = Block(semantic_stride=STRIDE)


def vote(*said, text="flip,scale:0.75"):
    """Merge looks that each say one ``(id, confidence)`` everywhere; of one cell in the middle."""
    looks = [variant.look(TRANSFORM) for variant in parse_variants(text)][: len(said)]
    outputs = [
        {OUTPUT_IDS: np.full(GRID, one, np.uint8), OUTPUT_CONFIDENCE: np.full(GRID, much, np.uint8)}
        for one, much in said
    ]
    found = merge(looks, outputs, BLOCK)
    return int(found[OUTPUT_IDS][4, 10]), int(found[OUTPUT_CONFIDENCE][4, 10])


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param([(3, 200), (3, 101)], (3, 151), id="one voice: the mean, halves up"),
        pytest.param([(3, 200), (5, 199)], (3, 100), id="the surer one, and half as sure"),
        pytest.param([(3, 200), (5, 120), (5, 120)], (5, 80), id="two unsure ones outvote it"),
        pytest.param([(3, 250), (5, 120), (5, 120)], (3, 83), id="or they do not"),
        pytest.param([(7, 200), (2, 200)], (2, 100), id="of equals the lowest id"),
        pytest.param([(2, 200), (7, 200)], (2, 100), id="whoever said it"),
        pytest.param([(3, 0), (3, 0)], (3, 0), id="nobody is sure of anything"),
    ],
)
def test_a_vote_weighs_by_confidence(said, expected):
    assert vote(*said) == expected


@pytest.mark.parametrize("other", [1, 6])
def test_who_does_not_see_a_cell_has_no_vote(other):
    looks = [variant.look(TRANSFORM) for variant in parse_variants("scale:2")]
    outputs = [
        {OUTPUT_IDS: np.full(GRID, one, np.uint8), OUTPUT_CONFIDENCE: np.full(GRID, much, np.uint8)}
        for one, much in ((6, 0), (other, 255))
    ]
    found, seen = merge(looks, outputs, BLOCK), looks[1].seen(STRIDE)
    np.testing.assert_array_equal(found[OUTPUT_IDS], np.where(seen, other, 6))
    np.testing.assert_array_equal(found[OUTPUT_CONFIDENCE], np.where(seen, 128, 0))


def test_confidence_is_what_the_mean_probability_is_at_least():
    """Against networks whose probabilities are known: the mean of all classes' probabilities."""
    rng, looks = np.random.default_rng(0), 3
    logits = rng.normal(0, 2, (looks, 5, *GRID))
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    mirror = (np.s_[:], np.s_[:, ::-1], np.s_[:])
    outputs = [
        {
            OUTPUT_IDS: one.argmax(axis=0).astype(np.uint8)[back],
            OUTPUT_CONFIDENCE: (one.max(axis=0) * 255 + 0.5).astype(np.uint8)[back],
        }
        for one, back in zip(probability, mirror, strict=True)
    ]
    plain, flipped = (variant.look(TRANSFORM) for variant in parse_variants("flip"))
    found = merge([plain, flipped, plain], outputs, BLOCK)
    ids, confidence = found[OUTPUT_IDS], found[OUTPUT_CONFIDENCE] / 255
    mean = np.take_along_axis(probability.mean(axis=0), ids[None].astype(int), axis=0)[0]
    assert (confidence <= mean + 1.5 / 255).all()
    alike = (probability.argmax(axis=1) == ids).all(axis=0)
    assert 0 < alike.mean() < 1
    np.testing.assert_allclose(confidence[alike], mean[alike], atol=1.5 / 255)
    assert (confidence[~alike] < mean[~alike] - 0.01).mean() > 0.5
