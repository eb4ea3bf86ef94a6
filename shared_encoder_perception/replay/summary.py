# SPDX-License-Identifier: Apache-2.0
"""What a replay shows, as ``summary.json`` and for people."""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from shared_encoder_perception import tasks
from shared_encoder_perception.evaluation.report_tables import terminal_table
from shared_encoder_perception.files.typed_json import parse_json
from shared_encoder_perception.images.stamps import StampCounts
from shared_encoder_perception.replay.checkpoint import Checkpoint
from shared_encoder_perception.tasks.detections import share_lines

PERCENTILES: Final = (50, 95, 99)
TOTAL: Final = "total"
"""All stages of an image together."""
GOOD, PARTIAL = 0, 1
"""Exit status: everything was perceived; or something could not be, or is odd about the bag."""
ODD_STAMPS: Final = {
    "zero": "images have no stamp",
    "late": "images are stamped before the one before them",
    "duplicate": "images have the stamp of the one before them",
    "jumps": "times the stamps jump back",
}
"""Field of ``StampCounts`` -> what it counts."""


def summarise(
    at: Checkpoint,
    stamps: StampCounts,
    stage_ms: Mapping[str, array[float]],
    drawing_s: float,
    others: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the numbers of a replay.

    Args:
        at: The checkpoint at its end.
        stamps: What was odd about the stamps.
        stage_ms: As of ``read_timings``.
        drawing_s: Time that bag and video took; 0 for none.
        others: What else is wrong, in words.
        notes: What should be known, though nothing is wrong with the images.
    """
    tallies = at.tallies
    faults = [f"{n} images {why}" for why, n in _named(tallies.skipped, tallies.examples)]
    faults += [
        f"{count} {what}"
        for name, what in ODD_STAMPS.items()
        if (count := int(getattr(stamps, name)))
    ]
    faults += others
    images, seconds = at.alone
    replay_hz = _ratio(at.frames, at.elapsed_s)
    alone_hz = _ratio(images, seconds)
    scores = tallies.scorer
    return {
        "conditions": dict(at.conditions),
        # A topic of a type that nobody knows is worth a word, but takes nothing from the images.
        "status": PARTIAL if faults or not at.complete or not tallies.perceived else GOOD,
        "problems": [*at.problems, *faults, *notes],
        "frames": at.frames,
        "perceived": tallies.perceived,
        "skipped": dict(sorted(tallies.skipped.items())),
        "labelled": tallies.labelled,
        "detected": {
            name: _ratio(count, tallies.perceived) for name, count in tallies.detected.items()
        },
        "throughput": {
            "replay_hz": replay_hz,
            "predictor_alone_hz": alone_hz,
            "share": _ratio(replay_hz, alone_hz),
            "perceiving_s": at.elapsed_s,
            "drawing_s": drawing_s,
        },
        "latency_ms": {stage: _percentiles(values) for stage, values in stage_ms.items()},
        "temporal": steadiness_of(tallies.steadiness),
        "headline": scores.summary() if tallies.labelled else {},
        "scores": scores.compute() if tallies.labelled else {},
    }


def read_timings(path: Path) -> dict[str, array[float]]:
    """Return the milliseconds of each stage of all images, and of all stages: 4 bytes each."""
    stages: dict[str, array[float]] = {}
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            times = parse_json(line, f"{path}, line {number},")["stage_ms"]
            for stage, value in (*times.items(), (TOTAL, sum(times.values()))):
                stages.setdefault(stage, array("f")).append(value)
    return stages


def to_json(summary: Mapping[str, Any]) -> str:
    """Return a summary as JSON, ``null`` for what is not known."""
    return json.dumps(_finite(summary), indent=2, allow_nan=False) + "\n"


def to_text(summary: Mapping[str, Any]) -> str:
    """Return a summary for a terminal."""
    rates = summary["throughput"]
    skipped = ", ".join(f"{count} {why}" for why, count in summary["skipped"].items())
    total = summary["latency_ms"].get(TOTAL, {})
    latency = ", ".join(f"{name} {value:.1f} ms" for name, value in total.items())
    drawing = rates["drawing_s"]
    lines = [
        f"images    {summary['frames']} read, {summary['perceived']} perceived, skipped: "
        f"{skipped or 'none'}",
        *share_lines(summary["detected"]),
        f"rate      {rates['replay_hz']:.1f} images a second, {rates['share']:.1%} of the "
        f"predictor alone ({rates['predictor_alone_hz']:.1f})"
        + (f"; drawing took {drawing:.1f} s more" if drawing else ""),
        f"latency   {latency or 'none'} (conversion to answer)",
        *steadiness_words(summary["temporal"]),
    ]
    if summary["scores"]:
        lines += [
            f"labelled  {summary['labelled']} images",
            "",
            terminal_table(summary["scores"]),
            "",
        ]
    return "\n".join([*lines, *(f"problem   {problem}" for problem in summary["problems"])])


def steadiness_of(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return what the tasks' metrics of steadiness computed, together."""
    return {name: value for metric in metrics.values() for name, value in metric.compute().items()}


def steadiness_words(computed: Mapping[str, float]) -> list[str]:
    """Return a line for each task of which something is computed over a drive."""
    words = (room.words(computed) for room in tasks.parts("steadiness").values())
    return [f"steady    {one}" for one in words if one]


def _named(skipped: Mapping[str, int], examples: Mapping[str, str]) -> list[tuple[str, int]]:
    """Return what was said of skipped images, with their number."""
    return [
        (f"were skipped as {reason}, the first: {examples[reason]}", count)
        for reason, count in sorted(skipped.items())
    ]


def _percentiles(values: array[float]) -> dict[str, float]:
    """Return ``{"p50": ...}`` of times."""
    found = np.percentile(values, PERCENTILES)
    return {f"p{p}": float(value) for p, value in zip(PERCENTILES, found, strict=True)}


def _ratio(part: float, whole: float) -> float:
    """Divide; NaN for nothing of nothing."""
    return part / whole if whole else math.nan


def _finite(value: Any) -> Any:
    """Replace what JSON does not know by ``None``."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
