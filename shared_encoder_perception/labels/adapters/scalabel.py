# SPDX-License-Identifier: Apache-2.0
"""BDD100K and Scalabel: lane markings and drivable areas as ``poly2d``, in the old and new form."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.files.safe_text import printable
from shared_encoder_perception.images.listing import beside, files_matching, has_image_suffix
from shared_encoder_perception.labels.adapters.bdd_words import Meaning, Role, meaning
from shared_encoder_perception.labels.adapters.poly2d import PolygonError, flatten
from shared_encoder_perception.labels.frame import LabelledFrame
from shared_encoder_perception.labels.label_io import (
    UnusablePictureError,
    fill_polygons,
    image_size,
    or_fault,
    stream_objects,
)
from shared_encoder_perception.labels.said import Line, Plane, Said
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.label_files import LabelError, named_file

NOMINAL_SIZE: Final[Size] = (720, 1280)
MOST_PIXELS: Final = 1 << 28
"""Of a picture, as its label says its size."""
LICENCE: Final = "BDD100K: research and non-profit"
ATTRIBUTES: Final = ("weather", "scene", "timeofday")


def read(
    path: Path, *, lane_changes: bool = False
) -> Iterator[LabelledFrame | UnusablePictureError]:
    """Read label files element by element.

    Args:
        path: A ``.json`` (a list of frames, ``{"frames": [...]}``, one frame, or one per line), or
            a folder of them. Pictures are looked for beside it and in ``images/`` there, by name.
        lane_changes: Keep the lanes of pictures in which a boundary runs under the vehicle.

    Yields:
        Each frame, or what is wrong with its picture.

    Raises:
        LabelError: A faulty element, with the line at which it begins.
    """
    files = files_matching(path, "*.json") if path.is_dir() else [path]
    if not files:
        raise LabelError(path, None, "there is no *.json")
    for file in files:
        for line, record in stream_objects(file, "frames"):
            if isinstance(record, dict) and "name" not in record and "frames" in record:
                raise LabelError(file, line, '"frames" must be the first key, to be streamed')
            if not isinstance(record, dict) or not isinstance(record.get("name"), str):
                raise LabelError(file, line, "expected a frame: an object with a text `name`")
            try:
                yield or_fault(_frame, record, file, line, lane_changes)
            except (PolygonError, KeyError, TypeError, AttributeError) as error:
                raise LabelError(
                    file, line, f"frame {printable(record['name'])}: {error}"
                ) from None


def _frame(record: Mapping[str, Any], file: Path, line: int, lane_changes: bool) -> LabelledFrame:
    """Turn one element into a frame."""
    picture = _picture(record["name"], file, line)
    size = _size(record, picture)
    found = _Found(size)
    for label in _labels(record):
        found.add(label)
    attributes = record.get("attributes") or {}
    if not isinstance(attributes, dict):
        raise TypeError("attributes are no object")
    said = Said(
        size,
        None if found.unknown_line else tuple(found.markings),
        paint_edges=True,
        lane_changes=lane_changes,
        drivable=found.drivable(),
    )
    return said.frame(
        name=Path(record["name"]).with_name(picture.name).as_posix(),
        image_path=picture,
        source="bdd100k",
        licence=LICENCE,
        attributes={key: str(attributes[key]) for key in ATTRIBUTES if key in attributes},
        notes=tuple(found.notes),
        where=f"{file}, line {line}",
    )


def _picture(name: str, file: Path, line: int) -> Path:
    """Where the picture of a name is, or should be; the old form leaves the suffix out."""
    places = [
        named_file(root, name, "the name", file, line)
        for root in (file.parent, file.parent / "images")
    ]
    if has_image_suffix(places[0]):
        return next((place for place in places if place.exists()), places[-1])
    found = (picture for place in places for picture in beside(place))
    return next(found, places[-1].with_name(f"{places[-1].name}.jpg"))


def _labels(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The labels of an element: its own, or those of the one frame of a file for one picture."""
    labels = record.get("labels")
    if labels is None:
        frames = record.get("frames") or [{}]
        if not isinstance(frames, list) or len(frames) != 1 or not isinstance(frames[0], dict):
            raise TypeError("frames is no list of one object: expected labels of one picture")
        labels = frames[0].get("objects")
    if not isinstance(labels or [], list) or not all(isinstance(x, dict) for x in labels or []):
        raise TypeError("the labels are no list of objects")
    return labels or []


def _size(record: Mapping[str, Any], picture: Path) -> Size:
    """Size by the label, the picture, or the publication."""
    size = record.get("size")
    if size:
        height, width = size["height"], size["width"]
        if not all(type(side) is int and side > 0 for side in (height, width)):
            raise TypeError(f"size is {size}, expected whole positive height and width")
        if height * width > MOST_PIXELS:
            raise TypeError(f"size is {size}, expected at most {MOST_PIXELS} pixels")
        return height, width
    return image_size(picture) if picture.exists() else NOMINAL_SIZE


@dataclass
class _Found:
    """What the labels of one picture say, and what of them is not known.

    Attributes:
        size: Of the picture.
        markings: Lines along the road; stop lines and crosswalks are left out.
        areas: Drivable polygons.
        doubtful: Polygons of which it is not known what they mean.
        unknown_line: Whether a line is there of which it is not known whether it is one of them:
            then lanes between the others would be guessed.
        has_areas: Whether areas are labelled at all.
        unknown_area: Whether there is one of which it is not known where it is.
        notes: What was not known.
    """

    size: Size
    markings: list[Line] = field(default_factory=list)
    areas: list[NDArray[np.float64]] = field(default_factory=list)
    doubtful: list[NDArray[np.float64]] = field(default_factory=list)
    unknown_line: bool = False
    has_areas: bool = False
    unknown_area: bool = False
    notes: list[str] = field(default_factory=list)

    def add(self, label: Mapping[str, Any]) -> None:
        """Sort one label in."""
        means = meaning(label)
        if means.role is Role.OTHER:
            return
        self.notes += means.notes
        if means.role is Role.LINE and means.counts is False:
            return
        parts = label.get("poly2d") or label.get("seg2d") or []
        parts = parts if label.get("seg2d") and not label.get("poly2d") else [parts]
        closed = means.role is not Role.LINE
        polygons = [p for part in parts if part for p in flatten(part, self.notes, closed=closed)]
        if means.role is Role.LINE:
            self._add_line(means, polygons)
        elif means.role is Role.AREA or polygons or label.get("rle"):
            self._add_area(means, [p for p in polygons if len(p) > 3])  # its first point again

    def _add_line(self, means: Meaning, lines: list[NDArray[np.float64]]) -> None:
        """Take a marking, or say why none of this picture can be taken."""
        if means.counts is None or not lines:
            self.unknown_line = True
            why = "of unknown words" if lines else "without points"
            self.notes.append(f"lane marking {why}: lanes are not known")
            return
        self.markings += [Line(points, means.kind, means.is_edge) for points in lines]

    def _add_area(self, means: Meaning, polygons: list[NDArray[np.float64]]) -> None:
        """Take an area, or something of an unknown category, which may be an area or a line."""
        (self.areas if means.counts else self.doubtful).extend(polygons)
        self.has_areas |= means.role is Role.AREA
        if not polygons:
            self.unknown_area = True
            self.notes.append("area without a polygon: drivable is not known")
        if means.role is Role.UNKNOWN or not polygons:  # it may be a line
            self.unknown_line = True
            self.notes.append("polygon that may be a line: lanes are not known")

    def drivable(self) -> Callable[[], Plane] | None:
        """Return what draws the areas.

        A picture without any area may have none, or may not have been labelled with them.
        """
        if self.unknown_area or not self.has_areas:
            return None
        return partial(fill_polygons, self.areas, self.size, self.doubtful)
