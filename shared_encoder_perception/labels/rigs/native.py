# SPDX-License-Identifier: Apache-2.0
"""Reading a set of labelled rigs: line by line, or any of its lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import SupportsIndex, overload

import numpy as np

from shared_encoder_perception.files.plain_file import plain
from shared_encoder_perception.labels.rigs.lines import FILE_NAME, parse_line
from shared_encoder_perception.labels.rigs.record import RigRecord
from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.tasks.label_files import FILE_NAME as OTHER_NAME


def is_rig_set(path: Path) -> bool:
    """Whether a path is a set of labelled rigs: a file ``...rigs.jsonl``, or the folder of one."""
    is_other = (path / OTHER_NAME).exists()
    return path.name.endswith(FILE_NAME) or ((path / FILE_NAME).exists() and not is_other)


def rigs_file(path: Path) -> Path:
    """Return the ``rigs.jsonl`` of a set given by its folder or by that file.

    Raises:
        OSError: A pipe or a device is there.
    """
    return plain(path / FILE_NAME if path.is_dir() else path)


def read_records(path: Path) -> Iterator[RigRecord]:
    """Read a set line by line, without its pictures.

    Args:
        path: The folder, or its ``rigs.jsonl``.

    Raises:
        LabelError: The first fault of a line, with file, line and camera.
        FileNotFoundError: There is no such file.
    """
    path = rigs_file(path)
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            yield parse_line(line, path, number)


def read_rigs(path: Path) -> Iterator[RigFrame]:
    """Read a set line by line, with pictures and labels; see ``read_records``.

    Raises:
        ValueError: Also a picture or a map that is missing, unreadable or of another size.
    """
    for record in read_records(path):
        yield record.frame()


class RigSet(Sequence[RigRecord]):
    """A set of which any line can be read at any time: memory holds 8 bytes for each.

    Attributes:
        path: Its ``rigs.jsonl``.
    """

    def __init__(self, path: Path) -> None:
        """Find the lines of the set in a folder, or in its ``rigs.jsonl``.

        Raises:
            FileNotFoundError: There is no such file.
        """
        self.path = rigs_file(path)
        starts, at = [], 0
        with self.path.open("rb") as lines:
            for line in lines:
                starts.append(at)
                at += len(line)
        self._starts = np.array(starts, np.int64)

    def __len__(self) -> int:
        """Return the number of lines."""
        return len(self._starts)

    @overload
    def __getitem__(self, index: SupportsIndex) -> RigRecord: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[RigRecord]: ...

    def __getitem__(self, index: SupportsIndex | slice) -> RigRecord | Sequence[RigRecord]:
        """Read a line, or some; negative numbers count from the end.

        Raises:
            IndexError: There is no such line.
            LabelError: Its first fault.
        """
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        at = range(len(self))[index]
        with self.path.open("rb") as lines:
            lines.seek(int(self._starts[at]))
            return parse_line(lines.readline(), self.path, at + 1)
