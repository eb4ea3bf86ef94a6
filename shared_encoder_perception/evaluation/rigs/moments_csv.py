# SPDX-License-Identifier: Apache-2.0
"""One line per moment: what was seen, how right it was, what it took; a table for any tool."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from shared_encoder_perception import tasks
from shared_encoder_perception.evaluation.frame_record import DECIMALS, LATENCY, MS_DECIMALS
from shared_encoder_perception.evaluation.rigs.counts import MomentRecord
from shared_encoder_perception.evaluation.rigs.rig_evaluation import BESIDE, columns
from shared_encoder_perception.files.safe_text import csv_cell
from shared_encoder_perception.files.whole_file import write_text
from shared_encoder_perception.predictor import STAGES


def header(task: str) -> tuple[str, ...]:
    """Return the columns of the table; only those of ``frame_record.LATENCY`` differ by run."""
    others = [name for who in BESIDE for name in columns(task, *who)]
    scores = tasks.part(task, "metric").COLUMNS
    return ("moment", "source", "cameras", "missing", "seen", *scores, "faults", *others, *LATENCY)


def write_moments(path: Path, task: str, records: Iterable[MomentRecord]) -> None:
    """Write the table; what is not known is an empty cell.

    Raises:
        OSError: It cannot be written.
    """
    names, text = header(task), io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(names)
    for record in records:
        values: dict[str, Any] = {
            "moment": csv_cell(record.name),
            "source": csv_cell(record.source),
            "cameras": record.cameras,
            "missing": csv_cell(" ".join(record.missing)),
            "seen": _number(record.seen),
            "faults": _number(record.scores.faults if record.scores.scored else math.nan),
        }
        for name, value in record.scores.cells.items():
            values[name] = csv_cell(value) if isinstance(value, str) else _number(value)
        values |= {name: _number(value) for name, value in record.beside.items()}
        times = [*(record.stage_ms.get(stage, math.nan) for stage in STAGES), record.latency_ms]
        values |= zip(LATENCY, (_number(value, MS_DECIMALS) for value in times), strict=True)
        rows.writerow([values.get(name, "") for name in names])
    write_text(path, text.getvalue())


def _number(value: float, decimals: int = DECIMALS) -> str:
    """Write a number that is the same on every run."""
    return "" if math.isnan(value) else f"{value:.{decimals}f}"
