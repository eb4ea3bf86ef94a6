# SPDX-License-Identifier: Apache-2.0
"""What results of ``evaluate`` and ``replay`` tell of lanes.

A line of ``frames.csv`` has shares of each image, but neither counts of rows nor lines; one of
``results.jsonl`` has lines, and shares where there were labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared_encoder_perception.tasks.contract.comparisons import Apart, Held, Seen
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES, LaneStatus
from shared_encoder_perception.tasks.lanes.drift import line_agreement, said_counts, words
from shared_encoder_perception.tasks.lanes.metric import ABSENT, PRESENT
from shared_encoder_perception.tasks.lanes.metrics.rows import MATCH_ACCURACY
from shared_encoder_perception.tasks.lanes.record import KEY, read_result
from shared_encoder_perception.tasks.sums import image_counts

NOT_DETECTED: Final = LaneStatus.NOT_DETECTED.name.lower()

CELLS: Final = Held(has=("shares of each image",), lacks=("counts of rows", "lines"))
LINES: Final = Held(has=("lines and scores of each image",), lacks=("counts",))


def of_cells(cells: Mapping[str, str]) -> Seen:
    """Count the lanes of an image."""
    counts: dict[str, float] = {}
    shares, texts = [], []
    for lane in LANE_NAMES:
        detected = cells[f"{lane}_status"] != NOT_DETECTED
        counts[f"{lane}/detected"] = float(detected)
        counts[f"{lane}/confidence"] = float(cells[f"{lane}_confidence"])
        label = cells[f"{lane}_label"]
        if label == PRESENT:
            accuracy = float(cells[f"{lane}_accuracy"])
            shares.append(accuracy)
            counts |= _present(lane, detected, accuracy)
            texts.append(f"{lane} {accuracy:.2f}" if detected else f"{lane} missed")
        elif label == ABSENT:
            counts |= _absent(lane, detected)
            texts += [f"{lane} false alarm"] if detected else []
    counts |= _image(shares)
    if cells["tusimple_accuracy"]:
        counts |= {"tusimple_accuracy": float(cells["tusimple_accuracy"]), "tusimple_images": 1.0}
    return Seen(counts, tuple(texts))


def cells_apart(one: Seen, other: Seen) -> Apart:
    """Count the lanes that both found, and that one of them found."""
    agreed: dict[str, float] = {}
    for lane in LANE_NAMES:
        found = [seen.counts[f"{lane}/detected"] for seen in (one, other)]
        agreed |= {f"{lane}/both": min(found), f"{lane}/either": max(found)}
    return Apart(agreed)


def of_line(line: Mapping[str, Any]) -> Seen | None:
    """Count the lanes of a frame, against its labels if it has any."""
    if KEY not in line:
        return None
    answer = read_result(line)
    counts, faults, shares = said_counts(answer), 0.0, []
    for lane, score in line.get("scores", {}).get(KEY, {}).items():
        detected = bool(counts[f"{lane}/detected"])
        if score["label"] == ABSENT:
            counts |= _absent(lane, detected)
            faults += float(score["false_alarm"])
            continue
        shares.append(score["accuracy"])
        counts |= _present(lane, detected, score["accuracy"])
        faults += 1 - score["accuracy"]
    return Seen(counts | _image(shares), words(answer), float(faults))


def lines_apart(one: Mapping[str, Any], other: Mapping[str, Any]) -> Apart:
    """Compare two answers.

    They are apart by 1 for each lane that only one of them found, and for others by the mean
    distance in lane widths, at most 1.
    """
    a, b = read_result(one), read_result(other)
    counts = line_agreement(a, b)
    amount = 0.0
    for lane in LANE_NAMES:
        amount += counts[f"{lane}/either"] - counts[f"{lane}/both"]
        if rows := counts.get(f"{lane}/widths_rows", 0.0):
            amount += min(counts[f"{lane}/widths"] / rows, 1.0)
    return Apart(counts, amount)


def _present(lane: str, detected: bool, accuracy: float) -> dict[str, float]:
    """Count a lane that is labelled as being there."""
    return {
        f"{lane}/said": float(detected),
        f"{lane}/labelled": 1.0,
        f"{lane}/found": float(accuracy >= MATCH_ACCURACY),
    }


def _absent(lane: str, detected: bool) -> dict[str, float]:
    """Count a lane that is labelled as not being there."""
    alarm = float(detected)
    return {f"{lane}/said": alarm, f"{lane}/absent": 1.0, f"{lane}/alarms": alarm}


def _image(shares: list[float]) -> dict[str, float]:
    """Count the accuracy of an image whose labelled lanes have these."""
    return image_counts({"lane_accuracy": sum(shares) / len(shares)} if shares else {})
