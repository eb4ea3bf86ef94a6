# SPDX-License-Identifier: Apache-2.0
"""TuSimple lane detection: one JSON object per line, boundaries as ``x`` at given rows."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from shared_encoder_perception.files.plain_file import plain
from shared_encoder_perception.images.listing import files_matching
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.labels.frame import LabelledFrame
from shared_encoder_perception.labels.label_io import in_reach, load_json
from shared_encoder_perception.labels.said import Line, Said
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.labels import UsualLane
from shared_encoder_perception.tasks.label_files import LabelError, named_file

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
NOT_SEEN: Final = -2
"""Column of a line in a row in which it is not there."""
STRANGE_COLUMNS: Final = f"columns below 0 other than {NOT_SEEN}, taken as not there"
MOST_BYTES: Final = 1 << 24
"""Of a line; a label has some thousand."""


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
        for number, line in _lines_of(file):
            yield _frame(line, file, number, lane_changes)


def _label_files(path: Path) -> list[Path]:
    """The label files of a folder, or the one given."""
    if not path.is_dir():
        return [path]
    names = ("label_data_*.json", "label_data_*.json.gz", "test_label.json")
    files = files_matching(path, *names)
    if not files:
        raise LabelError(path, None, f"there is none of {', '.join(names)}")
    return files


def _lines_of(file: Path) -> Iterator[tuple[int, bytes]]:
    """Read the lines of a label file, compressed or not, that are not empty, and their numbers."""
    number = 0
    plain(file)
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
            while line := lines.readline(MOST_BYTES):
                number += 1
                if len(line) == MOST_BYTES:
                    raise LabelError(file, number, f"longer than {MOST_BYTES} bytes: no label")
                if line.strip():
                    yield number, line
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise LabelError(file, number + 1, f"the file is damaged or cut off: {error}") from None


def _frame(text: bytes, file: Path, number: int, lane_changes: bool) -> LabelledFrame:
    """Turn one line into a frame."""
    record = load_json(text, file, number)
    if not isinstance(record, dict) or not isinstance(record.get("raw_file"), str):
        raise LabelError(file, number, "expected an object with a text `raw_file`")
    lines, notes = _lines(record, file, number) if "lanes" in record else ((), ())
    said = Said(SIZE, lines or None, usual_lane=GEOMETRY, lane_changes=lane_changes)
    return said.frame(
        name=record["raw_file"],
        image_path=named_file(file.parent, record["raw_file"], "raw_file", file, number),
        crop=CROP,
        source="tusimple",
        licence=LICENCE,
        notes=notes,
        where=f"{file}, line {number}",
    )


def _lines(
    record: dict[str, Any], file: Path, number: int
) -> tuple[tuple[Line, ...], tuple[str, ...]]:
    """Check and read the lines of a record, and notes; one point is no line, and left out."""
    try:
        rows = np.array(record["h_samples"], np.float64)
        columns = np.array(record["lanes"], np.float64)
    except KeyError:
        raise LabelError(file, number, "`h_samples` is missing") from None
    except (TypeError, ValueError, OverflowError):
        rows, columns = np.zeros((0, 0)), np.zeros(1)
    if columns.shape == (0,):  # nothing is labelled
        columns = columns.reshape(0, len(rows))
    if rows.ndim != 1 or columns.ndim != 2 or columns.shape[1:] != rows.shape:
        raise LabelError(
            file, number, "every list of `lanes` must hold a number for each of `h_samples`"
        )
    if not (np.diff(rows) > 0).all():
        raise LabelError(file, number, "`h_samples` must be rising rows")
    classes = record.get("classes", [])
    if not isinstance(classes, list) or len(classes) != len(columns):
        # Unofficial, and wrong in some copies: then nothing is an edge.
        classes = [0] * len(columns)
    lines = []
    for x, kind in zip(columns, classes, strict=True):
        in_reach(np.stack((x, rows), axis=1), file, number)
        seen = (x >= 0) & (rows < SIZE[0])
        points = np.stack((x[seen], rows[seen]), axis=1)
        # Which side the line is on tells what an edge of its kind means.
        edges = LEFT_EDGES if seen.any() and x[seen][-1] < SIZE[1] / 2 else RIGHT_EDGES
        if len(points) >= 2:
            lines.append(Line(points, is_edge=kind in edges))
    strange = ((columns < 0) & (columns != NOT_SEEN)).any()
    return tuple(lines), (STRANGE_COLUMNS,) if strange else ()
