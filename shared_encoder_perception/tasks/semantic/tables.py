# SPDX-License-Identifier: Apache-2.0
"""Tables of classes that the field knows, and that of the rendered worlds, literally."""

from __future__ import annotations

import colorsys
from pathlib import Path
from types import MappingProxyType
from typing import Final

from shared_encoder_perception.tasks.semantic.classes import (
    MOST_CLASSES,
    SemanticClass,
    Table,
    TableError,
    checked,
    from_text,
    read_table,
)

_Row = tuple[str, str, tuple[int, int, int], bool]


def _table(rows: tuple[_Row, ...]) -> Table:
    """Number rows of name, category, colour and whether one may drive there."""
    return checked([SemanticClass(index, *row) for index, row in enumerate(rows)])


WORLD: Final = _table(
    (
        ("road", "flat", (128, 64, 128), True),
        ("marking", "flat", (255, 255, 255), True),
        ("pavement", "flat", (244, 35, 232), False),
        ("terrain", "nature", (152, 251, 152), False),
        ("vegetation", "nature", (107, 142, 35), False),
        ("building", "construction", (70, 70, 70), False),
        ("pole", "object", (153, 153, 153), False),
        ("sign", "object", (220, 220, 0), False),
        ("barrier", "construction", (190, 153, 153), False),
        ("vehicle", "vehicle", (0, 0, 142), False),
        ("person", "human", (220, 20, 60), False),
        ("sky", "sky", (70, 130, 180), False),
        ("own_vehicle", "void", (30, 30, 30), False),
    )
)
"""Of rendered worlds; what models tell apart unless somebody says otherwise."""

CAMVID_11: Final = _table(
    (
        ("sky", "sky", (128, 128, 128), False),
        ("building", "construction", (128, 0, 0), False),
        ("pole", "object", (192, 192, 128), False),
        ("road", "flat", (128, 64, 128), True),
        ("pavement", "flat", (60, 40, 222), False),
        ("tree", "nature", (128, 128, 0), False),
        ("sign", "object", (192, 128, 128), False),
        ("fence", "construction", (64, 64, 128), False),
        ("car", "vehicle", (64, 0, 128), False),
        ("pedestrian", "human", (64, 64, 0), False),
        ("bicyclist", "human", (0, 128, 192), False),
    )
)
"""Of the 11-class form of CamVid (Badrinarayanan et al. 2017); road has its markings."""

CAMVID_32: Final = _table(
    (
        ("Animal", "human", (64, 128, 64), False),
        ("Archway", "construction", (192, 0, 128), False),
        ("Bicyclist", "human", (0, 128, 192), False),
        ("Bridge", "construction", (0, 128, 64), False),
        ("Building", "construction", (128, 0, 0), False),
        ("Car", "vehicle", (64, 0, 128), False),
        ("CartLuggagePram", "human", (64, 0, 192), False),
        ("Child", "human", (192, 128, 64), False),
        ("Column_Pole", "object", (192, 192, 128), False),
        ("Fence", "construction", (64, 64, 128), False),
        ("LaneMkgsDriv", "flat", (128, 0, 192), True),
        ("LaneMkgsNonDriv", "flat", (192, 0, 64), True),
        ("Misc_Text", "object", (128, 128, 64), False),
        ("MotorcycleScooter", "human", (192, 0, 192), False),
        ("OtherMoving", "vehicle", (128, 64, 64), False),
        ("ParkingBlock", "flat", (64, 192, 128), False),
        ("Pedestrian", "human", (64, 64, 0), False),
        ("Road", "flat", (128, 64, 128), True),
        ("RoadShoulder", "flat", (128, 128, 192), False),
        ("Sidewalk", "flat", (0, 0, 192), False),
        ("SignSymbol", "object", (192, 128, 128), False),
        ("Sky", "sky", (128, 128, 128), False),
        ("SUVPickupTruck", "vehicle", (64, 128, 192), False),
        ("TrafficCone", "object", (0, 0, 64), False),
        ("TrafficLight", "object", (0, 64, 64), False),
        ("Train", "vehicle", (192, 64, 128), False),
        ("Tree", "nature", (128, 128, 0), False),
        ("Truck_Bus", "vehicle", (192, 128, 192), False),
        ("Tunnel", "construction", (64, 0, 64), False),
        ("VegetationMisc", "nature", (192, 192, 0), False),
        ("Void", "void", (0, 0, 0), False),
        ("Wall", "construction", (64, 192, 0), False),
    )
)
"""Of CamVid as it was published (Brostow et al. 2009), in its colours."""

CITYSCAPES_34: Final = _table(
    (
        ("unlabeled", "void", (0, 0, 0), False),
        ("ego vehicle", "void", (0, 0, 0), False),
        ("rectification border", "void", (0, 0, 0), False),
        ("out of roi", "void", (0, 0, 0), False),
        ("static", "void", (0, 0, 0), False),
        ("dynamic", "void", (111, 74, 0), False),
        ("ground", "void", (81, 0, 81), False),
        ("road", "flat", (128, 64, 128), True),
        ("sidewalk", "flat", (244, 35, 232), False),
        ("parking", "flat", (250, 170, 160), False),
        ("rail track", "flat", (230, 150, 140), False),
        ("building", "construction", (70, 70, 70), False),
        ("wall", "construction", (102, 102, 156), False),
        ("fence", "construction", (190, 153, 153), False),
        ("guard rail", "construction", (180, 165, 180), False),
        ("bridge", "construction", (150, 100, 100), False),
        ("tunnel", "construction", (150, 120, 90), False),
        ("pole", "object", (153, 153, 153), False),
        ("polegroup", "object", (153, 153, 153), False),
        ("traffic light", "object", (250, 170, 30), False),
        ("traffic sign", "object", (220, 220, 0), False),
        ("vegetation", "nature", (107, 142, 35), False),
        ("terrain", "nature", (152, 251, 152), False),
        ("sky", "sky", (70, 130, 180), False),
        ("person", "human", (220, 20, 60), False),
        ("rider", "human", (255, 0, 0), False),
        ("car", "vehicle", (0, 0, 142), False),
        ("truck", "vehicle", (0, 0, 70), False),
        ("bus", "vehicle", (0, 60, 100), False),
        ("caravan", "vehicle", (0, 0, 90), False),
        ("trailer", "vehicle", (0, 0, 110), False),
        ("train", "vehicle", (0, 80, 100), False),
        ("motorcycle", "vehicle", (0, 0, 230), False),
        ("bicycle", "vehicle", (119, 11, 32), False),
    )
)
"""Ids of label files of Cityscapes (Cordts et al. 2016) and of KITTI's semantics."""
CITYSCAPES_TRAINED: Final = (7, 8, *range(11, 14), 17, *range(19, 29), *range(31, 34))
"""Those of them that the benchmark scores, in the order of its 19 train ids."""
CITYSCAPES_19: Final = _table(
    tuple(
        (one.name, one.category, one.colour, one.drivable)
        for one in (CITYSCAPES_34[index] for index in CITYSCAPES_TRAINED)
    )
)
CITYSCAPES_CATEGORIES: Final = _table(
    (
        ("void", "void", (0, 0, 0), False),
        ("flat", "flat", (128, 64, 128), True),
        ("construction", "construction", (70, 70, 70), False),
        ("object", "object", (153, 153, 153), False),
        ("nature", "nature", (107, 142, 35), False),
        ("sky", "sky", (70, 130, 180), False),
        ("human", "human", (220, 20, 60), False),
        ("vehicle", "vehicle", (0, 0, 142), False),
    )
)
IDD_7: Final = _table(
    (
        ("drivable", "flat", (128, 64, 128), True),
        ("non-drivable", "flat", (244, 35, 232), False),
        ("living things", "human", (220, 20, 60), False),
        ("vehicles", "vehicle", (0, 0, 142), False),
        ("roadside objects", "construction", (190, 153, 153), False),
        ("far objects", "construction", (70, 70, 70), False),
        ("sky", "sky", (70, 130, 180), False),
    )
)
"""Of IDD lite (Varma et al. 2019)."""

TABLES: Final = MappingProxyType(
    {
        "world": WORLD,
        "camvid11": CAMVID_11,
        "camvid32": CAMVID_32,
        "cityscapes34": CITYSCAPES_34,
        "cityscapes19": CITYSCAPES_19,
        "cityscapes8": CITYSCAPES_CATEGORIES,
        "idd7": IDD_7,
    }
)
"""By the names that configs and commands know."""


def numbered(count: int) -> Table:
    """Return a table of classes of which nothing but the ids is known, in colours that differ."""
    classes = []
    for index in range(count):
        rgb = colorsys.hsv_to_rgb(index * 0.618 % 1.0, 0.7, 0.9)
        colour = (int(255 * rgb[0]), int(255 * rgb[1]), int(255 * rgb[2]))
        classes.append(SemanticClass(index, f"class {index}", "", colour, drivable=False))
    return tuple(classes)


def table_of(said: str) -> Table:
    """Return the table that a config asks for.

    Args:
        said: A key of ``TABLES``, the path of a table's JSON file, such JSON itself, or a number of
            classes that have no names.

    Raises:
        TableError: There is no such table.
    """
    if said in TABLES:
        return TABLES[said]
    if said.isascii() and said.isdigit():
        if len(said) > 4 or not 1 <= int(said) <= MOST_CLASSES:
            raise TableError(f"classes: {said[:12]} classes, expected 1 to {MOST_CLASSES}")
        return numbered(int(said))
    if said.lstrip().startswith("["):
        return from_text(said, "classes")
    if said.endswith(".json"):
        return read_table(Path(said))
    raise TableError(
        f"there is no table of classes {said!r}: expected one of {', '.join(TABLES)}, the path of "
        "a .json file, or a number of classes"
    )
