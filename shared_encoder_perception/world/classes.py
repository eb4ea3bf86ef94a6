# SPDX-License-Identifier: Apache-2.0
"""What the renderer paints: one class for every pixel, written where its colour is written."""

from __future__ import annotations

from typing import Final

CLASSES: Final = (
    "road",
    "marking",
    "pavement",
    "terrain",
    "vegetation",
    "building",
    "pole",
    "sign",
    "barrier",
    "vehicle",
    "person",
    "sky",
    "own_vehicle",
)
"""Names; a class is its place here. ``road`` is all that a vehicle may drive on but for its paint,
gravel shoulders too; ``barrier`` rails, walls and cones; ``building`` bridges too; ``person``
whoever rides, with what is ridden."""
(
    ROAD,
    MARKING,
    PAVEMENT,
    TERRAIN,
    VEGETATION,
    BUILDING,
    POLE,
    SIGN,
    BARRIER,
    VEHICLE,
    PERSON,
    SKY,
    OWN_VEHICLE,
) = range(len(CLASSES))

OWNERS: Final = ("unknown", "ground", "vehicle", "person", "upright")
"""Of what a pixel is, for whoever asks how far it is; an owner is its place here. The sky and the
own vehicle are nobody's."""
OWNER_OF: Final = (1, 1, 1, 1, 4, 4, 4, 4, 4, 2, 3, 0, 0)
"""Of each class."""
