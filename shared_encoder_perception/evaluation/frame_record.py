"""One line per image: what was said, how right it was and what it took, as a table for any tool."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from shared_encoder_perception.evaluation.frame_counts import FullCounts
from shared_encoder_perception.predictor import STAGES
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES

PRESENT, ABSENT, NOT_KNOWN = "present", "absent", "unknown"
SLICES: Final = ("light", "curvature", "occlusion")
LATENCY: Final = (*(f"{stage}_ms" for stage in STAGES), "latency_ms")
"""Columns that differ from run to run; no others do."""
DECIMALS: Final = 4
MS_DECIMALS: Final = 3


@dataclass(frozen=True)
class LaneRecord:
    """One lane of one image.

    Attributes:
        label: ``PRESENT``, ``ABSENT`` or ``NOT_KNOWN``.
        status: Name of the predicted ``LaneStatus``, lower case.
        confidence: Stated, 0 to 1.
        accuracy: Share of the labelled rows that are right; NaN unless the label is there.
    """

    label: str
    status: str
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class FrameRecord:
    """One image.

    Attributes:
        image: Name inside its set.
        source: Name of its group.
        slices: Which slice it is in, for each of ``SLICES``.
        lanes: By name.
        tusimple_accuracy: By the benchmark's rule; NaN without a labelled line.
        mask_iou: NaN without drivable surface, labelled or predicted.
        boundary_f: NaN without a boundary.
        faults: Sum over labelled lanes of the share of rows that are wrong (1 for a false alarm),
            plus one minus the IoU; 0 for a faultless answer.
        scored: Whether anything was there to be scored.
        stage_ms: Of each stage.
    """

    image: str
    source: str
    slices: Mapping[str, str]
    lanes: Mapping[str, LaneRecord]
    tusimple_accuracy: float
    mask_iou: float
    boundary_f: float
    faults: float
    scored: bool
    stage_ms: Mapping[str, float]

    @property
    def lane_accuracy(self) -> float:
        """Mean over the labelled lanes; NaN without any."""
        known = [lane.accuracy for lane in self.lanes.values() if lane.label == PRESENT]
        return sum(known) / len(known) if known else math.nan

    @property
    def latency_ms(self) -> float:
        """From the image to the answer."""
        return sum(self.stage_ms.values())


def record_of(
    image: str,
    source: str,
    slices: Mapping[str, str],
    perception: Perception,
    counts: FullCounts,
) -> FrameRecord:
    """Make the record of an image from what was counted of it alone.

    Args:
        image: Name inside its set.
        source: Name of its group.
        slices: As ``slices.slices_of``.
        perception: The answer.
        counts: Of this image and answer.
    """
    lanes, faults = {}, 0.0
    for name, score in counts.basic.lanes.compute().items():
        line = perception.lanes[LANE_NAMES.index(name)]
        label = PRESENT if score.labelled else ABSENT if score.absent else NOT_KNOWN
        accuracy = score.valid_row_accuracy
        faults += 1 - accuracy if score.labelled else float(score.false_alarms)
        lanes[name] = LaneRecord(label, line.status.name.lower(), line.confidence, accuracy)
    boundary = counts.boundary.compute()
    iou = boundary["iou"]
    return FrameRecord(
        image=image,
        source=source,
        slices={name: slices[name] for name in SLICES},
        lanes=lanes,
        tusimple_accuracy=counts.tusimple.compute()["accuracy"],
        mask_iou=iou,
        boundary_f=boundary["boundary_f"],
        faults=faults + (0.0 if math.isnan(iou) else 1 - iou),
        scored=not math.isnan(iou) or any(lane.label == PRESENT for lane in lanes.values()),
        stage_ms=dict(perception.stage_ms),
    )


COLUMNS: Final = (
    "image",
    "source",
    *SLICES,
    *(f"{name}_{what}" for name in LANE_NAMES for what in LaneRecord.__dataclass_fields__),
    "tusimple_accuracy",
    "mask_iou",
    "boundary_f",
    "faults",
    *LATENCY,
)


class FramesCsv:
    """Writes records as they come; the file appears under its name when all are written.

    Use as a context manager: leaving it by an error leaves nothing behind.
    """

    def __init__(self, path: Path) -> None:
        """Write to ``path``.

        Raises:
            OSError: The folder cannot be written.
        """
        self._path, self._part = path, path.with_name(path.name + ".part")
        self._file = self._part.open("w", encoding="utf-8", newline="")
        self._rows = csv.writer(self._file, lineterminator="\n")
        self._rows.writerow(COLUMNS)

    def __enter__(self) -> FramesCsv:
        """Begin."""
        return self

    def write(self, record: FrameRecord) -> None:
        """Append a line; what is not known is an empty cell."""
        lanes = (record.lanes[name] for name in LANE_NAMES)
        cells: list[Any] = [record.image, record.source, *record.slices.values()]
        for lane in lanes:
            cells += [lane.label, lane.status, _cell(lane.confidence), _cell(lane.accuracy)]
        scores = (record.tusimple_accuracy, record.mask_iou, record.boundary_f, record.faults)
        cells += [_cell(value) for value in scores]
        times = [*(record.stage_ms.get(stage, math.nan) for stage in STAGES), record.latency_ms]
        self._rows.writerow(cells + [_cell(value, MS_DECIMALS) for value in times])

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close; keep the file only if all went well."""
        self._file.close()
        if kind is None:
            os.replace(self._part, self._path)
        else:
            self._part.unlink(missing_ok=True)


def _cell(value: float, decimals: int = DECIMALS) -> str:
    """Write a number that is the same on every run of the same answers."""
    return "" if math.isnan(value) else f"{value:.{decimals}f}"
