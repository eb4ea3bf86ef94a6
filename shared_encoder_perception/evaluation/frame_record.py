# SPDX-License-Identifier: Apache-2.0
"""One line per image: what was said, how right it was and what it took, as a table for any tool."""

from __future__ import annotations

import csv
import math
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from shared_encoder_perception import tasks
from shared_encoder_perception.evaluation.frame_counts import FullCounts
from shared_encoder_perception.evaluation.scorer import in_order
from shared_encoder_perception.evaluation.slices import SOURCE, rules
from shared_encoder_perception.files.safe_text import csv_cell
from shared_encoder_perception.files.whole_file import replacing
from shared_encoder_perception.predictor import STAGES
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.contract.scores import FrameScores

LATENCY: Final = (*(f"{stage}_ms" for stage in STAGES), "latency_ms")
"""Columns that differ from run to run; no others do."""
DECIMALS: Final = 4
MS_DECIMALS: Final = 3


@dataclass(frozen=True)
class FrameRecord:
    """One image.

    Attributes:
        image: Name inside its set.
        source: Name of its group.
        slices: Which slice it is in, for each of ``ways``.
        scores: What each task scored, by name, in the table's order.
        stage_ms: Of each stage.
    """

    image: str
    source: str
    slices: Mapping[str, str]
    scores: Mapping[str, FrameScores]
    stage_ms: Mapping[str, float]

    @property
    def faults(self) -> float:
        """How much was wrong in all tasks together; 0 for a faultless answer."""
        return sum(scores.faults for scores in self.scores.values())

    @property
    def scored(self) -> bool:
        """Whether anything was there to be scored."""
        return any(scores.scored for scores in self.scores.values())

    @property
    def shares(self) -> dict[str, float]:
        """The numbers from 0 to 1 that each task was scored with, by name; NaN where unknown."""
        found: dict[str, float] = {}
        for scores in self.scores.values():
            found |= scores.shares
        return found

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
    own, scores = {way: slices[way] for way in ways()}, scores_of(perception, counts)
    return FrameRecord(image, source, own, scores, dict(perception.stage_ms))


def scores_of(perception: Perception, counts: FullCounts) -> dict[str, FrameScores]:
    """Return what each task scored of an image that ``counts`` saw alone, in the table's order."""
    return {
        name: tasks.part(name, "metric").record(perception.answers[name], metric)
        for name, metric in in_order(counts.full)
    }


def ways() -> list[str]:
    """Return the ways to slice that have a column of their own: all but the source."""
    return [way for way in rules() if way != SOURCE]


def columns(names: Collection[str]) -> tuple[str, ...]:
    """Return the columns of the table for a model that answers the tasks ``names``."""
    rooms = [tasks.find_part(name, "metric") for name in tasks.ROOMS if name in names]
    scores = [column for room in rooms if room is not None for column in room.COLUMNS]
    return ("image", "source", *ways(), *scores, "faults", *LATENCY)


class FramesCsv:
    """Writes records as they come; the file appears under its name when all are written.

    Use as a context manager: leaving it by an error leaves nothing behind.
    """

    def __init__(self, path: Path, names: Collection[str]) -> None:
        """Write to ``path`` what a model that answers the tasks ``names`` scores.

        Raises:
            OSError: The folder cannot be written.
        """
        self._columns, self._stack = columns(names), ExitStack()
        part = self._stack.enter_context(replacing(path))
        self._file = self._stack.enter_context(part.open("w", encoding="utf-8", newline=""))
        self._rows = csv.writer(self._file, lineterminator="\n")
        self._rows.writerow(self._columns)

    def __enter__(self) -> FramesCsv:
        """Begin."""
        return self

    def write(self, record: FrameRecord) -> None:
        """Append a line; what is not known is an empty cell."""
        texts = {"image": record.image, "source": record.source, **record.slices}
        values: dict[str, Any] = {name: csv_cell(str(text)) for name, text in texts.items()}
        for scores in record.scores.values():
            values |= {name: _cell(value) for name, value in scores.cells.items()}
        values["faults"] = _cell(record.faults)
        times = [*(record.stage_ms.get(stage, math.nan) for stage in STAGES), record.latency_ms]
        values |= zip(LATENCY, (_cell(value, MS_DECIMALS) for value in times), strict=True)
        self._rows.writerow([values[name] for name in self._columns])

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close; keep the file only if all went well."""
        self._stack.__exit__(kind, error, trace)


def _cell(value: str | float, decimals: int = DECIMALS) -> str:
    """Write text that no spreadsheet runs, and a number that is the same on every run."""
    if isinstance(value, str):
        return csv_cell(value)
    return "" if math.isnan(value) else f"{value:.{decimals}f}"
