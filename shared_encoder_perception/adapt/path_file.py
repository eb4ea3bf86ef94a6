# SPDX-License-Identifier: Apache-2.0
"""A vehicle's path from a file: TUM's format, or CSV with a header.

TUM: lines ``stamp tx ty tz qx qy qz qw`` with spaces between, ``#`` begins a comment. CSV: the same
columns by these names in any order, others are passed over. Stamps are seconds as in the images'
headers, the pose is that of ``base_link`` in a frame that stands still: x ahead, y left, z up, and
z = 0 on the ground under the vehicle.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from shared_encoder_perception.adapt.trajectory import PathError
from shared_encoder_perception.files.plain_file import plain
from shared_encoder_perception.ground.rigid import Rigid

COLUMNS: Final = ("stamp", "tx", "ty", "tz", "qx", "qy", "qz", "qw")


def read_path(path: Path) -> list[tuple[int, Rigid]]:
    """Return the poses of a file: time in ns, and pose in the fixed frame.

    Raises:
        PathError: A line that is none, with its number.
        OSError: The file cannot be read.
    """
    try:
        text = plain(path.expanduser()).read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise PathError(f"path {path} is no text: expected TUM's format, or CSV") from None
    rows = _csv(text, path) if path.suffix.lower() == ".csv" else _tum(text)
    return [_pose(values, f"path {path}, line {number}") for number, values in rows]


def _tum(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of each line and its words."""
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if words:
            yield number, words


def _csv(text: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the same of the columns that count."""
    lines = csv.DictReader(text.splitlines())
    missing = [name for name in COLUMNS if name not in (lines.fieldnames or ())]
    if missing:
        raise PathError(
            f"path {path} has no column {', '.join(missing)}: expected a header with "
            f"{','.join(COLUMNS)}"
        )
    for row in lines:
        yield lines.line_num, [row[name] or "" for name in COLUMNS]


def _pose(words: list[str], where: str) -> tuple[int, Rigid]:
    """Read one line."""
    if len(words) != len(COLUMNS):
        raise PathError(f"{where} has {len(words)} numbers, expected {' '.join(COLUMNS)}")
    try:
        stamp = int(Decimal(words[0]) * 10**9)  # a float has no place for nanoseconds of our time
        numbers = [float(word) for word in words[1:]]
        return stamp, Rigid.from_quaternion(numbers[:3], numbers[3:])
    except (ValueError, InvalidOperation, OverflowError) as error:
        raise PathError(f"{where}: {str(error)[:100] or 'no numbers'}") from None
