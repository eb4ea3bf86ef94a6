# SPDX-License-Identifier: Apache-2.0
"""Parameters ``diagnostics.*``: how often the node tells how it does, and when it complains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from shared_encoder_perception.node.watchdogs import WatchdogOptions
from shared_encoder_perception.tasks.parameter import Parameter

DEFAULTS: Final = WatchdogOptions()

PARAMETERS: Final = (
    Parameter(
        "diagnostics.period_s",
        1.0,
        "Time between two messages on /diagnostics, by the wall clock even under use_sim_time.",
        bounds=(0.05, 60.0),
    ),
    Parameter(
        "diagnostics.window_s",
        DEFAULTS.window_s,
        "Rates, ratios and percentiles in diagnostics are taken over the last so many seconds.",
        bounds=(0.1, 600.0),
        read_only=False,
    ),
    Parameter(
        "diagnostics.input_timeout_s",
        DEFAULTS.input_timeout_s,
        "Warn when no image came for this long; an error from three times as long.",
        bounds=(0.01, 3600.0),
        read_only=False,
    ),
    Parameter(
        "diagnostics.latency_warn_ms",
        DEFAULTS.latency_warn_ms,
        "Warn when more than 5 % of the images take longer from receipt to output.",
        bounds=(0.1, 60000.0),
        read_only=False,
    ),
    Parameter(
        "diagnostics.latency_error_ms",
        DEFAULTS.latency_error_ms,
        "An error when more than 5 % of the images take longer from receipt to output.",
        bounds=(0.1, 60000.0),
        read_only=False,
    ),
    Parameter(
        "diagnostics.hang_s",
        DEFAULTS.hang_s,
        "An error when the inference of one image has not returned for this long.",
        bounds=(0.05, 3600.0),
        read_only=False,
    ),
    Parameter(
        "diagnostics.drop_warn_ratio",
        DEFAULTS.drop_warn_ratio,
        "Warn when a larger share of the images is dropped, those beyond input.max_rate_hz not "
        "counted; 1 = never.",
        bounds=(0.0, 1.0),
        read_only=False,
    ),
)


def watchdog_options(value: Callable[[str], Any]) -> WatchdogOptions:
    """Build the options from parameter values by name."""
    return WatchdogOptions(
        window_s=value("diagnostics.window_s"),
        input_timeout_s=value("diagnostics.input_timeout_s"),
        latency_warn_ms=value("diagnostics.latency_warn_ms"),
        latency_error_ms=value("diagnostics.latency_error_ms"),
        hang_s=value("diagnostics.hang_s"),
        drop_warn_ratio=value("diagnostics.drop_warn_ratio"),
    )
