"""BDD100K and Scalabel: lane markings and drivable areas as ``poly2d``, in the old and new form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.labels.adapters.poly2d import PolygonError, flatten
from shared_encoder_perception.labels.frame import LabelledFrame
from shared_encoder_perception.labels.label_io import fill_polygons, image_size, stream_objects
from shared_encoder_perception.labels.said import Line, Said
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.label_files import LabelError

NOMINAL_SIZE: Final[Size] = (720, 1280)
NOT_ALONG: Final = ("crosswalk", "background")
CURB: Final = "road curb"
DRIVABLE: Final = ("direct", "alternative")
"""Areas that count as drivable; the opposite carriageway is neither."""
LICENCE: Final = "BDD100K: research and non-profit"
ATTRIBUTES: Final = ("weather", "scene", "timeofday")


def read(path: Path, *, lane_changes: bool = False) -> Iterator[LabelledFrame]:
    """Read label files element by element.

    Args:
        path: A ``.json`` (a list of frames, ``{"frames": [...]}``, one frame, or one per line), or
            a folder of them. Pictures are looked for beside it and in ``images/`` there, by name.
        lane_changes: Keep the lanes of pictures in which a boundary runs under the vehicle.

    Raises:
        LabelError: A faulty element, with the line at which it begins.
    """
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise LabelError(path, None, "there is no *.json")
    for file in files:
        for line, record in stream_objects(file, "frames"):
            if isinstance(record, dict) and "name" not in record and "frames" in record:
                raise LabelError(file, line, '"frames" must be the first key, to be streamed')
            if not isinstance(record, dict) or not isinstance(record.get("name"), str):
                raise LabelError(file, line, "expected a frame: an object with a text `name`")
            try:
                yield _frame(record, file, line, lane_changes)
            except (PolygonError, KeyError, TypeError, AttributeError) as error:
                raise LabelError(file, line, f"frame {record['name']}: {error}") from None


def _frame(record: Mapping[str, Any], file: Path, line: int, lane_changes: bool) -> LabelledFrame:
    """Turn one element into a frame."""
    name = record["name"]
    name = name if Path(name).suffix else f"{name}.jpg"  # the old form leaves it out
    places = [file.parent / name, file.parent / "images" / name]
    picture = next((place for place in places if place.exists()), places[-1])
    size = _size(record, picture)
    labels = record.get("labels")
    if labels is None:  # one file per picture, old form
        frames = record.get("frames") or [{}]
        labels = frames[0].get("objects")
    markings, areas, notes = _sort(labels or [], size)
    attributes = record.get("attributes") or {}
    if not isinstance(attributes, dict):
        raise TypeError("attributes are no object")
    said = Said(
        size,
        tuple(markings),
        paint_edges=True,
        lane_changes=lane_changes,
        # A picture without any area may have none, or may not have been labelled with them.
        drivable=partial(fill_polygons, areas, size) if areas else None,
    )
    return said.frame(
        name=name,
        image_path=picture,
        source="bdd100k",
        licence=LICENCE,
        attributes={key: str(attributes[key]) for key in ATTRIBUTES if key in attributes},
        notes=tuple(notes),
        where=f"{file}, line {line}",
    )


def _size(record: Mapping[str, Any], picture: Path) -> Size:
    """Size by the label, the picture, or the publication."""
    size = record.get("size")
    if size:
        height, width = size["height"], size["width"]
        if not all(isinstance(side, int) and side > 0 for side in (height, width)):
            raise TypeError(f"size is {size}, expected whole positive height and width")
        return height, width
    return image_size(picture) if picture.exists() else NOMINAL_SIZE


def _sort(
    labels: list[Mapping[str, Any]], size: Size
) -> tuple[list[Line], list[NDArray[np.float64]], list[str]]:
    """Separate lane markings and drivable areas; stop lines and crosswalks are dropped."""
    markings: list[Line] = []
    areas: list[NDArray[np.float64]] = []
    notes: list[str] = []
    for label in labels:
        poly2d = label.get("poly2d")
        if not poly2d:
            continue
        category = str(label.get("category", ""))
        attributes = label.get("attributes") or {}
        polygons = flatten(poly2d, notes)
        if "area" in category or "drivable" in category or category in DRIVABLE:
            kind = attributes.get("areaType") or category.split("/")[-1]
            areas += [polygon for polygon in polygons if kind in DRIVABLE]
            continue
        kind = str(attributes.get("laneTypes") or category.removeprefix("lane/"))
        known = category.startswith("lane") or "laneTypes" in attributes or _is_marking(kind)
        across = attributes.get("laneDirection") == "vertical"
        if not known or across or any(word in kind for word in NOT_ALONG):
            continue
        style = (kind, str(attributes.get("laneStyle", "")))
        markings += [Line(points, style, CURB in kind) for points in polygons]
    return markings, areas, notes


def _is_marking(kind: str) -> bool:
    """Whether a category of the new form is a lane marking."""
    return kind == CURB or kind.split(" ")[0] in ("single", "double")
