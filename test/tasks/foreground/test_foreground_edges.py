# SPDX-License-Identifier: Apache-2.0
"""The mask of the shipped model for pairs ends along the image's edges, unless told otherwise."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from shared_encoder_perception.artifact.store import fetch
from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.labels.companions import companions_for
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.tasks.foreground.content import ALONG_EDGES, PARAMETERS, options
from shared_encoder_perception.tasks.masks.joint_upsampling import RADIUS
from shared_encoder_perception.tasks.options import own_options
from shared_encoder_perception.world.synthetic import render_sample

NAME = "foreground"


@pytest.fixture(scope="module")
def backend():
    return load_backend(fetch("shipped:pair"))


@pytest.fixture(scope="module")
def sample():
    return render_sample(11, tasks=(NAME,), traffic_probability=1.0)


def answered(backend, sample, along_edges, image=None):
    own = own_options(backend.spec)
    asked = {**own, NAME: replace(own[NAME], along_edges=along_edges)}
    predictor = Predictor(backend, asked)
    image = sample.image if image is None else image
    beside = companions_for(predictor.companions, sample.image, sample.labels)
    return predictor(image, companions=beside).answers[NAME]


def test_only_pixels_near_an_edge_of_the_mask_change(backend, sample):
    with_edges, without = (answered(backend, sample, asked) for asked in (True, False))
    one, other = (answer.probability.astype(int) for answer in (with_edges, without))
    changed = np.abs(one - other) > 8
    assert 0 < changed.mean() < 0.3
    # Of a mask that is 0 or 255 all around, nothing is left to fit.
    block = backend.spec.tasks[NAME]
    reach = (2 * RADIUS + 1) * block.mask_stride * sample.image.shape[1] // 640 + 3
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    flat = without.probability
    still = cv2.dilate(flat, kernel) == cv2.erode(flat, kernel)
    assert np.abs(one - other)[still].max() <= 1


def test_it_is_as_right_or_better(backend, sample):
    truth = sample.labels[NAME].mask
    found = []
    for asked in (True, False):
        said = answered(backend, sample, asked).binary() > 0
        new, known = truth == 255, truth != 127
        found.append((said & new & known).sum() / ((said | new) & known).sum())
    assert found[0] > found[1] > 0.8


def test_models_own_options_follow_edges_and_the_parameter_switches(backend):
    block = backend.spec.tasks[NAME]
    values = {parameter.name: parameter.default for parameter in PARAMETERS}
    assert own_options(backend.spec)[NAME].along_edges
    assert options(values.__getitem__, block).along_edges
    assert not options({**values, ALONG_EDGES: False}.__getitem__, block).along_edges
