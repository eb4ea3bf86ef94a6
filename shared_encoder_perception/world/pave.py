# SPDX-License-Identifier: Apache-2.0
"""What the road is made of: asphalt, shoulders, pavements, terrain, and what lies on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.world.alignment import FAR_M
from shared_encoder_perception.world.atlas import (
    COLOUR,
    DRIVABLE,
    LIGHT,
    Atlas,
    Colour,
    Polygon,
    bgr,
    box,
    ribbon,
)
from shared_encoder_perception.world.classes import PAVEMENT, ROAD, TERRAIN
from shared_encoder_perception.world.road import Road

LOOP_M: Final = 400.0
"""Whatever stands or lies along the road comes back after this distance."""
AHEAD_M: Final = np.concatenate((np.arange(-4.0, 40.0, 2.0), np.arange(40.0, FAR_M + 8, 7.0)))
DRIVABLE_VALUE: Final = 255
GORE_PAVED_M: Final = 2.5
"""Between a road and its branch the ground is paved up to this width."""
FAR_SIDE_M: Final = 80.0
"""To both sides, a crossing road goes so far, and the land beside the road farther than is seen."""
TERRAIN_M: Final = 400.0
LAID_BEHIND_M: Final = 40.0
"""What lies on the ground is drawn from here on: its far end may be ahead."""


@dataclass(frozen=True, eq=False)
class Decal:
    """Something flat on the ground that keeps its place along the road.

    Attributes:
        at_m: Where it is, in ``[0, LOOP_M)``; its polygons count distances from there.
        layer: Layer of the atlas it changes.
        polygons: Its outlines, which must not overlap.
        value: What they are filled with.
    """

    at_m: float
    layer: int
    polygons: tuple[Polygon, ...]
    value: Colour | float


@dataclass(frozen=True, eq=False)
class Surface:
    """Materials and their wear; colours are BGR, 0 to 255.

    Attributes:
        lanes: Colour of each lane, from the left; seldom quite the same.
        shoulder: Of paved shoulders.
        terrain: Left and right of the road.
        median: Between the directions.
        paved: Whether left and right terrain, and the median, are paved.
        pavement: Colour of raised walkways.
        kerb: Colour of their edge stone.
        pavement_m: Width of the walkway ``(left, right)``; 0 for none.
        tracks: How much darker (or, below 0, brighter) wheels have made their tracks.
        oil: How much darker the middle of the lanes is.
        roughness: Grain of the asphalt, share of its brightness.
        patches: Large-scale unevenness of the asphalt.
        terrain_roughness: Grain of the terrain.
        wear: Share of paint that is worn off.
        decals: Everything that lies about.
        seed: Of the noise.
    """

    lanes: tuple[Colour, ...]
    shoulder: Colour
    terrain: tuple[Colour, Colour]
    median: Colour
    paved: tuple[bool, bool, bool]
    pavement: Colour
    kerb: Colour
    pavement_m: tuple[float, float]
    tracks: float
    oil: float
    roughness: float
    patches: float
    terrain_roughness: float
    wear: float
    decals: tuple[Decal, ...]
    seed: int


def pave(
    atlas: Atlas,
    road: Road,
    surface: Surface,
    distance_m: float,
    ahead_m: NDArray[np.float64] = AHEAD_M,
) -> None:
    """Draw everything but paint.

    Args:
        atlas: To draw on.
        road: Which runs there.
        surface: What it is made of.
        distance_m: Where we are along it.
        ahead_m: Distances at which what bends is drawn, rising; the first is how far behind.
    """
    paved = road.paved_m()
    left, right, median = (PAVEMENT if is_so else TERRAIN for is_so in surface.paved)
    atlas.strip(COLOUR, -TERRAIN_M, 0.0, surface.terrain[0], left)
    atlas.strip(COLOUR, 0.0, TERRAIN_M, surface.terrain[1], right)
    outer = (paved[0][0], paved[-1][1])
    for side, edge, width in zip((-1, 1), outer, surface.pavement_m, strict=True):
        if width:
            low, high = sorted((edge, edge + side * width))
            atlas.strip(COLOUR, low, high, surface.pavement, PAVEMENT)
            low, high = sorted((edge, edge + side * 0.18))
            atlas.strip(COLOUR, low, high, surface.kerb, PAVEMENT)
    if road.divided:
        atlas.strip(COLOUR, paved[0][1], paved[1][0], surface.median, median)
    for low, high in paved:
        atlas.strip(COLOUR, low, high, surface.shoulder, ROAD)
        atlas.strip(DRIVABLE, low, high, DRIVABLE_VALUE)
    _pave_lanes(atlas, road, surface)
    if road.branch is not None:
        _pave_branch(atlas, road, surface, distance_m, ahead_m)
    if road.crossing is not None:
        ahead = road.crossing.start_m - distance_m
        across = box(-FAR_SIDE_M, FAR_SIDE_M, ahead, ahead + road.crossing.width_m)
        atlas.fill(COLOUR, [across], surface.lanes[0], ROAD)
        atlas.fill(DRIVABLE, [across], DRIVABLE_VALUE)
    lay(atlas, surface.decals, distance_m, max(LAID_BEHIND_M, -float(ahead_m[0])))


def _pave_lanes(atlas: Atlas, road: Road, surface: Surface) -> None:
    """Lanes, each with its own tone, wheel tracks and oil stains."""
    width = road.width_m
    across = road.median_m if road.opposite else 0.0
    for index, colour in enumerate(surface.lanes):
        centre = (index - road.opposite - road.left) * width
        if index < road.opposite:
            centre -= across
        atlas.strip(COLOUR, centre - width / 2, centre + width / 2, colour)
        for at, half, change in (
            (-0.8, 0.3, surface.tracks),
            (0.8, 0.3, surface.tracks),
            (0.0, 0.35, surface.oil),
        ):
            if abs(change) > 0.01:
                for share in (0.35, 0.7, 1.0):  # soft edges
                    tone = bgr([value * (1 - change * share) for value in colour])
                    reach = half * (1.7 - share)
                    atlas.strip(COLOUR, centre + at - reach, centre + at + reach, tone)


def _pave_branch(
    atlas: Atlas,
    road: Road,
    surface: Surface,
    distance_m: float,
    ahead_m: NDArray[np.float64],
) -> None:
    """The branching lane with its outer shoulder, and the paved tip of the gore."""
    branch = road.branch
    assert branch is not None
    centre = branch.offset_m(distance_m + ahead_m)
    outer = max(road.shoulder_m[(branch.side + 1) // 2], 0.3)
    inner = 0.4
    half = (road.width_m + outer + inner) / 2
    middle = centre + branch.side * (outer - inner) / 2
    polygons = [ribbon(middle, half, ahead_m)]
    edge = road.edges_m()[(branch.side + 1) // 2]
    gap = np.abs(centre - edge) - road.width_m / 2
    tip = (gap > -road.width_m) & (gap < GORE_PAVED_M)
    for layer, value in ((COLOUR, surface.shoulder), (DRIVABLE, DRIVABLE_VALUE)):
        if tip.sum() > 1:
            atlas.fill(
                layer,
                [ribbon((centre[tip] + edge) / 2, (gap[tip] + 1) / 2 + 0.5, ahead_m[tip])],
                value,
                ROAD,
            )
        atlas.fill(layer, polygons, value, ROAD)
    lane = surface.lanes[-1 if branch.side > 0 else 0]
    beside = np.abs(centre - edge) > road.width_m / 2 - 0.3
    if beside.sum() > 1:
        atlas.fill(COLOUR, [ribbon(centre[beside], road.width_m / 2, ahead_m[beside])], lane, ROAD)


def lay(
    atlas: Atlas, decals: tuple[Decal, ...], distance_m: float, behind_m: float = LAID_BEHIND_M
) -> None:
    """Draw what lies within sight."""
    for decal in decals:
        ahead = (decal.at_m - distance_m + behind_m) % LOOP_M - behind_m
        if ahead < FAR_M:
            moved = [polygon + np.array((0.0, ahead)) for polygon in decal.polygons]
            atlas.fill(decal.layer, moved, decal.value)


def shadow(atlas: Atlas, polygon: Polygon, depth: float) -> None:
    """Darken a polygon: ``depth`` 0 is nothing, 1 no direct light at all."""
    atlas.fill(LIGHT, [polygon], 255.0 * (1 - depth))
