"""Two results of ``replay``, frame by frame: the lines of their ``results.jsonl``.

They hold the lines that were found, but of the mask its area only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from shared_encoder_perception.compat import perception_of
from shared_encoder_perception.evaluation.diff.changed import APART, BETTER, WORSE, no_pictures
from shared_encoder_perception.evaluation.diff.counts import (
    agreement_counts,
    answer_counts,
    image_counts,
)
from shared_encoder_perception.evaluation.diff.pairs import Pairs, lanes_text
from shared_encoder_perception.evaluation.frame_record import ABSENT
from shared_encoder_perception.evaluation.metrics import MATCH_ACCURACY
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES, LaneId, LaneLine, LaneStatus

DRIVE: Final = "drive"
"""Source name of all frames."""


class PairedReplays(NamedTuple):
    """What two replays hold.

    Attributes:
        pairs: Counted.
        labelled: Frames with labels.
        skipped: Frames that A or B has skipped, which are left out.
    """

    pairs: Pairs
    labelled: int
    skipped: int


def pair_replays(a: Path, b: Path, block: int) -> PairedReplays:
    """Compare two ``results.jsonl``.

    Args:
        a: Of the version before.
        b: Of the version after.
        block: Frames that are drawn together.

    Raises:
        ValueError: They are not of the same frames, or a line is damaged.
    """
    pairs, labelled, skipped = Pairs(block), 0, 0
    for one, other in zip_longest(_lines(a), _lines(b)):
        keys = [f"frame {line['frame']}" if line else "nothing" for line in (one, other)]
        if one is None or other is None or keys[0] != keys[1] or _stamp(one) != _stamp(other):
            raise ValueError(f"{a} and {b} are not of the same frames: {' and '.join(keys)}")
        if "skipped" in one or "skipped" in other:
            skipped += 1
            continue
        labelled += "scores" in one and "scores" in other
        try:
            _add(pairs, one, other)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{a} or {b}, {keys[0]}: not a line of replay: {error}") from None
    return PairedReplays(pairs, labelled, skipped)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Read all lines but the first, which holds the conditions."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                record = json.loads(line)
                if number > 1:
                    yield {"frame": record["frame"], **record}
            except (ValueError, KeyError, TypeError):
                raise ValueError(f"{path}, line {number}: not a line of replay") from None


def _stamp(line: Mapping[str, Any]) -> Any:
    """Return when a frame was taken."""
    return line.get("stamp_ns")


def _add(pairs: Pairs, one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    """Count one frame of two replays."""
    a, b = (_perception(line) for line in (one, other))
    counts = [_json_counts(answer, line) for answer, line in ((a, one), (b, other))]
    apart = agreement_counts(a, b, None)
    pairs.add(DRIVE, counts[0], counts[1] | apart)
    name = f"frame {one['frame']}"
    sides = no_pictures(lanes_text(a), lanes_text(b))
    if "scores" in one and "scores" in other:
        worse = _faults(other["scores"]) - _faults(one["scores"])
        pairs.changed.update(WORSE, worse, DRIVE, name, sides)
        pairs.changed.update(BETTER, -worse, DRIVE, name, sides)
        return
    amount = 0.0
    for lane in LANE_NAMES:
        amount += apart[f"{lane}/either"] - apart[f"{lane}/both"]
        if rows := apart.get(f"{lane}/widths_rows", 0.0):
            amount += min(apart[f"{lane}/widths"] / rows, 1.0)
    areas = [(line.get("mask") or {}).get("area", 0.0) for line in (one, other)]
    pairs.changed.update(APART, amount + abs(areas[0] - areas[1]), DRIVE, name, sides)


def _perception(line: Mapping[str, Any]) -> Perception:
    """Read the lanes of a frame; of what size its image was is not known, and not needed."""
    lanes = []
    for lane in LaneId:
        said = line["lanes"][lane.label]
        points = np.array(said["points_px"], np.float32).reshape(-1, 2)
        unknown = np.full(len(points), np.nan, np.float32)
        status = LaneStatus[said["status"]]
        lanes.append(LaneLine(lane, status, said["confidence"], points, unknown))
    return perception_of((1, 1), tuple(lanes), None)


def _json_counts(answer: Perception, line: Mapping[str, Any]) -> dict[str, float]:
    """Count one frame of a replay."""
    counts = answer_counts(answer, None)
    if line.get("mask"):
        counts |= {"area": line["mask"]["area"], "areas": 1.0}
    scores, shares = line.get("scores"), []
    if not scores:
        return counts
    for lane, score in scores["lanes"].items():
        detected = counts[f"{lane}/detected"]
        counts[f"{lane}/said"] = detected
        if score["label"] == ABSENT:
            counts |= {f"{lane}/absent": 1.0, f"{lane}/alarms": detected}
            continue
        shares.append(score["accuracy"])
        found = float(score["accuracy"] >= MATCH_ACCURACY)
        counts |= {f"{lane}/labelled": 1.0, f"{lane}/found": found}
    values = {"mask_iou": scores["mask_iou"]} if scores["mask_iou"] is not None else {}
    values |= {"lane_accuracy": sum(shares) / len(shares)} if shares else {}
    return counts | image_counts(values)


def _faults(scores: Mapping[str, Any]) -> float:
    """Return the faults of a frame, as ``FrameRecord`` counts them."""
    faults = 0.0 if scores["mask_iou"] is None else 1 - scores["mask_iou"]
    for score in scores["lanes"].values():
        faults += float(score["false_alarm"]) if score["label"] == ABSENT else 1 - score["accuracy"]
    return float(faults)
