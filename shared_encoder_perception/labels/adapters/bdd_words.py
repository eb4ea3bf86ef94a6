# SPDX-License-Identifier: Apache-2.0
"""What the words of BDD100K and Scalabel mean, in every release: areas, lane markings, objects.

One file per picture says ``area/drivable`` and ``direction`` where the lists say ``direct`` and
``laneDirection``. A word that is none of these is not known: its label says neither yes nor no.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final, NamedTuple

from shared_encoder_perception.files.safe_text import printable

DRIVABLE: Final = ("direct", "alternative", "drivable")
"""Areas that count as drivable; the opposite carriageway is none of them."""
CURB: Final = "road curb"
ALONG: Final = (
    *(f"{number} {colour}" for number in ("single", "double") for colour in ("white", "yellow")),
    *("single other", "double other", CURB),
)
NOT_ALONG: Final = ("crosswalk", "background")
DIRECTIONS: Final = ("parallel", "vertical")
STYLES: Final = ("solid", "dashed", "background")
OBJECTS: Final = frozenset(
    (
        *("bike", "bus", "car", "motor", "person", "rider", "train", "truck", "pedestrian"),
        *("motorcycle", "bicycle", "other vehicle", "other person", "trailer", "caravan"),
        *("traffic light", "traffic sign"),
    )
)
"""What may be labelled beside areas and markings, and is neither."""


class Role(Enum):
    """What a label is about."""

    AREA = "area"
    LINE = "lane marking"
    OTHER = "object"
    UNKNOWN = "unknown"


class Meaning(NamedTuple):
    """What the words of one label mean.

    Attributes:
        role: See there.
        counts: Whether an area is drivable, or a marking runs along the road; ``None`` where the
            words do not tell.
        kind: Words of a marking; those of the same kind may belong together.
        is_edge: Whether the road ends at the marking.
        notes: Which words are not known.
    """

    role: Role
    counts: bool | None = False
    kind: tuple[str, ...] = ()
    is_edge: bool = False
    notes: tuple[str, ...] = ()


def meaning(label: Mapping[str, Any]) -> Meaning:
    """Look up the words of a label.

    Raises:
        TypeError: Its category is no text, or its attributes are no object.
    """
    category, attributes = label.get("category") or "", label.get("attributes") or {}
    if not isinstance(category, str) or not isinstance(attributes, Mapping):
        raise TypeError("expected a text `category` and an object `attributes` in every label")
    category = _word(category)
    is_area = category in DRIVABLE or any(word in category for word in ("area", "drivable"))
    if attributes.get("areaType") or is_area:
        if attributes.get("laneTypes") or category.startswith("lane"):
            note = f"{printable(category)!r} says both area and lane marking"
            return Meaning(Role.UNKNOWN, None, notes=(note,))
        return _area(category, attributes)
    lane_type = _word(attributes.get("laneTypes") or category.removeprefix("lane/"))
    if attributes.get("laneTypes") or category.startswith("lane/") or category == "lane":
        return _marking("" if lane_type == "lane" else lane_type, attributes)
    if category in (*ALONG, *NOT_ALONG):
        return _marking(category, attributes)
    if category in OBJECTS:
        return Meaning(Role.OTHER)
    return Meaning(Role.UNKNOWN, None, notes=(f"category {printable(category)!r} is not known",))


def _word(value: Any) -> str:
    """A word as it is looked up."""
    return str(value).strip().lower()


def _area(category: str, attributes: Mapping[str, Any]) -> Meaning:
    """Whether an area is drivable; its type stands in an attribute, or in the category."""
    kind = _word(attributes.get("areaType") or category.split("/")[-1])
    if kind in DRIVABLE:
        return Meaning(Role.AREA, True)
    return Meaning(Role.AREA, None, notes=(f"area {printable(kind)!r} is not known",))


def _marking(kind: str, attributes: Mapping[str, Any]) -> Meaning:
    """Whether a marking runs along the road; one without type or direction is taken to do so."""
    style = _word(attributes.get("laneStyle") or attributes.get("style") or "")
    notes = [f"lane style {printable(style)!r} is not known"] if style not in ("", *STYLES) else []
    ways = {
        _word(attributes[key])
        for key in ("laneDirection", "direction")
        if attributes.get(key) not in (None, "")
    }
    if kind in NOT_ALONG or ways == {"vertical"}:
        return Meaning(Role.LINE, False, notes=tuple(notes))
    strange = sorted(ways - set(DIRECTIONS)) or (sorted(ways) if len(ways) > 1 else [])
    notes += [f"lane direction {printable(way)!r} is not known" for way in strange]
    if kind not in ("", *ALONG):
        notes.append(f"lane type {printable(kind)!r} is not known")
        return Meaning(Role.LINE, None, notes=tuple(notes))
    along = None if strange else True
    return Meaning(Role.LINE, along, (kind, style), kind == CURB, tuple(notes))
