"""TuSimple lane detection: one JSON object per line, boundaries as ``x`` at given rows."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final, cast

import numpy as np

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.labels.frame import LabelledFrame
from shared_encoder_perception.labels.said import Line, Said, UsualLane
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.label_files import LabelError

SIZE: Final[Size] = (720, 1280)
CROP: Final = Crop(0, 194, 1280, 512)
GEOMETRY: Final = UsualLane(width_slope=2.215, horizon_row_px=237.0, centre_column_px=640.0)
"""Medians over the ego lanes of the training files: 5th to 95th percentile 2.01 to 2.38, and rows
222 to 250."""
LICENCE: Final = "terms of the pictures unknown"
LEFT_EDGES: Final = (4, 6)
"""Values of the unofficial ``classes``, by statistics: solid yellow, and another left edge."""
RIGHT_EDGES: Final = (2,)
"""Solid white right edge (by statistics)."""


def read(path: Path, *, lane_changes: bool = False) -> Iterator[LabelledFrame]:
    """Read label files line by line.

    Args:
        path: One label file (``.json``, ``.json.gz``), or a folder with ``label_data_*.json`` and
            ``test_label.json``. ``raw_file`` is relative to the file's folder.
        lane_changes: Keep the lanes of frames in which a boundary runs under the vehicle, where it
            is arbitrary which lane is the ego lane.

    Raises:
        LabelError: A faulty line.
    """
    for file in _label_files(path):
        with _open(file) as lines:
            for number, line in enumerate(lines, start=1):
                yield _frame(line, file, number, lane_changes)


def _label_files(path: Path) -> list[Path]:
    """The label files of a folder, or the one given."""
    if not path.is_dir():
        return [path]
    names = ("label_data_*.json", "label_data_*.json.gz", "test_label.json")
    files = sorted(file for name in names for file in path.glob(name))
    if not files:
        raise LabelError(path, None, f"there is none of {', '.join(names)}")
    return files


def _open(file: Path) -> IO[bytes]:
    """Open a label file, compressed or not."""
    if file.suffix == ".gz":
        return cast(IO[bytes], gzip.open(file))
    return file.open("rb")


def _frame(text: bytes, file: Path, number: int, lane_changes: bool) -> LabelledFrame:
    """Turn one line into a frame."""
    try:
        record = json.loads(text)
    except ValueError as error:
        raise LabelError(file, number, f"not JSON: {error}") from None
    if not isinstance(record, dict) or not isinstance(record.get("raw_file"), str):
        raise LabelError(file, number, "expected an object with a text `raw_file`")
    lines = _lines(record, file, number) if "lanes" in record else ()
    said = Said(SIZE, lines or None, usual_lane=GEOMETRY, lane_changes=lane_changes)
    return said.frame(
        name=record["raw_file"],
        image_path=file.parent / record["raw_file"],
        crop=CROP,
        source="tusimple",
        licence=LICENCE,
        where=f"{file}, line {number}",
    )


def _lines(record: dict[str, Any], file: Path, number: int) -> tuple[Line, ...]:
    """Check and read the lines of a record; those of less than two points are left out."""
    try:
        rows = np.array(record["h_samples"], np.float64)
        columns = np.array(record["lanes"], np.float64).reshape(-1, len(rows))
    except KeyError:
        raise LabelError(file, number, "`h_samples` is missing") from None
    except (TypeError, ValueError):
        raise LabelError(
            file, number, "every list of `lanes` must hold a number for each of `h_samples`"
        ) from None
    if rows.ndim != 1 or (np.diff(rows) <= 0).any():
        raise LabelError(file, number, "`h_samples` must be rising rows")
    classes = record.get("classes", [])
    if not isinstance(classes, list) or len(classes) != len(columns):
        classes = [0] * len(
            columns
        )  # unofficial, and wrong in some copies: then nothing is an edge
    lines = []
    for x, kind in zip(columns, classes, strict=True):
        seen = (x >= 0) & (rows < SIZE[0])
        points = np.stack((x[seen], rows[seen]), axis=1)
        # Which side the line is on tells what an edge of its kind means.
        edges = LEFT_EDGES if seen.any() and x[seen][-1] < SIZE[1] / 2 else RIGHT_EDGES
        if len(points) >= 2:
            lines.append(Line(points, is_edge=kind in edges))
    return tuple(lines)
