# SPDX-License-Identifier: Apache-2.0
"""Dice for what drives, parks and walks."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator

from shared_encoder_perception.world.atlas import Colour, bgr
from shared_encoder_perception.world.dice_road import Place
from shared_encoder_perception.world.pave import LOOP_M
from shared_encoder_perception.world.road import Road
from shared_encoder_perception.world.vehicles import BODIES, Vehicle

CROWDED: Final[dict[Place, float]] = {"town": 0.35, "suburb": 0.25, "track": 0.2, "rural": 0.06}
"""How often people and two-wheelers use the whole road."""


def roll_vehicles(rng: Generator, road: Road, place: Place, weather: str) -> tuple[Vehicle, ...]:
    """Traffic in every lane, parked cars, people; the vehicle ahead keeps its distance."""
    lights = weather in ("night", "dusk", "rain", "fog") or rng.random() < 0.15
    busy = rng.uniform(0.1, 0.9)
    vehicles = []
    for lane in range(-road.left, road.right + 1):
        at = rng.uniform(8, 70) if lane == 0 else rng.uniform(3, 60)
        for _ in range(2):
            if rng.random() < busy * (0.6 if lane == 0 else 0.9):
                offset = lane * road.width_m + rng.normal(0, 0.15)
                speed = 1.0 if lane == 0 else rng.uniform(0.85, 1.0)
                vehicles.append(_vehicle(rng, place, offset, at, speed, lights))
            at += rng.uniform(18, 80)
    for lane in range(road.opposite):
        offset = road.inner_edges_m()[0] - road.median_m - (lane + 0.5) * road.width_m
        for _ in range(3):
            if rng.random() < busy * 0.7:
                speed = -rng.uniform(0.6, 1.1)
                vehicles.append(_vehicle(rng, place, offset, rng.uniform(8, 380), speed, lights))
    if place in ("town", "suburb"):
        vehicles += _standing(rng, road, place)
    if rng.random() < CROWDED.get(place, 0.0):
        vehicles += _crowd(rng, road, lights)
    return tuple(vehicles)


def with_traffic(
    rng: Generator,
    road: Road,
    place: Place,
    vehicles: tuple[Vehicle, ...],
    chance: float,
    seen_m: tuple[float, float],
) -> tuple[Vehicle, ...]:
    """Return the traffic of a world that is to show some with a chance, and else none at all.

    Args:
        rng: Dice of its own, so that the rest of the world stays as it was.
        road: Of the world.
        place: Of the world.
        vehicles: That were rolled.
        chance: That there is any.
        seen_m: Distances ahead between which somebody is seen, when our drive begins.
    """
    if rng.random() >= chance:
        return ()
    near, far = seen_m
    if any(near <= one.at_m <= far for one in vehicles):
        return vehicles
    lane = int(rng.integers(-road.left, road.right + 1))
    at = float(np.exp(rng.uniform(np.log(near), np.log(far))))
    offset = lane * road.width_m + rng.normal(0, 0.15)
    return (*vehicles, _vehicle(rng, place, offset, at, 1.0, lights=False))


def _vehicle(
    rng: Generator, place: Place, offset_m: float, at_m: float, speed: float, lights: bool
) -> Vehicle:
    """One that drives."""
    shares = {"sedan": 0.28, "hatch": 0.22, "suv": 0.24, "van": 0.1, "truck": 0.12, "bus": 0.04}
    kinds = list(shares)
    kind = kinds[rng.choice(len(kinds), p=list(shares.values()))]
    if place in ("town", "suburb", "rural") and rng.random() < 0.08:
        size = (1.9, rng.uniform(0.6, 0.9), rng.uniform(1.5, 1.85))
        return Vehicle("two wheels", offset_m, at_m, speed, size, _paint(rng), speed < 0, lights)
    length, width, height = (float(v) for v in rng.uniform(*BODIES[kind].size_m))
    return Vehicle(
        kind, offset_m, at_m, speed, (length, width, height), _paint(rng), speed < 0, lights
    )


def _paint(rng: Generator) -> Colour:
    """Mostly white, grey and black."""
    value = np.full(3, rng.uniform(15, 240))
    if rng.random() < 0.35:
        value = 0.55 * rng.uniform(20, 220, 3) + 0.45 * rng.uniform(20, 220)
    return bgr(value + rng.normal(0, 4, 3))


def _standing(rng: Generator, road: Road, place: Place) -> list[Vehicle]:
    """Parked cars on wide shoulders, people on the walkways."""
    standing: list[Vehicle] = []
    for side in (-1, 1):
        room = road.shoulder_m[(side + 1) // 2]
        edge = road.edges_m()[(side + 1) // 2]
        if room > 1.7 and not (road.branch is not None and road.branch.side == side):
            at = rng.uniform(0, 10)
            while at < LOOP_M - 8:
                if rng.random() < 0.6:
                    x = edge + side * (room / 2 + 0.1)
                    car = _vehicle(rng, "motorway", x, at, 0.0, lights=False)
                    if car.kind not in ("truck", "bus"):
                        standing.append(car)
                at += rng.uniform(6, 18)
        for _ in range(int(rng.integers(0, 7)) if place == "town" else 0):
            x = edge + side * (room + rng.uniform(0.5, 3))
            size = (0.4, rng.uniform(0.45, 0.6), rng.uniform(1.5, 1.9))
            at = rng.uniform(0, LOOP_M)
            standing.append(Vehicle("person", x, at, 0.0, size, _paint(rng), False, False))
    return standing


def _crowd(rng: Generator, road: Road, lights: bool) -> list[Vehicle]:
    """People and two-wheelers anywhere on the road, close to us too; they keep their distance."""
    left, right = road.edges_m()
    crowd = []
    for _ in range(int(rng.integers(3, 11))):
        at, x = float(np.exp(rng.uniform(np.log(5), np.log(60)))), rng.uniform(left, right)
        if abs(x) < 1.2:
            at += 6.0  # whoever is in front of us is not under our wheels
        if rng.random() < 0.5:
            size = (0.4, rng.uniform(0.45, 0.7), rng.uniform(1.45, 1.9))
            crowd.append(Vehicle("person", x, at, 1.0, size, _paint(rng), False, False))
        else:
            size = (1.9, rng.uniform(0.6, 0.9), rng.uniform(1.5, 1.9))
            oncoming = x < 0 and rng.random() < 0.4
            crowd.append(Vehicle("two wheels", x, at, 1.0, size, _paint(rng), oncoming, lights))
    return crowd
