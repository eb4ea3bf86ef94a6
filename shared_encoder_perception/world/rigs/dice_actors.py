# SPDX-License-Identifier: Apache-2.0
"""Dice for traffic all round: in every lane, ahead and behind, parked, waiting, on foot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from shared_encoder_perception.world.atlas import Colour, bgr
from shared_encoder_perception.world.dice import World
from shared_encoder_perception.world.pave import LOOP_M
from shared_encoder_perception.world.rigs.bodies import Stand
from shared_encoder_perception.world.rigs.traffic import (
    PERSON_KIND,
    TWO_WHEELS,
    Actor,
    apart,
)
from shared_encoder_perception.world.vehicles import BODIES

SHARES: Final = {"sedan": 0.28, "hatch": 0.24, "suv": 0.24, "van": 0.12, "truck": 0.08, "bus": 0.04}
LARGE: Final = ("truck", "bus")
WIDE_LANE_M: Final = 3.1
"""Trucks and buses keep to lanes of this width or more."""
OURS_M: Final = (-6.0, 9.5)
"""In our lane nobody else is between these distances."""
NEAR_M: Final = 25.0
FEWEST_NEAR: Final = 4
"""Where there is traffic, at least so many are so near when the drive begins."""
BRANCH_SIDE_M: Final = 28.0
"""Beside a branch nothing stands nearer to the road."""
TRIES: Final = 60


def roll_actors(rng: Generator, world: World, chance: float) -> tuple[Actor, ...]:
    """Throw the dice; with ``1 - chance`` there is nobody at all."""
    if rng.random() >= chance:
        return ()
    lit = world.weather in ("night", "dusk", "rain", "fog") or rng.random() < 0.15
    dice = _Dice(rng, world, lit)
    dice.lanes()
    dice.roadside()
    dice.crossing()
    dice.people()
    while sum(dice.is_near(actor) for actor in dice.actors) < FEWEST_NEAR:
        if not dice.scattered(NEAR_M * 0.85):
            break
    return tuple(dice.actors)


class _Dice:
    """Everybody who was rolled so far."""

    def __init__(self, rng: Generator, world: World, lit: bool) -> None:
        self.actors: list[Actor] = []
        self._rng, self._world, self._lit = rng, world, lit
        self._feet: list[tuple[float, NDArray[np.float64]]] = []
        road, surface = world.road, world.surface
        self._verges = {
            side: edge + side * (shoulder + pavement)
            for side, edge, shoulder, pavement in zip(
                (-1, 1), road.edges_m(), road.shoulder_m, surface.pavement_m, strict=True
            )
        }
        branch = road.branch
        if branch is not None:
            self._verges[branch.side] += branch.side * BRANCH_SIDE_M
        self._branch_side = 0 if branch is None else branch.side

    def is_near(self, actor: Actor) -> bool:
        """Whether somebody who drives is near when the drive begins."""
        return actor.body != PERSON_KIND and bool(
            np.hypot(actor.along_m(0.0), actor.offset_m) < NEAR_M
        )

    def lanes(self) -> None:
        """Everybody in a lane is as fast as the others there: nobody drives into anybody."""
        rng, road = self._rng, self._world.road
        for lane in range(-road.left, road.right + 1):
            speed = 1.0 if lane == 0 else float(rng.uniform(0.85, 1.12))
            self._lane(lane * road.width_m, speed, 0.0, ours=lane == 0)
        inner = road.inner_edges_m()[0] - road.median_m
        for lane in range(road.opposite):
            offset = inner - (lane + 0.5) * road.width_m
            self._lane(offset, -float(rng.uniform(0.5, 1.1)), np.pi, ours=False)

    def _lane(self, offset_m: float, speed: float, yaw_rad: float, *, ours: bool) -> None:
        """One lane, all along the loop."""
        rng = self._rng
        gap = float(np.exp(rng.uniform(np.log(4), np.log(60))))
        wide = self._world.road.width_m >= WIDE_LANE_M
        at = -LOOP_M / 2 + float(rng.uniform(0, gap))
        while True:
            actor = self._driver(offset_m + rng.normal(0, 0.1), 0.0, speed, yaw_rad, wide)
            length = actor.size_m[0]
            at += length / 2
            if ours and at + length / 2 > OURS_M[0] and at - length / 2 < OURS_M[1]:
                at = OURS_M[1] + length / 2 + float(rng.exponential(gap))
            if at + length / 2 > LOOP_M / 2 - 3:
                return
            self.actors.append(_moved(actor, at))
            at += length / 2 + 3.0 + float(rng.exponential(gap))

    def _driver(
        self, offset_m: float, at_m: float, speed: float, yaw_rad: float, wide: bool
    ) -> Actor:
        """Somebody in a lane."""
        rng = self._rng
        if rng.random() < (0.08 if self._world.place != "motorway" else 0.03):
            size = (float(rng.uniform(1.8, 2.2)), *rng.uniform((0.6, 1.5), (0.9, 1.85)))
            yaw = yaw_rad + rng.normal(0, 0.02)
            return Actor(TWO_WHEELS, offset_m, at_m, speed, yaw, size, self._paint(), self._lit)
        body, size = self._body(wide)
        return Actor(
            body,
            offset_m,
            at_m,
            speed,
            yaw_rad + rng.normal(0, 0.012),
            size,
            self._paint(),
            self._lit,
        )

    def _body(self, large: bool) -> tuple[str, tuple[float, float, float]]:
        """A kind of body and its size."""
        kinds = [kind for kind in SHARES if large or kind not in LARGE]
        shares = np.array([SHARES[kind] for kind in kinds])
        kind = kinds[self._rng.choice(len(kinds), p=shares / shares.sum())]
        length, width, height = (float(v) for v in self._rng.uniform(*BODIES[kind].size_m))
        return kind, (length, width, height)

    def _paint(self) -> Colour:
        """Mostly white, grey and black."""
        rng = self._rng
        value = np.full(3, rng.uniform(15, 240))
        if rng.random() < 0.4:
            value = 0.6 * rng.uniform(15, 225, 3) + 0.4 * rng.uniform(20, 220)
        return bgr(value + rng.normal(0, 4, 3))

    def roadside(self) -> None:
        """Parked: in a row on the shoulder, along the verge, across it, or anywhere near."""
        rng, road = self._rng, self._world.road
        quiet = self._world.place in ("motorway", "track")
        for side in (-1, 1):
            edge, room = road.edges_m()[(side + 1) // 2], road.shoulder_m[(side + 1) // 2]
            if side == self._branch_side:
                continue
            if room > 1.9 and rng.random() < (0.15 if quiet else 0.75):
                self._row(edge + side * (room / 2 + 0.1), 0.0, 6.2, side)
            elif not quiet and rng.random() < 0.55:
                self._row(self._verges[side] + side * 1.35, 0.0, 6.2, side)
            if not quiet and rng.random() < 0.4:
                slant = float(rng.choice([np.pi / 2, np.pi / 3, -np.pi / 2]))
                self._row(self._verges[side] + side * 5.2, slant, 3.1, side)
        for _ in range(int(rng.integers(0, 22)) if not quiet else int(rng.integers(0, 6))):
            self.scattered(60.0)

    def _row(self, offset_m: float, yaw_rad: float, pitch_m: float, side: int) -> None:
        """Parked cars one after the other, with gaps."""
        rng = self._rng
        filled = rng.uniform(0.25, 0.9)
        faces = 0.0 if side > 0 else np.pi
        for at in np.arange(-LOOP_M / 2 + 5, LOOP_M / 2 - 5, pitch_m):
            if rng.random() < filled * (0.4 + 0.6 * (np.sin(at / 17.0 + offset_m) > -0.3)):
                body, size = self._body(large=False)
                turned = np.pi if rng.random() < 0.25 else 0.0
                yaw = faces + yaw_rad + turned + rng.normal(0, 0.03)
                across = offset_m + rng.normal(0, 0.1)
                place = (across, at + rng.normal(0, 0.15))
                self._park(Actor(body, *place, 0.0, yaw, size, self._paint(), False))

    def scattered(self, reach_m: float) -> bool:
        """Park one somewhere beside the road; return whether there was a place."""
        rng = self._rng
        for _ in range(TRIES):
            side = int(rng.choice([-1, 1]))
            body, size = self._body(large=rng.random() < 0.3)
            half = np.hypot(*size[:2]) / 2
            offset = self._verges[side] + side * (half + 0.2 + rng.exponential(5.0))
            yaw = float(rng.uniform(-np.pi, np.pi))
            at = float(rng.uniform(-reach_m, reach_m))
            if self._park(Actor(body, offset, at, 0.0, yaw, size, self._paint(), False)):
                return True
        return False

    def _park(self, actor: Actor) -> bool:
        """Add somebody who stands, unless something stands there already."""
        foot = _foot(actor)
        low, high = foot.min(axis=0), foot.max(axis=0)
        crossing = self._world.road.crossing
        if crossing is not None and actor.kind != PERSON_KIND:
            start, end = crossing.start_m - 1.0, crossing.start_m + crossing.width_m + 1.0
            if low[0] < end and high[0] > start:
                return False
        for rail in self._world.rails:
            if low[1] - 0.6 < rail.offset_m < high[1] + 0.6:
                return False
        for first, last in self._houses():
            if (low < last).all() and (high > first).all():
                return False
        near = [other for at, other in self._feet if abs(at - actor.at_m) < 25.0]
        if not apart(foot, near):
            return False
        self._add_standing(actor, foot)
        return True

    def _add_standing(self, actor: Actor, foot: NDArray[np.float64]) -> None:
        """Add somebody who stands."""
        self.actors.append(actor)
        self._feet.append((actor.at_m, foot))

    def _houses(self) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Least and greatest distance and offset of what is built."""
        for prop in self._world.props:
            width, _, depth = prop.size_m
            start = (prop.at_m + LOOP_M / 2) % LOOP_M - LOOP_M / 2
            if prop.kind == "house":
                ends = sorted((prop.offset_m, prop.offset_m + np.sign(prop.offset_m) * width))
                yield np.array((start, ends[0])), np.array((start + depth, ends[1]))
            elif prop.kind in ("tree", "pole", "lamp", "sign"):
                yield (
                    np.array((start - 0.4, prop.offset_m - 0.4)),
                    np.array((start + 0.4, prop.offset_m + 0.4)),
                )

    def crossing(self) -> None:
        """Who waits at a crossing road's ends, and who has gone there."""
        crossing, rng = self._world.road.crossing, self._rng
        if crossing is None:
            return
        for side in (-1, 1):
            edge = self._world.road.edges_m()[(side + 1) // 2]
            for towards in (True, False):
                # All keep to the right of their own direction; side > 0 is our right.
                left = (side > 0) == towards
                at = crossing.start_m + crossing.width_m * (0.75 if left else 0.25)
                out = rng.uniform(2.0, 5.0) if towards else rng.uniform(3.0, 20.0)
                for _ in range(int(rng.integers(0, 5))):
                    body, size = self._body(large=crossing.width_m > 8)
                    offset = edge + side * (out + size[0] / 2)
                    yaw = (np.pi / 2 if left else -np.pi / 2) + rng.normal(0, 0.03)
                    place = (offset, at + rng.normal(0, 0.1))
                    actor = Actor(body, *place, 0.0, yaw, size, self._paint(), self._lit)
                    self._add_standing(actor, _foot(actor))
                    out += size[0] + rng.uniform(1.5, 12.0)

    def people(self) -> None:
        """On the walkways and beside the road."""
        rng, road = self._rng, self._world.road
        most = {"town": 40, "suburb": 24, "rural": 8, "track": 8}.get(self._world.place, 2)
        for _ in range(int(rng.integers(0, most + 1))):
            side = int(rng.choice([-1, 1]))
            if side == self._branch_side:
                continue
            edge, room = road.edges_m()[(side + 1) // 2], road.shoulder_m[(side + 1) // 2]
            offset = edge + side * (max(room, 0.6) + rng.uniform(0.3, 4.5))
            at, yaw = float(rng.uniform(-70, 70)), float(rng.uniform(-np.pi, np.pi))
            if rng.random() < 0.25:
                size = (float(rng.uniform(1.6, 1.9)), *rng.uniform((0.5, 1.5), (0.7, 1.85)))
                yaw = float(rng.choice([0.0, np.pi])) + rng.normal(0, 0.1)
                lit = self._lit
                self._park(Actor(TWO_WHEELS, offset, at, 0.0, yaw, size, self._paint(), lit))
            else:
                size = (float(rng.uniform(0.3, 0.6)), *rng.uniform((0.45, 1.1), (0.65, 1.95)))
                self._park(Actor(PERSON_KIND, offset, at, 0.0, yaw, size, self._paint(), False))


def _moved(actor: Actor, at_m: float) -> Actor:
    """The same somewhere else along the road."""
    return Actor(
        actor.body,
        actor.offset_m,
        at_m,
        actor.speed,
        actor.yaw_rad,
        actor.size_m,
        actor.colour,
        actor.lights,
    )


def _foot(actor: Actor) -> NDArray[np.float64]:
    """Corners of a footprint, (4, 2): distance along the road and offset."""
    length, width, _ = actor.size_m
    stand = Stand(actor.at_m, -actor.offset_m, actor.yaw_rad, actor.size_m)
    corners = [
        (a * length / 2, b * width / 2, 0.0) for a, b in ((1, 1), (-1, 1), (-1, -1), (1, -1))
    ]
    return stand.place(np.array(corners))[:, :2] * (1.0, -1.0)
