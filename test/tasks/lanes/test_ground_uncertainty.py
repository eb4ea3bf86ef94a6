# SPDX-License-Identifier: Apache-2.0
"""What is said about errors on the road is what they are: Monte Carlo against propagation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ground_world import (
    EXACT,
    camera_info,
    even_rows,
    lanes_of,
    line,
    opencv_pixels,
    options,
    projector,
    road_points,
)
from numpy.polynomial import Polynomial

from shared_encoder_perception.tasks.lanes.answer import GroundLine, LaneId

CURVE = Polynomial((0.3, 0.02, 8e-4, -3e-6))
POINTS = 72
EACH = {"roll_std_deg": 0.1, "pitch_std_deg": 0.1, "yaw_std_deg": 0.1, "height_std_m": 0.02}
"""One sigma of each cause, small enough for a propagation of first order."""


def draws(
    count: int,
    noise: Callable[[np.random.Generator, np.ndarray], tuple[np.ndarray, Any]],
    far: float = 80.0,
    lens: str = "plumb_bob",
    **changes: Any,
) -> Iterator[GroundLine]:
    """Draw cameras by the calibration's sigmas, pixels by ``noise``; yield what is projected."""
    rng = np.random.default_rng(7)
    info = camera_info(lens)
    ours = projector(info, **changes)
    where = ours.camera.options
    points = road_points(CURVE, even_rows(where, 7.0, far, POINTS))
    for _ in range(count // len(LaneId)):
        lines = {}
        for lane in LaneId:  # five draws at once: what is projected knows one camera only
            roll, pitch, yaw, height = rng.normal(size=4) * where.calibration_std
            true = replace(
                where,
                roll_deg=where.roll_deg + np.degrees(roll),
                pitch_deg=where.pitch_deg + np.degrees(pitch),
                yaw_deg=where.yaw_deg + np.degrees(yaw),
                height_m=where.height_m + height,
            )
            pixels = opencv_pixels(points, info, true)
            shift, std = noise(rng, pixels)
            pixels[:, 0] += shift
            lines[lane] = line(lane, pixels, std)
        for seen in ours.project(lanes_of(lines)):
            assert seen.ground is not None
            yield seen.ground


def independent(std: float) -> Callable[..., tuple[np.ndarray, Any]]:
    """Each pixel has an error of its own."""
    return lambda rng, pixels: (rng.normal(size=len(pixels)) * std, std)


def no_noise(_: np.random.Generator, __: np.ndarray) -> tuple[np.ndarray, Any]:
    """Perfect pixels, and known to be so."""
    return np.zeros(POINTS), 1e-3


def of_a_curve(rng: np.random.Generator, pixels: np.ndarray) -> tuple[np.ndarray, Any]:
    """A curve fitted to noisy pixels, as decode does it, with the standard deviation of the fit."""
    below = (pixels[:, 1] - pixels[-1, 1] + 20.0) / 100.0
    basis = np.stack((below, np.ones(POINTS), 1 / below, 1 / below**2), axis=-1)
    gain = np.linalg.pinv(basis)
    return basis @ gain @ rng.normal(size=POINTS) * 3.0, 3.0 * np.sqrt(
        np.einsum("ij,ij->i", basis @ gain, basis @ gain)
    )


def nees(grounds: Iterator[GroundLine]) -> tuple[float, float, float]:
    """Return the mean of the normalised squared error, and its 95 % band."""
    values, terms = [], 0
    for ground in grounds:
        terms = len(ground.polynomial)
        error = ground.polynomial - CURVE.coef[:terms]
        values.append(error @ np.linalg.solve(ground.covariance, error))
    half = 1.96 * np.sqrt(2.0 * terms / len(values))
    assert terms == 4
    return float(np.mean(values)), terms - half, terms + half


@pytest.mark.parametrize(
    ("changes", "noise"),
    [
        ({}, independent(1.0)),
        ({"lens": "equidistant"}, independent(2.0)),
        *(({name: value}, independent(1.0)) for name, value in EACH.items()),
        (EACH, independent(0.5)),
    ],
    ids=["pixels", "fisheye", *EACH, "all"],
)
def test_errors_of_the_polynomial_are_as_large_as_its_covariance_says(
    changes: dict[str, Any], noise: Callable[..., Any]
) -> None:
    """NEES within the 95 % band, for each cause of error alone and for all together."""
    settings = {**EXACT, "pixel_errors": "independent", **changes}
    value, low, high = nees(draws(400, noise, **settings))
    assert low < value < high


def test_errors_of_a_fitted_curve_belong_together() -> None:
    """As decode gives them: consistent as such, far too certain if taken as independent."""
    value, low, high = nees(draws(400, of_a_curve, lens="none", **EXACT))
    assert low < value < high
    wrong, _, high = nees(
        draws(100, of_a_curve, lens="none", **{**EXACT, "pixel_errors": "independent"})
    )
    assert wrong > 5 * high


@pytest.mark.parametrize(
    ("changes", "noise"),
    [
        ({}, independent(1.0)),
        *(({name: value}, no_noise) for name, value in EACH.items()),
        ({**EACH, "yaw_deg": 3.0, "roll_deg": -2.0}, independent(1.0)),
    ],
    ids=["pixels", *EACH, "all"],
)
def test_points_scatter_as_their_sigma_says(
    changes: dict[str, Any], noise: Callable[..., Any]
) -> None:
    """``y_std_m`` at every distance, for each cause of error alone and for all together."""
    lines = list(draws(1000, noise, far=60.0, **{**EXACT, **changes}))
    scatter = np.std([ground.points_m[:, 1] for ground in lines], axis=0)
    said = np.mean([ground.y_std_m for ground in lines], axis=0)
    # Nine per cent: four sigmas of a standard deviation from so many draws.
    np.testing.assert_allclose(said, scatter, rtol=0.09, atol=2e-4)


def test_the_covariance_is_that_of_the_draws() -> None:
    """Pixels and all calibration errors: the sigma of y(x) along the line."""
    lines = list(draws(1000, independent(1.0), **{**EXACT, **EACH, "pixel_errors": "independent"}))
    x = np.array([10.0, 20.0, 40.0, 60.0])
    basis = x[:, None] ** np.arange(4)
    scatter = np.std([basis @ ground.polynomial for ground in lines], axis=0)
    said = np.mean([np.einsum("ij,jk,ik->i", basis, g.covariance, basis) for g in lines], axis=0)
    np.testing.assert_allclose(np.sqrt(said), scatter, rtol=0.09)


def test_unknown_pixel_sigma_is_the_parameter() -> None:
    """NaN, as models without an estimate give it."""
    info = camera_info()
    ours = projector(info, pixel_std_px=1.5)
    pixels = opencv_pixels(
        road_points(CURVE, even_rows(ours.camera.options, 7, 60, POINTS)), info, ours.camera.options
    )
    a, b = (
        ours.project(lanes_of({LaneId.EGO: line(LaneId.EGO, pixels, std)}))[0].ground
        for std in (np.nan, 1.5)
    )
    assert a is not None and b is not None
    np.testing.assert_array_equal(a.y_std_m, b.y_std_m)
    np.testing.assert_array_equal(a.covariance, b.covariance)


def test_sigmas_grow_with_every_cause() -> None:
    """More uncertainty never makes a point better, and errors of the calibration add at least."""
    info = camera_info()
    pixels = opencv_pixels(road_points(CURVE, even_rows(options(), 7, 60, POINTS)), info, options())
    image = lanes_of({LaneId.EGO: line(LaneId.EGO, pixels, 1.0)})
    base = projector(info, **EXACT).project(image)[0].ground
    assert base is not None
    for name, value in EACH.items():
        more = projector(info, **{**EXACT, name: value}).project(image)[0].ground
        assert more is not None
        assert (more.y_std_m >= base.y_std_m).all() and more.y_std_m.sum() > base.y_std_m.sum()
        assert np.linalg.eigvalsh(more.covariance - base.covariance).min() > -1e-9
