# SPDX-License-Identifier: Apache-2.0
"""What a replay of a rig shows: ``summary.json``, and the same for people."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.evaluation.report import charts
from shared_encoder_perception.evaluation.report.document import Report
from shared_encoder_perception.replay.rigs.account import BECAME, BEYOND, USED
from shared_encoder_perception.replay.rigs.perceive import RigPass
from shared_encoder_perception.replay.summary import GOOD, PARTIAL, PERCENTILES, TOTAL

NOT_SHOWN: Final = ("format", "cameras")
"""Conditions that say nothing to people, or more than they want to read."""


def summarise(
    ended: RigPass,
    conditions: Mapping[str, Any],
    stage_ms: Mapping[str, array[float]],
    problems: Sequence[str],
    elapsed_s: float,
) -> dict[str, Any]:
    """Return the numbers of a replay.

    Args:
        ended: What was perceived.
        conditions: Of the replay.
        stage_ms: As of ``replay.summary.read_timings``.
        problems: What the source said while it was read.
        elapsed_s: Of the whole pass, with writing and drawing.
    """
    account, limit = ended.account, conditions["limit"]
    limited = limit is not None and account.moments >= limit
    skew_s = conditions["max_skew_s"]
    faults = account.faults(problems, limited=limited, max_skew_s=skew_s)
    counts = account.counts(problems, limited=limited)
    return {
        "conditions": dict(conditions),
        "status": PARTIAL if faults else GOOD,
        "problems": faults,
        "moments": account.moments,
        "cameras": {
            camera.name: {
                "topic": camera.topic,
                "images": len(camera.images),
                **counts[camera.name],
                "missing_in_moments": camera.missing,
                "camera_info": {
                    "topic": camera.info_topic or None,
                    "messages": camera.infos,
                    "different": len(camera.calibrations),
                    "unreadable": len(camera.bad_infos),
                },
            }
            for camera in account.cameras
        },
        "detected": {name: count / account.moments for name, count in ended.detected.items()},
        "moments_hz": account.moments / elapsed_s,
        "latency_ms": {
            stage: {f"p{p}": float(np.percentile(values, p)) for p in PERCENTILES}
            for stage, values in stage_ms.items()
        },
    }


def to_text(summary: Mapping[str, Any]) -> str:
    """Return a summary for a terminal."""
    latency = summary["latency_ms"][TOTAL]
    total = ", ".join(f"{name} {value:.1f} ms" for name, value in latency.items())
    lines = [
        f"moments   {summary['moments']}, {summary['moments_hz']:.1f} a second with all writing",
        *(f"camera    {name}: {told}" for name, told in _told(summary).items()),
        f"detected  {', '.join(f'{name} {n:.0%}' for name, n in summary['detected'].items())}",
        f"latency   {total} (pictures to map)",
    ]
    return "\n".join([*lines, *(f"problem   {problem}" for problem in summary["problems"])])


def _told(summary: Mapping[str, Any]) -> dict[str, str]:
    """Return what became of each camera's images, in words."""
    found = {}
    for name, counted in summary["cameras"].items():
        parts = [f"{counted[USED]} of {counted['images']} images used"]
        parts += [
            f"{counted[became]} {words}"
            for became, words in BECAME.items()
            if became != USED and counted[became]
        ]
        if counted["missing_in_moments"]:
            parts.append(f"missing in {counted['missing_in_moments']} moments")
        if (info := counted["camera_info"])["topic"]:
            parts.append(f"{info['messages']} CameraInfo, {info['different']} different")
        found[name] = "; ".join(parts)
    return found


def write_report(
    path: Path,
    summary: Mapping[str, Any],
    stage_ms: Mapping[str, array[float]],
    pictures: Sequence[NDArray[np.uint8]],
) -> None:
    """Write the page."""
    conditions = summary["conditions"]
    said = {k: str(v) for k, v in conditions.items() if k not in NOT_SHOWN and v is not None}
    report = Report(f"Replay of {conditions['bag']}, a rig", said)
    report.section("Overview")
    missing = {name: told["missing_in_moments"] for name, told in summary["cameras"].items()}
    lacking = ", ".join(f"{name} in {count}" for name, count in missing.items() if count)
    report.numbers(
        [
            ("moments perceived", summary["moments"], f"missing: {lacking or 'none'}"),
            ("moments a second", summary["moments_hz"], "with all writing"),
        ]
    )
    for problem in summary["problems"] or ["All of the bag could be used."]:
        report.text(problem)
    report.section("Images")
    columns = [one for one in BECAME if one != BEYOND or conditions["limit"]]
    report.table(
        ["camera", "images", *columns, "moments without", "CameraInfo", "different ones"],
        [
            [
                name,
                told["images"],
                *(told[column] for column in columns),
                told["missing_in_moments"],
                told["camera_info"]["messages"],
                told["camera_info"]["different"],
            ]
            for name, told in summary["cameras"].items()
        ],
        "What became of every image",
    )
    report.section("Times")
    latency = summary["latency_ms"]
    header = ["stage", *next(iter(latency.values()))]
    report.table(header, [[stage, *v.values()] for stage, v in latency.items()], "Milliseconds")
    totals = {"moments": np.asarray(stage_ms[TOTAL])}
    report.picture(charts.histogram(totals, "Pictures to map", "ms"))
    if pictures:
        report.section("Pictures")
        for picture in pictures:
            report.picture(picture)
    report.write(path)
