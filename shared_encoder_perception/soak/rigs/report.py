# SPDX-License-Identifier: Apache-2.0
"""The soak of a rig on one screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared_encoder_perception.node.rig.camera_counts import OUTCOMES, USED
from shared_encoder_perception.soak.report import UNTOLD, model, resources, table


def lines(result: Mapping[str, Any]) -> list[str]:
    """Render the result of ``run``."""
    times = [*table(result["times"], result["stages_told"]), UNTOLD]
    parts = (_what(result), _images(result), _outages(result), times, resources(result, "a map"))
    return [line for part in parts if part for line in ("", *part)][1:]


def title(result: Mapping[str, Any]) -> str:
    """Say in one line what ran, under what load."""
    setting = result["setting"]
    return f"{model(result)}; {len(setting['sizes'])} cameras, {setting['rate']:g} Hz"


def _what(result: Mapping[str, Any]) -> list[str]:
    """Say what ran."""
    setting = result["setting"]
    sizes = (f"{name} {'x'.join(map(str, size))}" for name, size in setting["sizes"].items())
    return [
        f"model      {model(result)}",
        f"cameras    {', '.join(sizes)}",
        f"moments    {setting['rate']:g} Hz asked for, {result['rate']:.2f} Hz sent, "
        f"{setting['seconds']:g} s",
    ]


def _images(result: Mapping[str, Any]) -> list[str]:
    """Do the sums."""
    rows = []
    for name, one in result["cameras"].items():
        ends = [USED, *(end for end in (*OUTCOMES[1:], "waiting", "in_work") if one[end])]
        parts = " + ".join(f"{one[end]} {end}" for end in ends)
        rows.append(
            f"in = out   {name}: {one['published']} published = {parts} + {one['unaccounted']} "
            "unaccounted"
        )
    maps = result["maps"]
    return [
        *rows,
        f"maps       {maps['made']} made, {maps['partial']} of them without a camera; "
        f"{maps['without_map']} moments without a map",
        f"messages   {maps['whole']} maps came back whole, {maps['lost_messages']} messages lost, "
        f"{maps['foreign']} foreign",
    ]


def _outages(result: Mapping[str, Any]) -> list[str]:
    """Say what was said of unplugged cameras."""
    return [
        f"unplugged  {one['camera']} at {one['at_s']:.1f} s for {_seconds(one['out_s'])}: called "
        f"dead after {_seconds(one['named_s'])}; back, called active after "
        f"{_seconds(one['active_s'])}"
        for one in result["outages"]
    ]


def _seconds(value: float | None) -> str:
    """Write a time that may not have come."""
    return "(never)" if value is None else f"{value:.1f} s"
