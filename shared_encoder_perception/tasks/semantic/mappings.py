# SPDX-License-Identifier: Apache-2.0
"""What classes of one table are in another: literal mappings, and files of one's own.

A class that a mapping does not name is in no class of the other table: its pixels are not labelled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np

from shared_encoder_perception.tasks.semantic.classes import (
    UNLABELLED,
    Table,
    TableError,
    from_text,
)
from shared_encoder_perception.tasks.semantic.label import Label
from shared_encoder_perception.tasks.semantic.tables import TABLES, table_of

_CITYSCAPES_TO_WORLD: Final = {
    "road": "road",
    "sidewalk": "pavement",
    "terrain": "terrain",
    "vegetation": "vegetation",
    "building": "building",
    "bridge": "building",
    "tunnel": "building",
    "wall": "barrier",
    "fence": "barrier",
    "guard rail": "barrier",
    "pole": "pole",
    "polegroup": "pole",
    "traffic light": "sign",
    "traffic sign": "sign",
    "person": "person",
    "rider": "person",
    "motorcycle": "person",
    "bicycle": "person",
    "car": "vehicle",
    "truck": "vehicle",
    "bus": "vehicle",
    "caravan": "vehicle",
    "trailer": "vehicle",
    "train": "vehicle",
    "sky": "sky",
    "ego vehicle": "own_vehicle",
}
"""Two-wheelers go with who rides them, as the worlds have it; ground, parking and rail tracks are
neither road nor pavement, and stay unknown."""
_CAMVID_11_TO_WORLD: Final = {
    "sky": "sky",
    "building": "building",
    "pole": "pole",
    "road": "road",
    "pavement": "pavement",
    "tree": "vegetation",
    "sign": "sign",
    "fence": "barrier",
    "car": "vehicle",
    "pedestrian": "person",
    "bicyclist": "person",
}
_CAMVID_32_TO_11: Final = {
    "Sky": "sky",
    "Archway": "building",
    "Bridge": "building",
    "Building": "building",
    "Tunnel": "building",
    "Wall": "building",
    "Column_Pole": "pole",
    "TrafficCone": "pole",
    "LaneMkgsDriv": "road",
    "LaneMkgsNonDriv": "road",
    "Road": "road",
    "ParkingBlock": "pavement",
    "RoadShoulder": "pavement",
    "Sidewalk": "pavement",
    "Tree": "tree",
    "VegetationMisc": "tree",
    "Misc_Text": "sign",
    "SignSymbol": "sign",
    "TrafficLight": "sign",
    "Fence": "fence",
    "Car": "car",
    "OtherMoving": "car",
    "SUVPickupTruck": "car",
    "Train": "car",
    "Truck_Bus": "car",
    "Animal": "pedestrian",
    "CartLuggagePram": "pedestrian",
    "Child": "pedestrian",
    "Pedestrian": "pedestrian",
    "Bicyclist": "bicyclist",
    "MotorcycleScooter": "bicyclist",
}
"""As Sturgess et al. (BMVC 2009) join the 32 classes, and the 11-class form after them."""

MAPPINGS: Final[Mapping[tuple[str, str], Mapping[str, str]]] = MappingProxyType(
    {
        ("cityscapes34", "cityscapes19"): {one.name: one.name for one in TABLES["cityscapes19"]},
        ("cityscapes34", "cityscapes8"): {one.name: one.category for one in TABLES["cityscapes34"]},
        ("cityscapes19", "cityscapes8"): {one.name: one.category for one in TABLES["cityscapes19"]},
        ("cityscapes34", "world"): _CITYSCAPES_TO_WORLD,
        ("cityscapes19", "world"): {
            one.name: _CITYSCAPES_TO_WORLD[one.name] for one in TABLES["cityscapes19"]
        },
        ("camvid32", "camvid11"): _CAMVID_32_TO_11,
        ("camvid11", "world"): _CAMVID_11_TO_WORLD,
        ("camvid32", "world"): {
            name: _CAMVID_11_TO_WORLD[joined]
            for name, joined in _CAMVID_32_TO_11.items()
            if not name.startswith("LaneMkgs")
        }
        | {"LaneMkgsDriv": "marking", "LaneMkgsNonDriv": "marking"},
        ("idd7", "world"): {
            "drivable": "road",
            "living things": "person",
            "vehicles": "vehicle",
            "sky": "sky",
        },
    }
)
"""(From, to), both keys of ``TABLES`` -> class -> class. Of IDD lite only what means one thing: its
far objects are buildings, plants and bridges."""


@dataclass(frozen=True)
class ClassMapping:
    """How labels of one table become labels of another.

    Attributes:
        target: The other table.
        names: Class -> class of ``target``; ``None`` for classes of the same names.
    """

    target: Table
    names: Mapping[str, str] | None = None

    def ids(self, source: Table) -> list[int]:
        """Return the id that each class of a table becomes, 255 for none."""
        places = {one.name: one.id for one in self.target}
        names = {one.name: one.name for one in source} if self.names is None else self.names
        return [places.get(names.get(one.name, ""), UNLABELLED) for one in source]

    def __call__(self, label: Label) -> Label:
        """Return a label in the other table."""
        table = np.full(256, UNLABELLED, np.uint8)
        table[: len(label.classes)] = self.ids(label.classes)
        return replace(
            label, ids=np.asarray(cv2.LUT(label.ids, table), np.uint8), classes=self.target
        )

    def left_out(self, label: Label) -> list[str]:
        """Return the classes that a label shows and the other table has no place for."""
        counts = np.bincount(label.ids.ravel(), minlength=256)
        ids = self.ids(label.classes)
        return [
            one.name
            for one, target in zip(label.classes, ids, strict=True)
            if target == UNLABELLED and counts[one.id]
        ]


def mapping_of(said: str, source: Table) -> ClassMapping:
    """Return the mapping that somebody asks for.

    Args:
        said: The table that is wanted, a key of ``TABLES``; or the path of a mapping's JSON file:
            ``{"classes": a table's name or a table, "map": {"car": "vehicle", ...}}``.
        source: The table that the labels are of.

    Raises:
        TableError: There is no such mapping, or it names classes that there are not.
    """
    if said.endswith(".json"):
        return _read(Path(said), source)
    target = table_of(said)
    name = next((name for name, table in TABLES.items() if table == source), "")
    if said == name:
        return ClassMapping(target)
    if (name, said) not in MAPPINGS:
        known = [to for of, to in MAPPINGS if of == name]
        raise TableError(
            f"nobody has said what the classes of {name or 'this table'} are in {said}: there are "
            f"mappings to {', '.join(known) or 'no table'}; write a mapping file "
            "(docs/dataset_format.md)"
        )
    return ClassMapping(target, MAPPINGS[name, said])


def _read(path: Path, source: Table) -> ClassMapping:
    """Read a mapping's file, and refuse names that are in neither table.

    Raises:
        TableError: It is none.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise TableError(f"cannot read the mapping {path}: {error}") from None
    keys = sorted(raw) if isinstance(raw, dict) else []
    if keys != ["classes", "map"] or not isinstance(raw["map"], dict):
        raise TableError(
            f'{path} is no mapping: expected {{"classes": ..., "map": {{"car": "vehicle", ...}}}}'
        )
    said, names = raw["classes"], raw["map"]
    target = (
        table_of(said) if isinstance(said, str) else from_text(json.dumps(said), f"{path}, classes")
    )
    for what, given, known in (
        ("key", list(names), {one.name for one in source}),
        ("value", list(names.values()), {one.name for one in target}),
    ):
        strange = [one for one in given if not isinstance(one, str) or one not in known]
        if strange:
            raise TableError(
                f"{path}: the {what} {strange[0]!r} of map is no class, expected some of "
                f"{', '.join(sorted(known))}"
            )
    return ClassMapping(target, names)
