# SPDX-License-Identifier: Apache-2.0
"""lane_geometry: what consumers compute from a polynomial, against sampling and differences."""

from types import SimpleNamespace

import numpy as np
import pytest
from ground_lines import COEFFICIENTS, ground_line

from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.lanes.lane_geometry import LaneCurve

MEAN = np.array([0.8, -0.05, 0.004, -3e-5])
SPREAD = np.array([[0.05, 0, 0, 0], [-0.002, 0.004, 0, 0], [0, -1e-4, 3e-4, 0], [0, 0, 1e-6, 3e-6]])
COVARIANCE = SPREAD @ SPREAD.T
CURVE = LaneCurve(MEAN, COVARIANCE, (5.0, 60.0))
AT = np.array([5.0, 20.0, 45.0])


def test_lateral_position_is_the_polynomial():
    y, _ = CURVE.lateral(AT)
    np.testing.assert_allclose(y, np.polyval(MEAN[::-1], AT))


def test_derivatives_agree_with_differences():
    step = 1e-3
    at = LaneCurve(MEAN, COVARIANCE, (0, 100))
    before, here, after = (at.lateral(AT + d).value for d in (-step, 0, step))
    slope, bend = (after - before) / (2 * step), (after - 2 * here + before) / step**2
    np.testing.assert_allclose(CURVE.heading(AT).value, np.arctan(slope), rtol=1e-6)
    np.testing.assert_allclose(
        CURVE.curvature(AT).value, bend / (1 + slope**2) ** 1.5, rtol=1e-3, atol=1e-7
    )


@pytest.mark.parametrize("name", ["lateral", "heading", "curvature", "offset"])
def test_deviations_agree_with_sampling(name):
    """Draw roads from the covariance: the spread of the answers is what was promised."""
    rng = np.random.default_rng(1)
    drawn = rng.multivariate_normal(MEAN, COVARIANCE, 4000)
    answers = [getattr(LaneCurve(p, COVARIANCE, (5, 60)), name)(AT).value for p in drawn]
    promised = getattr(CURVE, name)(AT).std
    np.testing.assert_allclose(np.std(answers, axis=0), promised, rtol=0.06)
    assert (promised > 0).all()


def test_signs():
    left_bend = LaneCurve(np.array([1.0, 0.1, 0.01]), np.zeros((3, 3)), (0, 50))
    assert left_bend.lateral(0.0).value > 0, "the line is to the left"
    assert left_bend.heading(0.0).value > 0, "it turns to the left"
    assert left_bend.curvature(0.0).value > 0, "a left bend"
    assert left_bend.offset().value < 0, "so the vehicle is to the right of it"


def test_offset_is_perpendicular():
    """A line through (0, 2) at 45 degrees is the square root of two away."""
    diagonal = LaneCurve(np.array([2.0, 1.0]), np.zeros((2, 2)), (0, 50))
    assert diagonal.offset().value == pytest.approx(-np.sqrt(2))


def test_outside_of_the_range_nothing_is_known_unless_asked_for():
    assert not CURVE.covers(4.9)
    assert CURVE.covers([5.0, 60.0]).all()
    for method in (CURVE.lateral, CURVE.heading, CURVE.curvature):
        value, std = method([0.0, 30.0, 61.0])
        assert np.isnan(value).tolist() == np.isnan(std).tolist() == [True, False, True]
        assert np.isfinite(method(0.0, extrapolate=True)).all()
    assert np.isfinite(CURVE.offset()).all(), "the vehicle itself is outside of the picture"
    assert np.isnan(CURVE.offset(extrapolate=False)).all()


def test_the_band_holds_what_it_says():
    y, std = CURVE.lateral(AT)
    low, high = CURVE.band(AT, sigmas=3)
    np.testing.assert_allclose([low, high], [y - 3 * std, y + 3 * std])


@pytest.mark.parametrize("order", [1, 2])
def test_short_polynomials_have_no_higher_derivatives(order):
    curve = LaneCurve(np.ones(order), np.eye(order), (0, 10))
    assert curve.curvature([1.0, 2.0]).value.tolist() == [0, 0]
    assert curve.curvature(1.0).std == 0
    if order == 1:
        assert curve.heading(1.0) == (0, 0)


def test_shape_follows_the_question():
    assert CURVE.lateral(10.0).value.shape == ()
    assert CURVE.heading(np.full((2, 3), 10.0)).std.shape == (2, 3)


def message(**changes):
    """The fields of a LaneLine message that matter."""
    fields = {
        "ground_valid": True,
        "polynomial": MEAN,
        "polynomial_covariance": COVARIANCE.ravel(),
        "polynomial_x_min": 5.0,
        "polynomial_x_max": 60.0,
    }
    return SimpleNamespace(**{**fields, **changes})


def test_message_and_structure_give_the_same_curve():
    from_message = LaneCurve.from_message(message())
    assert from_message.lateral(30.0) == CURVE.lateral(30.0)
    line = ground_line(LaneId.LEFT_EGO)
    from_ground = LaneCurve.from_ground(line.ground)
    assert from_ground.polynomial.tolist() == list(COEFFICIENTS[LaneId.LEFT_EGO])
    assert from_ground.x_range_m == line.ground.x_range_m


def test_no_geometry_is_no_curve():
    assert LaneCurve.from_message(message(ground_valid=False)) is None
    assert LaneCurve.from_message(message(polynomial=[], polynomial_covariance=[])) is None
    assert LaneCurve.from_ground(None) is None


def test_what_does_not_belong_together_is_refused():
    with pytest.raises(ValueError, match="polynomial_covariance has 15 values, expected 4"):
        LaneCurve.from_message(message(polynomial_covariance=np.zeros(15)))
    with pytest.raises(ValueError, match=r"expected n >= 1 and \(n, n\)"):
        LaneCurve(np.zeros(2), np.zeros((3, 3)), (0, 1))
