# SPDX-License-Identifier: Apache-2.0
"""The arithmetic behind diagnostics, at times that the tests make up."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest

from shared_encoder_perception.node.parameter_groups.diagnostics import PARAMETERS, watchdog_options
from shared_encoder_perception.node.watchdogs import (
    LONG_HOLD_WINDOWS,
    CountWindow,
    Steady,
    WatchdogOptions,
    level_above,
    shown,
    spreads,
    worst,
)
from shared_encoder_perception.tasks.status import Level, Status


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


WINDOW_S = 5.0


def levels_of(steady: Steady, told: dict[int, Level], seconds: range) -> list[Level]:
    """Return what is told second by second of a part that is OK but where ``told`` says."""
    return [
        steady.status(float(s), WINDOW_S, Status(told.get(s, Level.OK), f"at {s}")).level
        for s in seconds
    ]


def test_a_level_rises_at_once_and_falls_when_it_has_lasted() -> None:
    """One fault: told when it comes, over one window after it went."""
    steady = Steady()
    levels = levels_of(steady, {3: Level.WARN, 4: Level.ERROR}, range(20))
    assert levels[:5] == [Level.OK] * 3 + [Level.WARN, Level.ERROR]
    assert levels[5:9] == [Level.ERROR] * 4 and levels[9:] == [Level.OK] * 11


def test_what_is_and_what_was_are_told_together() -> None:
    steady = Steady()
    steady.status(0.0, WINDOW_S, Status(Level.WARN, "slow", {"p95": "120"}))
    status = steady.status(2.0, WINDOW_S, Status(Level.OK, "30 Hz", {"p95": "80"}))
    assert status == Status(Level.WARN, "30 Hz; 2.0 s ago: slow", {"p95": "80"})


@pytest.mark.parametrize("period", [2, 7, 12, 20, 30])
def test_a_level_does_not_flip_several_times_a_minute(period: int) -> None:
    """However often the fault comes back; and it is never called well while it is there."""
    steady, seconds = Steady(), range(600)
    told = {s: Level.WARN for s in seconds if s % period == 0}
    levels = levels_of(steady, told, seconds)
    assert all(levels[s] is Level.WARN for s in told)
    flips = [s for s in seconds[1:] if levels[s] is not levels[s - 1]]
    assert len(flips) <= 2, "in ten minutes"


def test_a_lasting_fault_is_told_for_as_long_as_it_lasts_and_then_calm_returns() -> None:
    """Also after it has come and gone: the longest hold is a minute, and it is forgotten."""
    steady = Steady()
    told = dict.fromkeys([*range(0, 100, 10), *range(100, 200), 400], Level.ERROR)
    levels = levels_of(steady, told, range(500))
    assert set(levels[100:200]) == {Level.ERROR}
    longest = int(LONG_HOLD_WINDOWS * WINDOW_S)
    assert levels[199 + longest - 1] is Level.ERROR
    assert set(levels[199 + longest : 400]) == {Level.OK}
    assert levels[400:405] == [Level.ERROR] * 5 and set(levels[405:]) == {Level.OK}


def test_other_circumstances_have_no_past() -> None:
    """A node that is activated, or switched on, was not well before, and not ill either."""
    steady, warn, fine = Steady(), Status(Level.WARN, "off"), Status(Level.OK, "on")
    steady.status(0.0, WINDOW_S, warn, key="inactive")
    assert steady.status(0.1, WINDOW_S, fine, key="active") == fine
    steady.status(0.2, WINDOW_S, warn, key="active")
    stale = Status(Level.STALE, "inactive")
    assert steady.status(0.3, WINDOW_S, stale, key="active") == stale
    assert steady.status(0.4, WINDOW_S, fine, key="active") == fine
