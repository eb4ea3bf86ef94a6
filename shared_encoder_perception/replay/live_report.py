# SPDX-License-Identifier: Apache-2.0
"""What a live replay shows, as text and as a page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from shared_encoder_perception.evaluation.report import charts
from shared_encoder_perception.evaluation.report.document import Report
from shared_encoder_perception.replay.conditions import for_people
from shared_encoder_perception.replay.live_result import SHOWN


def to_text(result: Mapping[str, Any]) -> str:
    """Render one screen."""
    latency = ", ".join(f"{name} {value:.1f} ms" for name, value in _percentiles(result).items())
    stages = ", ".join(f"{name} {value:.2f} ms" for name, value in result["stage_ms"].items())
    return "\n".join(
        [
            f"images    {result['published']} in, {result['perceived']} out, "
            f"{result['dropped']} dropped, {result['unaccounted']} unaccounted for",
            f"offline   {result['equal']} equal, {len(result['different'])} different, "
            f"{result['unknown']} without a line of their own",
            f"latency   {latency or 'none'} (image received to answer received, by a consumer)",
            f"node      {stages or 'none'} (medians; processing is all of it)",
        ]
    )


def write_report(path: Path, result: Mapping[str, Any]) -> None:
    """Write the page.

    Args:
        path: The .html.
        result: As of ``live_result.compare``, with ``conditions``.
    """
    conditions = result["conditions"]
    shown = {**for_people(conditions), "pace": f"{conditions['rate']:g} times as recorded"}
    report = Report(f"Live replay of {conditions['bag']}", shown)
    report.section("Overview")
    report.numbers(
        [
            ("images", result["published"], "published at the bag's pace"),
            ("perceived", result["perceived"], "by the node, in real time"),
            ("dropped", result["dropped"], "newer ones came before their turn"),
            ("unaccounted for", result["unaccounted"], "has to be 0"),
            ("equal to offline", result["equal"], "to the last digit that is kept"),
            ("different", len(result["different"]), "has to be 0"),
        ]
    )
    if result["different"]:
        rows = [
            [one["frame"], str(one["stamp_ns"]), ", ".join(one["what"])]
            for one in result["different"][:SHOWN]
        ]
        report.table(["frame", "stamp, ns", "what differs"], rows, "Different answers")
    latencies_ms = np.asarray(result["latencies_ms"])
    report.section("Latency")
    report.text(
        "From the arrival of the image to that of its answer, both at the recorder: what a "
        "consumer in another process waits for."
    )
    if len(latencies_ms):
        report.table(["percentile", "ms"], [[n, v] for n, v in _percentiles(result).items()])
        report.picture(charts.histogram({"live": latencies_ms}, "Latency", "ms"))
        drive = {"latency": (np.arange(len(latencies_ms), dtype=float), latencies_ms)}
        report.picture(charts.lines(drive, "Over the drive", "image", "ms"))
    report.table(["stage", "median, ms"], [[n, v] for n, v in result["stage_ms"].items()], "Node")
    report.write(path)


def _percentiles(result: Mapping[str, Any]) -> dict[str, float]:
    """Return the latencies that are percentiles."""
    return {name: value for name, value in result["latency_ms"].items() if name.startswith("p")}
