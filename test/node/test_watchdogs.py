"""The arithmetic behind diagnostics, at times that the tests make up."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest

from shared_encoder_perception.node.parameter_groups.diagnostics import PARAMETERS, watchdog_options
from shared_encoder_perception.node.watchdogs import (
    CountWindow,
    WatchdogOptions,
    level_above,
    shown,
    spreads,
    worst,
)
from shared_encoder_perception.tasks.status import Level


def test_a_window_tells_the_rate_of_the_last_seconds_only() -> None:
    """30 a second for ten seconds, then 10 a second."""
    window, count = CountWindow(), 0
    window.start(0.0)
    for second in range(1, 21):
        count += 30 if second <= 10 else 10
        window.add(float(second), {"seen": count}, window_s=5.0)
        if second == 10:
            assert window.rate_hz("seen") == 30.0
    assert window.span_s == 5.0
    assert window.growth("seen") == 50 and window.rate_hz("seen") == 10.0


def test_a_window_shorter_than_the_timer_still_spans_one_period() -> None:
    """Otherwise there would be no rate at all."""
    window = CountWindow()
    window.start(0.0)
    for second in (10, 20, 30):
        window.add(float(second), {"seen": second}, window_s=1.0)
    assert window.span_s == 10.0 and window.rate_hz("seen") == 1.0


def test_counters_that_run_backwards_begin_a_new_window() -> None:
    """A new worker counts from 0: that is no negative rate."""
    window = CountWindow()
    window.add(0.0, {"seen": 100}, 5.0)
    window.add(1.0, {"seen": 3}, 5.0)
    assert window.growth("seen") == 0 and window.rate_hz("seen") == 0.0
    window.add(2.0, {"seen": 5, "new": 1}, 5.0)
    assert window.growth("seen") == 2 and window.growth("seen", "new", "never") == 3


def test_an_empty_window_has_no_rate() -> None:
    """Instead of a division by zero."""
    assert CountWindow().rate_hz("seen") == CountWindow().growth("seen") == 0


def test_spreads_are_the_percentiles_of_each_stage() -> None:
    """Against numpy, stage by stage."""
    rng = np.random.default_rng(0)
    times = [{"inference": float(t), "total": float(2 * t)} for t in rng.gamma(4, 5, 101)]
    found = spreads(times)
    assert list(found) == ["inference", "total"]
    for stage, spread in found.items():
        values = [image[stage] for image in times]
        assert spread.p50_ms == pytest.approx(np.median(values))
        assert spread.p95_ms == pytest.approx(np.quantile(values, 0.95))
        assert spread.max_ms == max(values)
    assert spreads([]) == {}


@pytest.mark.parametrize(
    ("value", "level"),
    [(9.9, Level.OK), (10.0, Level.OK), (10.1, Level.WARN), (30.1, Level.ERROR), (nan, Level.OK)],
)
def test_two_thresholds_make_three_levels(value: float, level: Level) -> None:
    """A value at a threshold does not exceed it."""
    assert level_above(value, 10.0, 30.0) is level


def test_an_error_threshold_below_the_warning_goes_first() -> None:
    """The parameters may be set one by one, in any order."""
    assert level_above(20.0, warn=100.0, error=10.0) is Level.ERROR


def test_the_first_of_the_worst_findings_is_told() -> None:
    """Order is importance."""
    findings = [(Level.OK, "a"), (Level.WARN, "b"), (Level.WARN, "c"), (Level.OK, "d")]
    assert worst(findings) == (Level.WARN, "b")


def test_numbers_are_written_for_plotting_tools() -> None:
    """And what is unknown is no number."""
    assert (shown(12.345), shown(0.5, 3), shown(nan)) == ("12.3", "0.500", "unknown")


def test_the_parameters_defaults_are_the_options_defaults() -> None:
    """Every option has its parameter, and each parameter reaches its own option."""
    values = {parameter.name: parameter.default for parameter in PARAMETERS}
    assert watchdog_options(values.__getitem__) == WatchdogOptions()
    numbered = {name: number for number, name in enumerate(values)}
    options = watchdog_options(numbered.__getitem__)
    for name, number in numbered.items():
        field = name.removeprefix("diagnostics.")
        assert field == "period_s" or getattr(options, field) == number
    assert all(parameter.allows(parameter.default) for parameter in PARAMETERS)
