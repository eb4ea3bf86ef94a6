# SPDX-License-Identifier: Apache-2.0
"""Several native sets -> one. What cannot be kept as it was is reported, never lost.

Pictures with equal bytes are one picture. Their labels complete each other: what one of them knows
and the other does not is taken over; where both know and disagree, the first set wins, and the
report holds what the other one said.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, TextIO

from shared_encoder_perception import tasks as table
from shared_encoder_perception.files.data_paths import create
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.disk_index import DiskIndex
from shared_encoder_perception.labels.frame import LabelledFrame, constant, in_order
from shared_encoder_perception.labels.label_io import image_size

REPORT: Final = "merge_report.jsonl"
Progress = Callable[[Iterator[LabelledFrame], str], Iterator[LabelledFrame]]


def merge(
    paths: Sequence[Path], out: Path, progress: Progress = lambda frames, _: frames
) -> Counter[str]:
    """Merge native sets into a new one; memory does not grow with them.

    Args:
        paths: The sets; where labels disagree, earlier ones win.
        out: Folder of the new set. ``merge_report.jsonl`` in it says what was changed.
        progress: Wraps the frames as they are read, twice.

    Returns:
        Number of ``frames`` written, and of each kind of report: ``duplicate``, ``name_clash``,
        ``conflict``.

    Raises:
        LabelError: A faulty line or picture.
        FileExistsError: There is a set in ``out``.
    """
    counts: Counter[str] = Counter(frames=0, duplicate=0, name_clash=0, conflict=0)
    with (
        DiskIndex() as contents,
        DiskIndex() as names,
        native.Writer(out) as writer,
        create(out / REPORT) as report,
    ):
        for number, frame in enumerate(progress(_frames(paths), "comparing")):
            contents.add(_digest(frame), number)
        reader = _Reader(paths)
        for number, frame in enumerate(progress(_frames(paths), "writing")):
            same = list(contents.numbers(_digest(frame)))
            if same[0] != number:
                continue
            for other in map(reader.frame, same[1:]):
                _report(report, counts, "duplicate", frame, other)
                frame = _complete(frame, other, report, counts)
            renamed = _with_own_name(frame, names, report, counts)
            writer.write(renamed, encoded=frame.image_path.read_bytes())
            counts["frames"] += 1
    return counts


class _Reader:
    """Frames by their number over all sets, by reading the files again."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = [native.labels_file(path) for path in paths]
        self._starts: list[list[int]] = []
        self._every = 1000  # one remembered position for so many lines: sets may be large
        self._lines: list[int] = []
        for path in self._paths:
            starts, position, count = [], 0, 0
            with path.open("rb") as lines:
                for line in lines:
                    if count % self._every == 0:
                        starts.append(position)
                    position += len(line)
                    count += 1
            self._starts.append(starts)
            self._lines.append(count)

    def frame(self, number: int) -> LabelledFrame:
        """Read frame ``number``."""
        for path, starts, count in zip(self._paths, self._starts, self._lines, strict=True):
            if number < count:
                with path.open("rb") as lines:
                    lines.seek(starts[number // self._every])
                    for _ in range(number % self._every):
                        lines.readline()
                    return native.parse(lines.readline().decode(), path, number + 1)
            number -= count
        raise IndexError(number)


def _frames(paths: Sequence[Path]) -> Iterator[LabelledFrame]:
    """All frames of all sets."""
    for path in paths:
        yield from native.read(path)


def _digest(frame: LabelledFrame) -> str:
    """What a picture is known by; all files that are none would be one.

    Raises:
        UnusablePictureError: It is none.
    """
    image_size(frame.image_path)
    return sha256(frame.image_path.read_bytes()).hexdigest()


def _complete(
    frame: LabelledFrame, other: LabelledFrame, report: TextIO, counts: Counter[str]
) -> LabelledFrame:
    """Take over what only ``other`` knows; report where both know and disagree."""
    first, pseudo = frame, set(frame.pseudo)
    for task, read in other.labels.items():
        taken = task not in first.labels
        if taken:
            frame = frame.with_label(task, read)
        else:
            own = first.labels[task]()
            merged, conflicts = table.part(task, "labels").merge(own, read())
            for what, value in conflicts:
                _report(report, counts, "conflict", first, other, what, value)
            taken = merged is not own
            frame = frame.with_label(task, constant(merged))
        if taken and task in other.pseudo:
            pseudo.add(task)
    return replace(frame, pseudo=tuple(in_order(dict.fromkeys(pseudo))))


def _with_own_name(
    frame: LabelledFrame, names: DiskIndex, report: TextIO, counts: Counter[str]
) -> LabelledFrame:
    """Give a frame whose name is taken another one."""
    name, turn = f"{frame.source}/{Path(frame.name).name}", 1
    path = Path(frame.name)
    while names.add(native.same_name(native.picture_path(frame)), 0) is not None:
        turn += 1
        frame = replace(frame, name=str(path.with_stem(f"{path.stem}_{turn}")))
    if turn > 1:
        _report(report, counts, "name_clash", frame, frame, name, str(native.picture_path(frame)))
    return frame


def _report(
    report: TextIO,
    counts: Counter[str],
    kind: str,
    kept: LabelledFrame,
    other: LabelledFrame,
    what: str = "",
    value: Any = None,
) -> None:
    """Write one line of the report; ``value`` is what was not kept, or what a name became."""
    counts[kind] += 1
    row = {"kind": kind, "kept": kept.where, "other": other.where, "what": what, "value": value}
    report.write(json.dumps(row) + "\n")
