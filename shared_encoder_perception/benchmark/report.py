# SPDX-License-Identifier: Apache-2.0
"""Tables for the terminal, at most 120 columns wide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from shared_encoder_perception.benchmark.runners import TOTAL
from shared_encoder_perception.benchmark.turns import PERCENTILES
from shared_encoder_perception.predictor import STAGES

NAME_WIDTH: Final = 20
CELL_WIDTH: Final = 16
DEAREST: Final = 10
"""Operators that are shown."""


def latency_table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Render milliseconds by stage, p50/p95/p99, of those that ran."""
    columns = (*STAGES, TOTAL)
    titles = "".join(f"{f'{name}, ms':>{CELL_WIDTH}}" for name in columns)
    rate = "moments/s" if any(row["rig"] for row in rows) else "images/s"
    lines = [f"{_who('p50/p95/p99')}{titles}{rate:>10}"]
    for row in rows:
        cells = "".join(f"{_points(row['stages'].get(name)):>{CELL_WIDTH}}" for name in columns)
        lines.append(f"{_name(row)}{cells}{row['images_per_s']:10.1f}")
    return lines


def cost_table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Render size, work, start and share of the machine's limit."""
    titles = ("params M", "GMAC", "load ms", "first ms", "model MB", "peak MB", "share of limit")
    lines = [_who("fresh process") + "".join(f"{title:>{_width(title)}}" for title in titles)]
    for row in rows:
        cost, cold = row["cost"] or {}, row["cold_start"] or {}
        values = (
            _number(cost.get("parameters"), 1e-6, 2),
            _number(cost.get("macs"), 1e-9, 2),
            *(_number(cold.get(key)) for key in ("load_ms", "first_ms", "model_mb", "peak_mb")),
            _number(row["share_of_limit"], 100, 0, " %"),
        )
        cells = "".join(
            f"{value:>{_width(title)}}" for title, value in zip(titles, values, strict=True)
        )
        lines.append(_name(row) + cells)
    return lines


def operator_table(row: Mapping[str, Any]) -> list[str]:
    """Render the dearest operators of one combination, and what is no convolution."""
    found = row["operators"]
    total = sum(one["ms"] for one in found)
    who = f"{row['label']}, {row['precision']}"
    lines = [f"{f'{who}: dearest operators':<78}{'ms':>8}{'share':>8}"]
    for one in found[:DEAREST]:
        what = f"{one['kind'][:36]:<38}{one['name'][-38:]}"
        lines.append(f"{what:<78}{one['ms']:8.3f}{100 * one['ms'] / total:6.0f} %")
    lines.append(
        f"{len(found)} operators, {total:.2f} ms, of which {100 * row['other_share']:.0f} % are no "
        "convolutions or matrix products"
    )
    return lines


def limit_lines(limits: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say what the machine reached with matrices."""
    lines = []
    for limit in limits:
        tried = ", ".join(f"{name} {rate:.0f}" for name, rate in limit["gflops"].items())
        lines.append(
            f"matrix product, {limit['precision']} on {limit['device']} x{limit['threads']}: "
            + (f"{limit['best']:.0f} GFLOP/s ({tried})" if tried else "not measured")
        )
    return lines


def notes(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say what could not run or be counted, and why."""
    lines = [f"not run: {row['label']}: {row['reason']}" for row in rows if not row["ran"]]
    for row in rows:
        lines += [f"note: {row['label']}: {note}" for note in row["notes"]]
    return list(dict.fromkeys(lines))


def node_table(node: Mapping[str, Any]) -> list[str]:
    """Render the node's stages and its overhead."""
    if node.get("reason"):
        return [f"node: not measured: {node['reason']}"]
    head = "".join(f"{f'p{percentile}':>9}" for percentile in PERCENTILES)
    lines = [f"{'node, ms':<16}{head}   ({node['images']} images, {node['label']})"]
    for stage, points in node["stages"].items():
        values = "".join(f"{points[f'p{percentile}']:9.2f}" for percentile in PERCENTILES)
        lines.append(f"{stage:<16}{values}")
    return lines


def jetson_lines(medians: Mapping[str, float]) -> list[str]:
    """Say what tegrastats showed; nothing elsewhere."""
    shown = ", ".join(f"{name} {value:g}" for name, value in medians.items())
    return [f"tegrastats, medians while measuring: {shown}"] if shown else []


def _who(title: str) -> str:
    """Return the head of the columns that ``_name`` fills."""
    return f"{title:<{NAME_WIDTH}} {'engine':<11} {'in':<4} {'x':>2}"


def _name(row: Mapping[str, Any]) -> str:
    """Say which combination a line is about, in 40 columns."""
    name, precision = str(row["name"]), str(row["precision"])
    if len(name) > NAME_WIDTH:
        name = name[: NAME_WIDTH - 1] + "…"
    return f"{name:<{NAME_WIDTH}} {row['engine']:<11} {precision:<4} {row['threads']:>2}"


def _points(points: Mapping[str, float] | None) -> str:
    """Write percentiles with three digits each."""
    if points is None:
        return "-"
    values = [points[f"p{percentile}"] for percentile in PERCENTILES]
    return "/".join(f"{value:.{2 if value < 1 else 1 if value < 100 else 0}f}" for value in values)


def _number(value: float | None, scale: float = 1.0, digits: int = 0, unit: str = "") -> str:
    """Write a number that may be unknown."""
    return "-" if value is None else f"{value * scale:.{digits}f}{unit}"


def _width(title: str) -> int:
    """Return a column's width."""
    return len(title) + 2
