"""Two results of ``evaluate``, frame by frame: the lines of their ``frames.csv``.

They hold shares of each image, but neither counts of rows nor lines: scores that are means over
images are known, pooled ones are not.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Final, NamedTuple

from shared_encoder_perception.evaluation.diff.changed import BETTER, SEPARATOR, WORSE, no_pictures
from shared_encoder_perception.evaluation.diff.counts import IMAGE_SHARES, image_counts
from shared_encoder_perception.evaluation.diff.pairs import Pairs
from shared_encoder_perception.evaluation.frame_record import ABSENT, PRESENT
from shared_encoder_perception.evaluation.metrics import MATCH_ACCURACY
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES, LaneStatus

NOT_DETECTED: Final = LaneStatus.NOT_DETECTED.name.lower()


class _Frame(NamedTuple):
    """One line."""

    source: str
    name: str
    counts: dict[str, float]
    faults: float
    text: str


def pair_evaluations(a: Path, b: Path, block: int) -> Pairs:
    """Compare two ``frames.csv``.

    Args:
        a: Of the version before.
        b: Of the version after.
        block: Frames that are drawn together.

    Raises:
        ValueError: They are not of the same images, or a line is damaged.
    """
    pairs = Pairs(block)
    for one, other in zip_longest(_csv_frames(a), _csv_frames(b)):
        if one is None or other is None or one[:2] != other[:2]:
            names = [f"{line.source}/{line.name}" if line else "nothing" for line in (one, other)]
            raise ValueError(f"{a} and {b} are not of the same images: {' and '.join(names)}")
        agreed: dict[str, float] = {}
        for lane in LANE_NAMES:
            found = [line.counts[f"{lane}/detected"] for line in (one, other)]
            agreed |= {f"{lane}/both": min(found), f"{lane}/either": max(found)}
        pairs.add(one.source, one.counts, other.counts | agreed)
        worse, sides = other.faults - one.faults, no_pictures(one.text, other.text)
        for kind, amount in ((WORSE, worse), (BETTER, -worse)):
            pairs.changed.update(kind, amount, one.source, one.name, sides)
    return pairs


def _csv_frames(path: Path) -> Iterator[_Frame]:
    """Read the lines of ``frames.csv``."""
    with path.open(encoding="utf-8", newline="") as lines:
        for number, row in enumerate(csv.DictReader(lines), start=2):
            try:
                yield _csv_frame(row)
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(
                    f"{path}, line {number}: not a line of evaluate: {error}"
                ) from None


def _csv_frame(row: Mapping[str, str]) -> _Frame:
    """Count one line."""
    counts, shares, texts = {"frames": 1.0}, [], []
    for lane in LANE_NAMES:
        label, detected = row[f"{lane}_label"], row[f"{lane}_status"] != NOT_DETECTED
        counts |= {
            f"{lane}/detected": float(detected),
            f"{lane}/confidence": float(row[f"{lane}_confidence"]),
        }
        if label == PRESENT:
            accuracy = float(row[f"{lane}_accuracy"])
            shares.append(accuracy)
            counts |= {
                f"{lane}/labelled": 1.0,
                f"{lane}/said": float(detected),
                f"{lane}/found": float(accuracy >= MATCH_ACCURACY),
            }
            texts.append(f"{lane} {accuracy:.2f}" if detected else f"{lane} missed")
        elif label == ABSENT:
            alarm = float(detected)
            counts |= {f"{lane}/absent": 1.0, f"{lane}/said": alarm, f"{lane}/alarms": alarm}
            texts += [f"{lane} false alarm"] if detected else []
    values = {key: float(row[key]) for key in IMAGE_SHARES if row.get(key)}
    if shares:
        values["lane_accuracy"] = sum(shares) / len(shares)
    counts |= image_counts(values)
    if row["tusimple_accuracy"]:
        counts |= {"tusimple_accuracy": float(row["tusimple_accuracy"]), "tusimple_images": 1.0}
    if "mask_iou" in values:
        texts.insert(0, f"mask IoU {values['mask_iou']:.3f}")
    return _Frame(row["source"], row["image"], counts, float(row["faults"]), SEPARATOR.join(texts))
