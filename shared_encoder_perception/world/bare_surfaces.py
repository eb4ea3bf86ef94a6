# SPDX-License-Identifier: Apache-2.0
"""Carriageways that the dice of a world never give: only who asks for one by name gets it.

So a network that learned from worlds as the dice fall has not seen any of them: a colour (clay), a
grain (gravel) and joints (slabs) that neither asphalt nor tracks have. What lay on the old road
(patches, cracks, leaves, snow) goes with it, while its shape, the light, and all that stands and
drives stay as they were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from shared_encoder_perception.world.atlas import COLOUR, WHITE, YELLOW, bgr, box
from shared_encoder_perception.world.dice import World
from shared_encoder_perception.world.pave import LOOP_M, Decal
from shared_encoder_perception.world.road import Road


@dataclass(frozen=True)
class Material:
    """What a carriageway is made of.

    Attributes:
        darkest: BGR, 0 to 255, of a dark one.
        brightest: Of a bright one.
        uneven: Standard deviation of the lanes' brightness, a share of it.
        roughness: Range of its grain, as of ``Surface``.
        patches: Range of its large-scale unevenness, likewise.
        tracks: Range of what wheels leave, likewise.
        painted: Whether there is paint on it.
        slab_m: Length of its slabs, between which joints are seen; 0 for none.
    """

    darkest: tuple[float, float, float]
    brightest: tuple[float, float, float]
    uneven: float
    roughness: tuple[float, float]
    patches: tuple[float, float]
    tracks: tuple[float, float]
    painted: bool = False
    slab_m: float = 0.0


SURFACES: Final[Mapping[str, Material]] = MappingProxyType(
    {
        "red clay": Material(
            *((40, 62, 135), (66, 98, 190), 0.04, (0.06, 0.18), (0.6, 1.2), (-0.12, 0.18))
        ),
        "gravel": Material(
            *((125, 135, 140), (180, 188, 192), 0.04, (0.3, 0.5), (0.5, 1.1), (0.05, 0.22))
        ),
        "concrete slabs": Material(
            *((178, 186, 188), (210, 220, 222), 0.03, (0.02, 0.06), (0.1, 0.4), (0.0, 0.06)),
            painted=True,
            slab_m=5.0,
        ),
    }
)
JOINT_M: Final = 0.04
"""Half the width of a joint between slabs."""
JOINT: Final = 0.5
"""Its brightness, a share of the slabs'."""


def resurfaced(rng: Generator, world: World, names: Sequence[str]) -> World:
    """Return a world whose carriageway is of another material.

    Args:
        rng: Dice of their own, so that the rest of the world stays as it was.
        world: As it was rolled.
        names: Keys of ``SURFACES``, of which one is chosen; all are as likely.
    """
    material = SURFACES[names[int(rng.integers(len(names)))]]
    share, road, old = rng.uniform(), world.road, world.surface
    colour = np.array(material.darkest) * (1 - share) + np.array(material.brightest) * share
    tones = 1 + rng.normal(0, material.uneven, len(old.lanes))
    gone = (COLOUR,) if material.painted else (COLOUR, WHITE, YELLOW)
    joints = _joints(road, colour, material.slab_m) if material.slab_m else ()
    surface = replace(
        old,
        lanes=tuple(bgr(colour * tone) for tone in tones),
        shoulder=bgr(colour * rng.uniform(0.92, 1.05)),
        tracks=float(rng.uniform(*material.tracks)),
        oil=0.0,
        roughness=float(rng.uniform(*material.roughness)),
        patches=float(rng.uniform(*material.patches)),
        decals=(*joints, *(decal for decal in old.decals if decal.layer not in gone)),
    )
    if material.painted:
        return replace(world, surface=surface)
    return replace(world, surface=surface, lines=(), gore=None)


def _joints(road: Road, colour: NDArray[np.float64], slab_m: float) -> tuple[Decal, ...]:
    """Joints across what is paved."""
    across = tuple(box(low, high, -JOINT_M, JOINT_M) for low, high in road.paved_m())
    places = np.arange(0.0, LOOP_M, slab_m)
    return tuple(Decal(float(at), COLOUR, across, bgr(colour * JOINT)) for at in places)
