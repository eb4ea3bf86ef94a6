# SPDX-License-Identifier: Apache-2.0
"""One line for each image: ``results.jsonl``, the same bytes on every run, and ``timings.jsonl``.

{"conditions": {...}}                                                 the first line
{"frame": 0, "stamp_ns": ..., "lanes": {"ego": {...}, ...}, "mask": {...}, "scores": {...}}
{"frame": 1, "stamp_ns": ..., "skipped": "rejected", "why": "..."}

Each task of the model has keys of its own, see ``record.py`` of its room.
"""

from __future__ import annotations

import json
from typing import Any, Final

from shared_encoder_perception import tasks
from shared_encoder_perception.evaluation.scorer import Counts as Scores
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.replay.drive import Seen

MS_DECIMALS: Final = 3


def to_line(record: dict[str, Any]) -> bytes:
    """Return a record as one line; its bytes depend on its content alone."""
    return (json.dumps(record, allow_nan=False) + "\n").encode()


def frame_record(seen: Seen, crop: Crop | None, scores: dict[str, Any] | None) -> dict[str, Any]:
    """Return what is said of one image.

    Args:
        seen: What became of it.
        crop: What the network saw of it; ``None`` if it was skipped.
        scores: As of ``score_record``; ``None`` without labels.
    """
    record: dict[str, Any] = {"frame": seen.frame.index, "stamp_ns": seen.frame.stamp_ns}
    perception = seen.perception
    if perception is None or crop is None:
        return {**record, "skipped": seen.skipped, "why": seen.why}
    for name, room in tasks.parts("record", perception.answers).items():
        record |= room.result(perception.answers[name], crop)
    if scores is not None:
        record["scores"] = scores
    return record


def timing_record(seen: Seen) -> dict[str, Any]:
    """Return how long each stage of one image took."""
    times = {stage: round(value, MS_DECIMALS) for stage, value in seen.stage_ms.items()}
    return {"frame": seen.frame.index, "stage_ms": times}


def score_record(scores: Scores) -> dict[str, Any]:
    """Return what one image scored on every task that was answered, labelled or not.

    Args:
        scores: Counts of this image alone.
    """
    found: dict[str, Any] = {}
    for name, room in tasks.parts("record", scores.metrics).items():
        found |= room.scores(scores.metrics[name])
    return found
