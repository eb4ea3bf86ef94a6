"""The dice of the synthetic world: every random choice, so that it can be tuned in one place.

Ranges are wide on purpose: real roads should look like one more throw.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size
from shared_encoder_perception.training.world.paint import Marking, Surface
from shared_encoder_perception.training.world.road import Camera, Road, Split, Wave
from shared_encoder_perception.training.world.scene import Light, Prop, Vehicle

LOOP_M: Final = 400.0
"""Props and slower vehicles come back after this distance, so a drive never runs empty."""
WHITE: Final = (235.0, 235.0, 235.0)
YELLOW: Final = (70.0, 190.0, 225.0)


@dataclass(frozen=True, eq=False)
class World:
    """Everything a drive needs; colours are BGR, 0 to 255."""

    road: Road
    camera: Camera
    surface: Surface
    markings: tuple[Marking, ...]
    props: tuple[Prop, ...]
    vehicles: tuple[Vehicle, ...]
    sky: tuple[NDArray[np.float32], NDArray[np.float32]]
    clouds: float
    backdrop: NDArray[np.float32]
    backdrop_px: float
    bonnet: NDArray[np.float32]
    bonnet_px: float
    light: Light
    loop_m: float = LOOP_M


def roll_world(rng: Generator, size: Size, split_probability: float) -> World:
    """Throw all dice."""
    two_way = rng.random() < 0.4
    road = _road(rng, split_probability, two_way)
    camera = _camera(rng, size)
    brightness = rng.uniform(0.6, 1.2)
    overcast = np.float32(rng.random())
    sky_top = rng.uniform((150, 120, 80), (255, 230, 220)).astype(np.float32)
    sky_low = rng.uniform((190, 190, 180), (255, 250, 250)).astype(np.float32)
    green = _terrain_colour(rng)
    return World(
        road=road,
        camera=camera,
        surface=_surface(rng),
        markings=_markings(rng, road, two_way),
        props=_props(rng, road),
        vehicles=_vehicles(rng, road, two_way),
        sky=(sky_top * (1 - 0.4 * overcast) + 80 * overcast, sky_low),
        clouds=rng.uniform(0, 0.8),
        backdrop=np.array(green, np.float32) * np.float32(rng.uniform(0.4, 1.0)),
        backdrop_px=float(rng.choice([0, rng.uniform(2, 60)])) * size[0] / 320,
        bonnet=(rng.uniform(5, 100, 3) + rng.uniform(10, 80)).astype(np.float32),
        bonnet_px=size[0] * float(rng.uniform(0.03, 0.14)) if rng.random() < 0.15 else 0.0,
        light=_light(rng, brightness, size),
    )


def _road(rng: Generator, split_probability: float, two_way: bool) -> Road:
    """Lanes, curves, hills, and sometimes a lane that leaves."""
    left, right = (
        int(rng.choice(4, p=[0.25, 0.4, 0.25, 0.1])),
        int(rng.choice(3, p=[0.4, 0.4, 0.2])),
    )
    if two_way:
        left = max(left, 1)
    split = None
    if rng.random() < split_probability:
        side = int(rng.choice([-1, 1], p=[0.45, 0.55]))
        left, right = (0, right) if side < 0 else (left, 0)
        start = rng.uniform(8, 60)
        split = Split(side, start, rng.uniform(0.0015, 0.008), rng.uniform(0.06, 0.25))
    straight = rng.random() < 0.25
    bend = 0.0 if straight else float(rng.choice([0.0015, 0.004, 0.009])) * rng.uniform(0.3, 1)
    return Road(
        left=left,
        right=right,
        width_m=rng.uniform(2.7, 4.1),
        shoulder_m=(_shoulder(rng), _shoulder(rng)),
        curvature=Wave.random(rng, bend, (120, 600)),
        hills=Wave.random(rng, float(rng.choice([0.0, 2e-4, 6e-4])), (150, 500)),
        wander=Wave.random(rng, rng.uniform(0.05, 0.7), (60, 200)),
        split=split,
    )


def _shoulder(rng: Generator) -> float:
    """Paved metres beyond the edge line: a sliver or a real shoulder."""
    return float(rng.choice([0.2, rng.uniform(0.3, 3.0)]))


def _camera(rng: Generator, size: Size) -> Camera:
    """From car to truck, wide to narrow, level to pitched down."""
    height, width = size
    return Camera(
        size=size,
        focal_px=width * rng.uniform(0.55, 1.25),
        centre_px=(width * rng.uniform(0.42, 0.58), height * rng.uniform(-0.12, 0.42)),
        height_m=rng.uniform(1.15, 2.8),
        yaw_rad=rng.normal(0, 0.025),
        roll_rad=rng.normal(0, 0.012),
    )


def _terrain_colour(rng: Generator) -> tuple[float, float, float]:
    """Grass, dry grass, dirt, sand, snow or pavement."""
    base = [
        (45, 95, 75),
        (70, 140, 140),
        (70, 95, 120),
        (120, 160, 185),
        (215, 210, 205),
        (125, 125, 125),
    ]
    chosen = np.array(base[rng.choice(len(base), p=[0.34, 0.24, 0.16, 0.1, 0.04, 0.12])])
    colour = chosen * rng.uniform(0.6, 1.35) + rng.normal(0, 14, 3)
    blue, green, red = (float(value) for value in np.clip(colour, 10, 250))
    return blue, green, red


def _surface(rng: Generator) -> Surface:
    """Asphalt from black to bleached, smooth to rough."""
    grey = rng.uniform(50, 190)
    asphalt = np.clip(grey + rng.normal(0, 6, 3), 20, 230)
    shoulder = np.clip(asphalt * rng.uniform(0.8, 1.2) + rng.normal(0, 6, 3), 15, 235)
    left = _terrain_colour(rng)
    return Surface(
        asphalt=tuple(asphalt),
        shoulder=tuple(shoulder),
        terrain=(left, left if rng.random() < 0.5 else _terrain_colour(rng)),
        roughness=rng.uniform(0.03, 0.22),
        patches=rng.uniform(0.2, 1.2),
        seams=float(rng.choice([0.0, rng.uniform(0.1, 0.5)])),
        shade=float(rng.choice([0.0, rng.uniform(0.2, 0.6)], p=[0.6, 0.4])),
        seed=int(rng.integers(1_000_000)),
    )


def _markings(rng: Generator, road: Road, two_way: bool) -> tuple[Marking, ...]:
    """Lines between the lanes and at the edges; some roads have none, some only a few."""
    style = rng.choice(["full", "no edges", "faint", "none"], p=[0.72, 0.1, 0.1, 0.08])
    if style == "none":
        return ()
    opacity = rng.uniform(0.15, 0.4) if style == "faint" else rng.uniform(0.4, 1.0)
    period, dash = ((12.2, 3.05), (12.0, 6.0), (9.0, 3.0), (18.0, 6.0), (4.0, 2.0))[rng.choice(5)]
    paint = rng.uniform(0.1, 0.2)
    white = tuple(np.clip(np.array(WHITE) * rng.uniform(0.75, 1.05) + rng.normal(0, 5, 3), 0, 255))
    yellow = tuple(np.clip(np.array(YELLOW) * rng.uniform(0.7, 1.1), 0, 255))
    left, right = road.edges_m()
    lines = []
    for index in range(1, road.left + road.right + 1):
        at = left + index * road.width_m
        centre_line = two_way and at < 0 and index == max(road.left, 1)
        if centre_line:
            lines += _centre_line(
                rng, at, paint, yellow if rng.random() < 0.5 else white, opacity, period
            )
        else:
            lines.append(Marking(at, paint, white, period, dash, opacity))
    if style != "no edges":
        inner = yellow if rng.random() < 0.4 else white
        lines.append(Marking(left + 0.1, paint, inner, 0, 0, opacity * rng.uniform(0.6, 1)))
        lines.append(Marking(right - 0.1, paint, white, 0, 0, opacity * rng.uniform(0.6, 1)))
    if road.split is not None:
        for side in (-1, 1):
            at = side * (road.width_m / 2 - 0.1)
            lines.append(Marking(at, paint * 1.3, white, 0, 0, opacity, branch=True))
    return tuple(lines)


def _centre_line(
    rng: Generator, at: float, paint: float, colour: tuple, opacity: float, period: float
) -> list[Marking]:
    """Between opposite directions: double, solid or dashed."""
    kind = rng.choice(["double", "solid", "dashed", "mixed"])
    if kind in ("double", "mixed"):
        second = (0.0, 0.0) if kind == "double" else (period, period / 2)
        return [
            Marking(at - paint, paint, colour, 0, 0, opacity),
            Marking(at + paint, paint, colour, *second, opacity),
        ]
    dashes = (0.0, 0.0) if kind == "solid" else (period, period / 3)
    return [Marking(at, paint, colour, *dashes, opacity)]


def _props(rng: Generator, road: Road) -> tuple[Prop, ...]:
    """Trees, buildings and poles along both sides; now and then a wall of posts."""
    left, right = road.edges_m()
    props = []
    kinds = rng.choice(["trees", "town", "mixed", "open"])
    count = {"trees": 36, "town": 22, "mixed": 26, "open": 5}[str(kinds)]
    for _ in range(count):
        side = rng.choice([-1, 1])
        gap = rng.uniform(1.5, 18) + road.shoulder_m[(side + 1) // 2]
        if road.split is not None and side == road.split.side:
            gap += 25
        tree = kinds == "trees" or (kinds != "town" and rng.random() < 0.7)
        pole = rng.random() < 0.2
        size = (
            (rng.uniform(3, 8), rng.uniform(3, 10))
            if tree
            else (rng.uniform(6, 14), rng.uniform(4, 14))
        )
        if pole:
            size = (0.25, rng.uniform(3, 8))
        edge = left if side < 0 else right
        colour = np.clip(
            np.array((50, 90, 60) if tree else rng.uniform(60, 210, 3)) * rng.uniform(0.5, 1.3),
            5,
            250,
        )
        if pole:
            colour = np.full(3, rng.uniform(60, 190))
        offset = edge + side * (gap + size[0] / 2)
        props.append(
            Prop(offset, rng.uniform(0, LOOP_M), *size, tuple(colour), bool(tree and not pole))
        )
    return tuple(props)


def _vehicles(rng: Generator, road: Road, two_way: bool) -> tuple[Vehicle, ...]:
    """Traffic in every lane; the vehicle ahead keeps its distance."""
    vehicles = []
    for lane in range(-road.left, road.right + 1):
        if rng.random() > (0.35 if lane == 0 else 0.55):
            continue
        oncoming = two_way and lane < 0
        truck = rng.random() < 0.25
        size = (
            (2.5, rng.uniform(2.6, 3.8))
            if truck
            else (rng.uniform(1.65, 1.95), rng.uniform(1.35, 1.9))
        )
        grey = rng.random() < 0.6
        colour = np.full(3, rng.uniform(20, 235)) if grey else rng.uniform(20, 220, 3)
        speed = (
            1.0
            if lane == 0
            else float(rng.uniform(-1, -0.5) if oncoming else rng.uniform(0.8, 1.0))
        )
        offset = lane * road.width_m + rng.normal(0, 0.15)
        vehicles.append(
            Vehicle(offset, rng.uniform(8, 110), speed, *size, tuple(colour), bool(oncoming))
        )
    return tuple(vehicles)


def _light(rng: Generator, brightness: float, size: Size) -> Light:
    """Sun to dusk, lens and sensor."""
    dusk = rng.random() < 0.12
    cast = 1 + rng.normal(0, 0.06, 3)
    gain = tuple(cast * brightness * (rng.uniform(0.3, 0.6) if dusk else 1.0))
    return Light(
        gain=gain,
        gamma=float(np.exp(rng.normal(0, 0.25))),
        haze=float(rng.choice([rng.uniform(0, 0.15), rng.uniform(0.15, 0.6)], p=[0.8, 0.2])),
        vignette=rng.uniform(0, 0.35),
        noise=rng.uniform(0.5, 7),
        blur=rng.uniform(0, 1.3) * size[0] / 320,
        jpeg=int(rng.integers(35, 96)) if rng.random() < 0.5 else 0,
    )
