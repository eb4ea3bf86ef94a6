# SPDX-License-Identifier: Apache-2.0
"""Every fault of a native data set, with file and line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from shared_encoder_perception import tasks as table
from shared_encoder_perception.files.data_paths import path_fault
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.disk_index import DiskIndex
from shared_encoder_perception.labels.label_io import image_size
from shared_encoder_perception.labels.record_faults import IMAGE, load_record, unknown
from shared_encoder_perception.tasks.label_files import LabelError


def find_faults(path: Path, *, pictures: bool = True) -> Iterator[tuple[int, list[str]]]:
    """Check a set line by line; memory does not grow with it.

    Keys that are nobody's are reported here; whoever else reads the set ignores them.

    Args:
        path: The folder, or its ``frames.jsonl``.
        pictures: Look at pictures and files of labels too.

    Yields:
        The number of each line, from 1, and what is wrong with it.
    """
    path = native.labels_file(path)
    with path.open("rb") as lines, DiskIndex() as seen:
        for number, line in enumerate(lines, start=1):
            record, faults = load_record(line)
            name = record.get(IMAGE)
            if isinstance(name, str) and not path_fault(name):
                before = seen.add(str(Path(name)), number)  # "a//b" and "./a/b" are one file
                if before is not None:
                    faults.append(f"image {name!r} is also in line {before}")
            if pictures and not faults:
                faults += _picture_faults(line, path, number)
            yield number, [*unknown(record), *faults]


def _picture_faults(line: bytes, path: Path, number: int) -> Iterator[str]:
    """Faults of the files that a faultless line names."""
    try:
        frame = native.parse(line, path, number)
    except LabelError as error:  # a link that leaves the set
        yield str(error).removeprefix(f"{path}, line {number}: ")
        return
    try:
        height, width = image_size(frame.image_path)
        if (height, width) != tuple(frame.size):
            yield f"{frame.image_path} is {width}x{height}, size says {frame.size[::-1]}"
    except LabelError as error:
        yield str(error)
    for task, read in frame.labels.items():
        if getattr(table.part(task, "labels"), "IN_FILES", False):
            try:
                read()
            except LabelError as error:
                yield str(error)
