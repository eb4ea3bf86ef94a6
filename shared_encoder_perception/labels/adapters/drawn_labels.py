# SPDX-License-Identifier: Apache-2.0
"""What people drew in a tool -> labelled frames: what the adapters of all tools have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks as table
from shared_encoder_perception.labels.adapters.known_pictures import OriginalSet, PictureFolder
from shared_encoder_perception.labels.exports.legend import (
    FILE,
    Legend,
    by_model,
    legend_of_set,
    read_legend,
)
from shared_encoder_perception.labels.exports.outlines import filled
from shared_encoder_perception.labels.exports.sheet import HALF, Shape, Sheet, sheet_of
from shared_encoder_perception.labels.frame import LabelledFrame, constant, in_order
from shared_encoder_perception.labels.label_io import UnusablePictureError, image_size
from shared_encoder_perception.labels.record_faults import IMAGES
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.label_files import LabelError
from shared_encoder_perception.tasks.shapes import Drawing, Line, Region


@dataclass(frozen=True, eq=False)
class Corrected:
    """Files of a tool, with what is known of the set that they were made from.

    Attributes:
        legend: What the shapes mean.
        original: The set; ``None`` where it is not at hand.
        folder: The pictures beside the files, where it is not.
        reviewed: Whether people stand for all labels.
    """

    legend: Legend
    original: OriginalSet | None
    folder: PictureFolder | None
    reviewed: bool

    def frames(self, sheets: Iterable[Sheet]) -> Iterator[LabelledFrame | UnusablePictureError]:
        """Yield the frame of each sheet, or why its picture cannot be used.

        Raises:
            LabelError: A shape that no label can be made of, or a picture of nobody.
        """
        for sheet in sheets:
            try:
                yield self._frame(sheet)
            except UnusablePictureError as error:
                yield error
            except LabelError:
                raise
            except ValueError as error:
                raise LabelError(sheet.file, sheet.line, str(error)) from None

    def _frame(self, sheet: Sheet) -> LabelledFrame:
        """Make the frame of a sheet."""
        frame = self._picture(sheet)
        if tuple(frame.size) != tuple(sheet.size):
            raise ValueError(
                f"{sheet.image} is {sheet.size[1]}x{sheet.size[0]} there, the picture is "
                f"{frame.size[1]}x{frame.size[0]}: shapes of another size do not fit"
            )
        flags = sheet.flags
        if flags is None and self.original is None:
            raise ValueError(
                f"{sheet.image} has no flags: the tool has dropped what says which labels are "
                "whole. Give the set that was exported, by --original"
            )
        if flags is None:
            flags = sheet_of(frame, self.legend).flags or {}
        drawings = drawings_of(replace(sheet, flags=flags), self.legend)
        labels, pseudo = dict(frame.labels), set(frame.pseudo)
        for task, room in self.legend.rooms.items():
            read = frame.labels.get(task)
            had = None if read is None or getattr(read, "nothing_known", False) else read()
            flagged = by_model(task) in flags
            theirs = self.reviewed or (task in frame.pseudo and not flagged)
            meaning = self.legend.tasks[task]
            label = room.read(drawings[task], meaning, had, reviewed=theirs)
            changed = had is not None and bool(room.changes(had, label))
            if label is None and not changed:
                label = had
            pseudo.discard(task)
            if label is None:
                labels.pop(task, None) if had is not None else None
                continue
            labels[task] = constant(label)
            if flagged and not theirs and not changed:
                pseudo.add(task)
        known = tuple(in_order(dict.fromkeys(pseudo)))
        where = str(sheet.file) if sheet.line is None else f"{sheet.file}, line {sheet.line}"
        return replace(frame, labels=in_order(labels), pseudo=known, where=where)

    def _picture(self, sheet: Sheet) -> LabelledFrame:
        """Return the frame that a sheet was made from, or one without labels."""
        if self.original is not None:
            return self.original.frame(self.original.pictures.find(sheet.image))
        assert self.folder is not None
        try:
            name = self.folder.pictures.find(sheet.image)
        except ValueError as error:
            raise UnusablePictureError(sheet.file, sheet.line, str(error)) from None
        parts = Path(name).parts
        source = parts[1] if parts[0] == IMAGES and len(parts) > 2 else ""
        path = self.folder.path(name)
        return LabelledFrame(name, path, image_size(path), source=source)


def corrected(
    root: Path,
    original: Path | None,
    *,
    reviewed: bool,
    labels: Iterable[str] | None = None,
) -> Corrected:
    """Look for what belongs to the files of a tool.

    Args:
        root: The folder of the export.
        original: The native set that was exported; ``None`` where it is not at hand.
        reviewed: Whether people stand for all labels.
        labels: That the files define; tasks without any of them were not exported. ``None`` where
            files define none.

    Raises:
        LabelError: There is neither a legend nor the set.
    """
    found = next((p / FILE for p in (root, root.parent) if (p / FILE).is_file()), None)
    if found is not None:
        legend = read_legend(found)
    elif original is not None:
        legend = legend_of_set(original)
    else:
        raise LabelError(
            root / FILE,
            None,
            "there is no such file, which says what the labels mean: copy it from the export to "
            "here, or give the set that was exported, by --original",
        )
    if labels is not None:
        legend = legend.of_labels(set(labels))
    if original is not None:
        return Corrected(legend, OriginalSet(original), None, reviewed)
    return Corrected(legend, None, PictureFolder(root), reviewed)


@dataclass
class _Layer:
    """What is drawn of one task, shape by shape."""

    size: Size
    lines: list[Line] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)
    flags: dict[str, float | None] = field(default_factory=dict)
    plane: NDArray[np.int32] | None = None

    def add(self, shape: Shape) -> None:
        """Draw a shape over those that are there."""
        if shape.kind == "line":
            points = shape.points - HALF
            self.lines.append(Line(shape.name, points, shape.confidence, shape.where))
            return
        if self.plane is None:
            self.plane = np.zeros(self.size, np.int32)
        self.regions.append(Region(shape.name, shape.confidence, shape.group))
        if shape.kind == "polygon":
            self.plane[filled([shape.points], self.size)] = len(self.regions)
            return
        (x, y), (height, width) = shape.points[0].astype(int), shape.mask.shape
        self.plane[y : y + height, x : x + width][shape.mask] = len(self.regions)


def drawings_of(sheet: Sheet, legend: Legend) -> dict[str, Drawing]:
    """Sort the shapes of a sheet by their tasks.

    Raises:
        ValueError: A label of nobody, a line of less than two points, a polygon of less than three,
            or a mask that leaves the picture.
    """
    layers = {task: _Layer(sheet.size) for task in table.parts("shapes", legend.tasks)}
    for shape in sheet.shapes:
        kind = "line" if shape.kind == "line" else "region"
        task = legend.known(shape.name, kind, shape.where)
        _check(shape, sheet.size)
        layers[task].add(shape)
    for flag, confidence in (sheet.flags or {}).items():
        task = legend.known(flag, "flag", f"{sheet.image}: a flag")
        layers[task].flags[flag] = confidence
    return {
        task: Drawing(sheet.size, tuple(one.lines), tuple(one.regions), one.plane, one.flags)
        for task, one in layers.items()
    }


def _check(shape: Shape, size: Size) -> None:
    """Refuse a shape that is none."""
    confidence = shape.confidence
    if confidence is not None and not 0 <= confidence <= 1:
        raise ValueError(f"{shape.where} has the confidence {confidence:g}, expected 0 to 1")
    least = {"line": 2, "polygon": 3, "mask": 0}[shape.kind]
    if len(shape.points) < least:
        raise ValueError(f"{shape.where} has {len(shape.points)} points, expected {least} or more")
    if shape.kind == "mask":
        x, y = shape.points[0]
        height, width = shape.mask.shape
        if min(x, y) < 0 or x + width > size[1] or y + height > size[0]:
            raise ValueError(
                f"{shape.where} is a mask of {width}x{height} at ({x:g}, {y:g}), which leaves the "
                f"picture of {size[1]}x{size[0]}"
            )


def number(value: Any, what: str) -> float | None:
    """Return a confidence as a tool writes it; ``None`` where there is none.

    Raises:
        ValueError: It is no number.
    """
    if value is None or value == "":
        return None
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        found = float("nan")
    if isinstance(value, bool) or not np.isfinite(found):
        raise ValueError(f"{what} has the confidence {str(value)[:40]!r}, expected 0 to 1")
    return found
