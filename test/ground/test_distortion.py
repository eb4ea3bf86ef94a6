# SPDX-License-Identifier: Apache-2.0
"""Lenses bend as OpenCV bends them, whatever coefficients there are."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from shared_encoder_perception.ground.distortion import distort, distort_fisheye

RNG = np.random.default_rng(3)
SLOPES = RNG.uniform(-1.2, 1.2, (500, 2))
FULL = (-0.3, 0.1, 0.001, -0.002, 0.03, 0.2, -0.05, 0.01, 0.002, -0.001, 0.003, 0.0005, 0.04, -0.03)


def by_opencv(project, coefficients):
    rays = np.column_stack((SLOPES, np.ones(len(SLOPES))))[:, None]
    pixels, _ = project(rays, np.zeros(3), np.zeros(3), np.eye(3), np.array(coefficients))
    return pixels[:, 0].T


@pytest.mark.parametrize("count", [4, 5, 8, 12, 14])
def test_the_polynomial_is_opencvs(count):
    bent = distort(*SLOPES.T, np.array(FULL[:count]))
    np.testing.assert_allclose(bent, by_opencv(cv2.projectPoints, FULL[:count]), atol=1e-12)


@pytest.mark.parametrize("one", range(14))
def test_each_coefficient_alone_is_opencvs(one):
    alone = np.zeros(14)
    alone[one] = FULL[one]
    bent = distort(*SLOPES.T, alone)
    np.testing.assert_allclose(bent, by_opencv(cv2.projectPoints, alone), atol=1e-12)


def test_the_fisheye_is_opencvs():
    coefficients = (0.02, -0.01, 0.003, -0.001)
    bent = distort_fisheye(*SLOPES.T, np.array(coefficients))
    expected = by_opencv(cv2.fisheye.projectPoints, coefficients)
    np.testing.assert_allclose(bent, expected, atol=1e-12)


def test_nothing_bends_the_middle_and_no_coefficient_anything():
    zero = np.zeros(1)
    for bent in (distort(zero, zero, np.array(FULL[:12])), distort_fisheye(zero, zero, np.ones(4))):
        np.testing.assert_array_equal(bent, 0.0)
    np.testing.assert_array_equal(distort(*SLOPES.T, np.zeros(0)), SLOPES.T)
