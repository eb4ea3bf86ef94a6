# SPDX-License-Identifier: Apache-2.0
"""One picture of an export: its shapes in the tools' coordinates, for each tool to write down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.labels.exports.legend import Legend, by_model
from shared_encoder_perception.labels.exports.outlines import Piece, pieces_of
from shared_encoder_perception.labels.frame import LabelledFrame
from shared_encoder_perception.labels.native import picture_path
from shared_encoder_perception.labels.record_faults import IMAGES
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.shapes import Drawing, Region

HALF: Final = 0.5
"""Our pixel centres are at integers; those of all three tools are half a pixel further."""
CONFIDENCE: Final = "confidence"
"""What writers call it that a model is so sure."""
ATTRIBUTES: Final = "attributes"
"""A key that several tools know or keep: what is said of a shape or a picture beside its label."""
DECIMALS: Final = 2
"""Of written coordinates, as native sets have."""
SPECK_PX: Final = 16
"""Pieces of fewer pixels are no polygons of their own: nobody could take hold of them."""


@dataclass(frozen=True, eq=False)
class Shape:
    """What a tool shows as one thing.

    Attributes:
        name: Its label.
        kind: Of what it is made.
        points: (N, 2) ``(x, y)`` in the tool's coordinates; of a mask the corners of its box.
        mask: (h, w) bool, of a mask; else empty.
        confidence: 0 to 1, or ``None``.
        group: Shapes of one name and one number are one object; 0 is no single one.
        by_model: Whether a model drew it.
        where: Which shape of which file, for messages about those that come back.
    """

    name: str
    kind: Literal["line", "polygon", "mask"]
    points: NDArray[np.float64]
    mask: NDArray[np.bool_]
    confidence: float | None = None
    group: int = 0
    by_model: bool = False
    where: str = ""

    def numbers(self) -> list[list[float]]:
        """Return the points as they are written."""
        return np.round(self.points, DECIMALS).tolist()


@dataclass(frozen=True, eq=False)
class Sheet:
    """A picture with what is drawn on it.

    Attributes:
        image: Where the picture is, relative to the folder ``images``.
        size: ``(height, width)``.
        shapes: From the bottom to the top.
        flags: Those that are set, with their confidence; ``None`` where a tool has dropped them.
        file: Of the tool, from which a sheet comes back.
        line: Where it begins there, from 1; ``None`` where that is not known.
    """

    image: str
    size: Size
    shapes: tuple[Shape, ...]
    flags: Mapping[str, float | None] | None
    file: Path = Path()
    line: int | None = None


NO_MASK: Final = np.zeros((0, 0), bool)


def sheet_of(frame: LabelledFrame, legend: Legend, *, masks: bool = False) -> Sheet:
    """Return what is drawn on a frame's picture.

    Args:
        frame: With labels.
        legend: Of the export; other tasks are left out.
        masks: No polygons: one mask for each region.

    Raises:
        LabelError: A file of a label that cannot be used.
    """
    shapes: list[Shape] = []
    flags: dict[str, float | None] = {}
    for task, room in legend.rooms.items():
        read = frame.labels.get(task)
        if read is None or getattr(read, "nothing_known", False):
            continue
        drawing = room.draw(read(), frame.size, legend.tasks[task])
        made = task in frame.pseudo
        shapes += _regions(drawing, made, masks)
        for line in drawing.lines:
            points = line.points + HALF
            shapes.append(Shape(line.name, "line", points, NO_MASK, line.confidence, by_model=made))
        flags |= drawing.flags
        if made:
            flags[by_model(task)] = None
    lines_last = sorted(shapes, key=lambda shape: shape.kind == "line")
    image = picture_path(frame).relative_to(IMAGES).as_posix()
    return Sheet(image, frame.size, tuple(lines_last), flags)


def _regions(drawing: Drawing, made: bool, masks: bool) -> Iterator[Shape]:
    """Yield the shapes of regions."""
    for number, region in enumerate(drawing.regions, start=1):
        assert drawing.plane is not None
        here = drawing.plane == number
        rest = here if masks else np.zeros_like(here)
        for piece in () if masks else pieces_of(here):
            if piece.mask.sum() < SPECK_PX:
                (x, y), (height, width) = piece.corner, piece.mask.shape
                rest[y : y + height, x : x + width] |= piece.mask
            elif piece.outline is None:
                yield _mask(piece, region, made)
            else:
                sure, group = region.confidence, region.group
                yield Shape(region.name, "polygon", piece.outline, NO_MASK, sure, group, made)
        if rest.any():
            yield _mask(_cut(rest), region, made)


def _mask(piece: Piece, region: Region, made: bool) -> Shape:
    """Return a piece as a mask."""
    (x, y), (height, width) = piece.corner, piece.mask.shape
    box = np.array(((x, y), (x + width, y + height)), np.float64)
    return Shape(region.name, "mask", box, piece.mask, region.confidence, region.group, made)


def _cut(mask: NDArray[np.bool_]) -> Piece:
    """Return the pixels of (H, W) without what is empty around them."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    y, x = int(rows[0]), int(columns[0])
    return Piece((x, y), mask[y : rows[-1] + 1, x : columns[-1] + 1], None)


def place_of(sheet: Sheet) -> Path:
    """Return where the picture of a sheet is, relative to the export's folder."""
    return Path(IMAGES) / sheet.image
