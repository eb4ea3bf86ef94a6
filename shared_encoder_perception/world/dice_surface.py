# SPDX-License-Identifier: Apache-2.0
"""Dice for materials, and for everything flat that lies on them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from shared_encoder_perception.world.atlas import COLOUR, LIGHT, WHITE, Colour, bgr, box, ribbon
from shared_encoder_perception.world.dice_road import Place
from shared_encoder_perception.world.markings import arrow, zebra
from shared_encoder_perception.world.pave import LOOP_M, Decal, Surface
from shared_encoder_perception.world.road import Road

TERRAINS: Final = np.array(
    [
        (45, 95, 75),
        (70, 140, 140),
        (70, 95, 120),
        (120, 160, 185),
        (60, 70, 70),
        (140, 142, 145),
    ],
    np.float64,
)
"""BGR: grass, dry grass, earth, sand, bushes, paving."""
PAVING: Final = 5
COUNTRY: Final = (0.36, 0.24, 0.16, 0.12, 0.08, 0.04)
TOWN: Final = (0.19, 0.06, 0.13, 0.06, 0.04, 0.52)
"""How often each is seen."""


def roll_surface(
    rng: Generator, road: Road, place: Place, weather: str, shadows: tuple[Decal, ...]
) -> Surface:
    """Materials, their wear, and what lies about."""
    grey = rng.uniform(55, 185) * (0.75 if weather == "rain" else 1.0)
    tint = rng.normal(0, 2.5, 3)
    if place == "track":
        tint = np.array((-40, -12, 14)) * rng.uniform(0.3, 1.3)
        grey = rng.uniform(110, 190)
    asphalt = np.clip(grey + tint, 20, 235)
    count = road.opposite + road.left + 1 + road.right
    uneven = float(rng.choice([0.0, rng.uniform(0.02, 0.14)]))
    lanes = tuple(bgr(asphalt * (1 + rng.normal(0, uneven))) for _ in range(count))
    left = _terrain(rng, place, weather)
    pavement = (
        rng.uniform(105, 205)
        + rng.normal(0, 2.5, 3)
        + np.array((-6, 0, 5)) * rng.uniform(-0.5, 1.5)
    )
    walk = place in ("town", "suburb")
    shoulder = _shoulder(rng, asphalt)
    right = left if rng.random() < 0.5 else _terrain(rng, place, weather)
    median = _terrain(rng, place, weather) if rng.random() < 0.6 else (bgr(pavement), True)
    return Surface(
        lanes=lanes,
        shoulder=shoulder,
        terrain=(left[0], right[0]),
        median=median[0],
        paved=(left[1], right[1], median[1]),
        pavement=bgr(pavement),
        kerb=bgr(pavement * rng.uniform(0.8, 1.35)),
        pavement_m=tuple(
            rng.uniform(1.4, 4.5) if walk and rng.random() < 0.8 else 0.0 for _ in "lr"
        ),  # type: ignore[arg-type]
        tracks=float(rng.choice([0.0, rng.uniform(-0.08, 0.12)])) if weather != "snow" else 0.3,
        oil=float(rng.choice([0.0, rng.uniform(0.03, 0.12)])),
        roughness=rng.uniform(0.02, 0.16),
        patches=rng.uniform(0.1, 0.8),
        terrain_roughness=rng.uniform(0.15, 0.5),
        wear=float(rng.choice([0.0, rng.uniform(0.05, 0.75)], p=[0.3, 0.7])),
        decals=(
            *_litter(rng, road, place, asphalt, weather),
            *_symbols(rng, road, place),
            *shadows,
        ),
        seed=int(rng.integers(1_000_000)),
    )


def _shoulder(rng: Generator, asphalt: NDArray) -> Colour:
    """Like the lanes, or of another make, or of gravel."""
    kind = rng.choice(3, p=[0.45, 0.4, 0.15])
    if kind == 0:
        return bgr(asphalt)
    if kind == 1:
        return bgr(asphalt * rng.uniform(0.75, 1.25) + rng.normal(0, 5, 3))
    return bgr(rng.uniform(110, 180) + np.array((-18, 0, 10)) * rng.uniform(0, 1.2))


def _terrain(rng: Generator, place: Place, weather: str) -> tuple[Colour, bool]:
    """Grass, dry grass, earth, sand, bushes, paving; or snow. And whether it is paved."""
    if weather == "snow" and rng.random() < 0.75:
        return bgr(rng.uniform(185, 240) + np.array((6, 0, -3))), False
    shares = TOWN if place in ("town", "suburb") else COUNTRY
    chosen = rng.choice(len(TERRAINS), p=shares)
    colour = bgr(TERRAINS[chosen] * rng.uniform(0.6, 1.35) + rng.normal(0, 7, 3))
    return colour, bool(chosen == PAVING)


def _litter(
    rng: Generator, road: Road, place: Place, asphalt: NDArray, weather: str
) -> list[Decal]:
    """Patches, cracks, tar seams, manholes, tyre marks; leaves or snow."""
    low, high = (float(at) for at in road.edges_m())
    decals: list[Decal] = []
    for _ in range(int(rng.integers(1, 12)) * int(rng.integers(2))):
        width, length = rng.uniform(0.5, 3.5), rng.uniform(0.6, 14)
        at = rng.uniform(low, high)
        tone = bgr(asphalt * rng.uniform(0.65, 1.3))
        # Within the lanes: asphalt on the grass would be drivable, and is not labelled so.
        patch = box(at, min(at + width, high), 0, length)
        decals.append(Decal(rng.uniform(0, LOOP_M), COLOUR, (patch,), tone))
    dark = bgr(asphalt * rng.uniform(0.45, 0.8))
    if rng.random() < 0.4:
        for _ in range(int(rng.integers(3, 26))):
            decals.append(_crack(rng, low, high, dark, lengthwise=rng.random() < 0.5))
    if rng.random() < 0.12:  # joints along the lanes
        for at in np.arange(low, high + 0.1, road.width_m):
            ahead = np.arange(0, LOOP_M + 1, 8.0)
            wave = at + rng.uniform(-0.3, 0.3) + np.cumsum(rng.normal(0, 0.02, len(ahead)))
            for k in range(0, len(ahead) - 6, 5):
                piece = ribbon(
                    wave[k : k + 6], rng.uniform(0.01, 0.03), ahead[k : k + 6] - ahead[k]
                )
                decals.append(Decal(float(ahead[k]), COLOUR, (piece,), dark))
    if place in ("town", "suburb"):
        for _ in range(int(rng.integers(0, 8))):
            x, radius = rng.uniform(low, high), rng.uniform(0.25, 0.4)
            angle = np.linspace(0, 2 * np.pi, 14, endpoint=False)
            disc = np.stack((x + radius * np.cos(angle), radius * np.sin(angle)), axis=1)
            decals.append(Decal(rng.uniform(0, LOOP_M), COLOUR, (disc,), bgr(asphalt * 0.6)))
    if rng.random() < 0.12:
        for _ in range(int(rng.integers(1, 5))):
            ahead = np.linspace(0, rng.uniform(8, 30), 6)
            drift = rng.uniform(low, high) + np.cumsum(rng.normal(0, 0.08, 6))
            decals.append(Decal(rng.uniform(0, LOOP_M), COLOUR, (ribbon(drift, 0.1, ahead),), dark))
    if weather == "snow" or rng.random() < 0.04:
        tone = bgr(np.full(3, rng.uniform(190, 240))) if weather == "snow" else (60.0, 95.0, 130.0)
        for _ in range(int(rng.integers(5, 60))):
            x = float(rng.choice([low, high])) + rng.normal(0, 1.0)
            decals.append(_blot(rng, x, tone))
    return decals


def _crack(rng: Generator, low: float, high: float, tone: Colour, *, lengthwise: bool) -> Decal:
    """A crack or the tar that fills it."""
    count = 8
    half = rng.uniform(0.012, 0.05)
    if lengthwise:
        ahead = np.cumsum(rng.uniform(0.3, 2.5, count))
        x = rng.uniform(low, high) + np.cumsum(rng.normal(0, 0.15, count))
        return Decal(rng.uniform(0, LOOP_M), COLOUR, (ribbon(x, half, ahead),), tone)
    across = np.linspace(low, rng.uniform(low, high), count)
    ahead = np.cumsum(rng.normal(0, 0.15, count))
    half *= 2
    outline = np.concatenate(
        (np.stack((across, ahead - half), 1), np.stack((across, ahead + half), 1)[::-1])
    )
    return Decal(rng.uniform(0, LOOP_M), COLOUR, (outline,), tone)


def _blot(rng: Generator, x: float, tone: Colour) -> Decal:
    """An irregular spot."""
    angle = np.linspace(0, 2 * np.pi, 10, endpoint=False)
    radius = rng.uniform(0.2, 1.0) * rng.uniform(0.6, 1.2, 10)
    outline = np.stack((x + radius * np.cos(angle), 2.2 * radius * np.sin(angle)), axis=1)
    return Decal(rng.uniform(0, LOOP_M), COLOUR, (outline,), tone)


def _symbols(rng: Generator, road: Road, place: Place) -> list[Decal]:
    """Arrows, crossings for pedestrians, stop lines."""
    decals: list[Decal] = []
    cover = 255.0 * rng.uniform(0.4, 1.0)
    if place == "track":
        return decals
    if rng.random() < (0.3 if place in ("town", "suburb") else 0.12):
        at = rng.uniform(0, LOOP_M)
        for lane in range(-road.left, road.right + 1):
            for polygon in arrow(
                lane * road.width_m, int(rng.integers(-1, 2)), rng.uniform(2.5, 5)
            ):
                decals.append(Decal(at, WHITE, (polygon,), cover))
    low, high = (float(at) for at in road.edges_m())
    crossing = road.crossing
    if crossing is not None:
        stop = box(road.inner_edges_m()[0] + 0.1, high, -0.2, 0.2)
        decals.append(Decal((crossing.start_m - 4.5) % LOOP_M, WHITE, (stop,), cover))
    if place in ("town", "suburb") and rng.random() < 0.4:
        at = (crossing.start_m - 3.5) if crossing else rng.uniform(0, LOOP_M)
        stripes = tuple(zebra(low + 0.2, high - 0.4, 0.0, rng.uniform(2, 3.2)))
        decals.append(Decal(at % LOOP_M, WHITE, stripes, cover))
    return decals


def shade(at_m: float, outline: NDArray, depth: float) -> Decal:
    """A shadow that does not move; ``depth`` 1 leaves no direct light."""
    return Decal(at_m % LOOP_M, LIGHT, (outline,), 255.0 * (1 - depth))
