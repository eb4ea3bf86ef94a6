# SPDX-License-Identifier: Apache-2.0
"""What several bags show together: one ``summary.json`` above their folders, and for people.

Counts are pooled, so every image weighs the same, whichever bag it is of. Nothing in it depends on
the order of the bags, on where they were replayed, or on how long it took.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from shared_encoder_perception.evaluation.report_tables import terminal_table
from shared_encoder_perception.evaluation.scorer import Scorer
from shared_encoder_perception.files.typed_json import parse_json
from shared_encoder_perception.files.whole_file import write_text
from shared_encoder_perception.replay import folder as folders
from shared_encoder_perception.replay.checkpoint import Checkpoint
from shared_encoder_perception.replay.scale_bags import FAILED, Outcome
from shared_encoder_perception.replay.summary import steadiness_of, steadiness_words, to_json
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.detections import share_lines

ROWS: Final = 30
"""Of more bags than that, only those with something wrong are shown on the terminal."""
KEPT: Final = ("frames", "perceived", "skipped", "labelled", "problems", "headline")
"""What is told of each bag, of all that its own summary says."""


def write_merged(outcomes: Sequence[Outcome], out: Path, input_size: Size) -> dict[str, Any]:
    """Pool what was counted of the bags and write it.

    Args:
        outcomes: Of all bags; their folders hold what was counted.
        out: Folder for ``summary.json``.
        input_size: Of the model.

    Returns:
        The summary, as ``merge``.
    """
    summary = merge(outcomes, input_size)
    write_text(out / folders.SUMMARY, to_json(summary))
    return summary


def merge(outcomes: Sequence[Outcome], input_size: Size) -> dict[str, Any]:
    """Pool what was counted of the bags.

    Returns:
        ``{"conditions": what they have in common, "status": the worst, "bags": {name: ...},
        "failed": names, "frames", "perceived", "skipped", "labelled", "detected", "temporal",
        "headline", "scores": as of one bag}``.
    """
    read = [_read(outcome) for outcome in sorted(outcomes, key=lambda one: one.job.name)]
    done = [(told, counts) for told, counts in read if counts is not None]
    pooled, steadiness = Scorer(input_size), dict[str, Any]()
    frames, skipped, detected = 0, Counter[str](), Counter[str]()
    for _, counts in done:
        tallies = counts.tallies
        pooled.merge(tallies.scorer)
        for task, metric in tallies.steadiness.items():
            steadiness.setdefault(task, type(metric)()).merge(metric)
        frames += counts.frames
        skipped += tallies.skipped
        detected.update(tallies.detected)  # adding would lose what was never detected
    perceived = sum(counts.tallies.perceived for _, counts in done)
    labelled = sum(counts.tallies.labelled for _, counts in done)
    shared = _shared([counts.conditions for _, counts in done])
    for told, counts in done:
        own = {key: value for key, value in counts.conditions.items() if key not in shared}
        told["conditions"] = own
    bags = {told.pop("name"): told for told, _ in read}
    return {
        "conditions": shared,
        "status": max(told["status"] for told in bags.values()),
        "failed": [name for name, told in bags.items() if "error" in told],
        "bags": bags,
        "frames": frames,
        "perceived": perceived,
        "skipped": dict(sorted(skipped.items())),
        "labelled": labelled,
        "detected": {name: _share(count, perceived) for name, count in detected.items()},
        "temporal": steadiness_of(steadiness),
        "headline": pooled.summary() if labelled else {},
        "scores": pooled.compute() if labelled else {},
    }


def to_text(summary: Mapping[str, Any]) -> str:
    """Return the summary for a terminal."""
    bags: Mapping[str, Mapping[str, Any]] = summary["bags"]
    shown = {name: told for name, told in bags.items() if len(bags) <= ROWS or told["status"] != 0}
    width = max([3, *map(len, shown)])
    lines = [f"{'bag':<{width}}  {'images':>8}  {'perceived':>9}  {'skipped':>7}  {'labelled':>8}"]
    for name, told in (*shown.items(), ("all", summary)):
        if "error" in told:
            lines.append(f"{name:<{width}}  failed: {told['error']}")
            continue
        numbers = (told["frames"], told["perceived"], sum(told["skipped"].values()))
        row = f"{numbers[0]:>8}  {numbers[1]:>9}  {numbers[2]:>7}  {told['labelled']:>8}"
        lines.append(f"{name:<{width}}  {row}")
        lines += [f"{'':<{width}}  problem: {problem}" for problem in told.get("problems", ())]
    if len(shown) < len(bags):
        lines.append(f"({len(bags) - len(shown)} bags without a problem are not shown)")
    lines += [*share_lines(summary["detected"]), *steadiness_words(summary["temporal"])]
    if summary["scores"]:
        lines += [
            f"labelled  {summary['labelled']} images",
            "",
            terminal_table(summary["scores"]),
            "",
        ]
    failed = len(summary["failed"])
    lines.append(f"bags      {len(bags)}, of which {failed} failed")
    return "\n".join(lines)


def _read(outcome: Outcome) -> tuple[dict[str, Any], Checkpoint | None]:
    """Return what is told of a bag, and what was counted of it; ``None`` if it failed."""
    job, error = outcome.job, outcome.error
    if not error:
        try:
            own = parse_json((job.out / folders.SUMMARY).read_bytes(), folders.SUMMARY)
            counts = folders.read_counts(job.out)
        except (ValueError, OSError) as problem:
            error = f"its results cannot be read: {problem}"
        else:
            told = {"name": job.name, "status": outcome.status}
            return {**told, **{key: own[key] for key in KEPT}}, counts
    for path in (job.out, job.bag):  # the same bag is in another folder on another machine
        error = error.replace(str(path), job.name)
    return {"name": job.name, "status": FAILED, "error": error}, None


def _shared(conditions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the conditions that all bags have in common."""
    if not conditions:
        return {}
    first, *others = conditions
    return {
        key: value
        for key, value in first.items()
        if key != "bag" and all(other.get(key) == value for other in others)
    }


def _share(part: int, whole: int) -> float:
    """Divide; NaN for nothing of nothing."""
    return part / whole if whole else math.nan
