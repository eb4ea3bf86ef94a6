# SPDX-License-Identifier: Apache-2.0
"""The dice of the synthetic world: what kind of place, weather and camera, and all that follows.

Ranges are wide on purpose: real roads should look like one more throw.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.random import Generator

from shared_encoder_perception.structures import Size
from shared_encoder_perception.world.atlas import Colour, bgr
from shared_encoder_perception.world.camera import Camera
from shared_encoder_perception.world.dice_road import Place, roll_gore, roll_lines, roll_road
from shared_encoder_perception.world.dice_scene import Sun, prop_shadows, roll_props, roll_rails
from shared_encoder_perception.world.dice_surface import roll_surface
from shared_encoder_perception.world.dice_traffic import roll_vehicles
from shared_encoder_perception.world.ground import GroundLight
from shared_encoder_perception.world.markings import Gore, Line
from shared_encoder_perception.world.pave import Surface
from shared_encoder_perception.world.road import Road
from shared_encoder_perception.world.roadside import Prop, Rail
from shared_encoder_perception.world.sensor import Sensor
from shared_encoder_perception.world.sky import Light, Sky
from shared_encoder_perception.world.vehicles import Vehicle
from shared_encoder_perception.world.view import Air

Name = TypeVar("Name", bound=str)

PLACES: Final[dict[Place, float]] = {
    "motorway": 0.36,
    "rural": 0.26,
    "suburb": 0.14,
    "town": 0.19,
    "track": 0.05,
}
WEATHERS: Final[dict[str, float]] = {
    "sun": 0.36,
    "overcast": 0.24,
    "dusk": 0.08,
    "night": 0.14,
    "rain": 0.07,
    "fog": 0.04,
    "snow": 0.04,
    "low sun": 0.03,
}

NIGHT_CASTS: Final = ((1.0, 1.0, 1.0), (0.45, 0.8, 1.0), (0.2, 0.85, 0.9), (1.15, 0.9, 0.75))
NIGHT_SHARES: Final = (0.5, 0.25, 0.15, 0.1)
"""What a camera makes of lamps in the dark, BGR: neutral, warm, sodium, blue; how often."""


@dataclass(frozen=True, eq=False)
class World:
    """Everything a drive needs."""

    place: Place
    weather: str
    road: Road
    camera: Camera
    surface: Surface
    lines: tuple[Line, ...]
    gore: Gore | None
    rails: tuple[Rail, ...]
    props: tuple[Prop, ...]
    vehicles: tuple[Vehicle, ...]
    sky: Sky
    ground_light: GroundLight
    air: Air
    sun: Sun
    sensor: Sensor
    bonnet: Colour
    bonnet_px: float
    lights: tuple[Light, ...]


def roll_world(
    rng: Generator,
    size: Size,
    split_probability: float,
    places: Collection[str] = (),
    weathers: Collection[str] = (),
) -> World:
    """Throw all dice.

    Args:
        rng: The dice.
        size: ``(height, width)`` of the camera's picture.
        split_probability: Chance that a lane branches off within sight.
        places: Some of ``PLACES``, of which it is to be one; none for any.
        weathers: Some of ``WEATHERS``, likewise.
    """
    place = _one_of(rng, PLACES, places)
    weather = _one_of(rng, WEATHERS, weathers)
    road = roll_road(rng, place, split_probability)
    camera = _camera(rng, size)
    sun = _sun(rng, weather)
    props = roll_props(rng, road, place, weather)
    surface = roll_surface(rng, road, place, weather, prop_shadows(rng, props, sun))
    sky = _sky(rng, place, weather)
    air = _air(rng, weather, sky)
    lights = _lights(rng, size) if weather == "night" else ()
    return World(
        place=place,
        weather=weather,
        road=road,
        camera=camera,
        surface=surface,
        lines=roll_lines(rng, road, place),
        gore=roll_gore(rng, road),
        rails=roll_rails(rng, road, place),
        props=props,
        vehicles=roll_vehicles(rng, road, place, weather),
        sky=sky,
        ground_light=_ground_light(rng, weather),
        air=air,
        sun=sun,
        sensor=_sensor(rng, weather, size),
        bonnet=_bonnet(rng, air),
        bonnet_px=size[0] * float(rng.beta(1.2, 2.2) * 0.34) if rng.random() < 0.25 else 0.0,
        lights=lights,
    )


def _one_of(rng: Generator, odds: Mapping[Name, float], asked: Collection[str]) -> Name:
    """Throw one of what is asked for by its odds among them; it is one throw, whatever is asked."""
    names = [name for name in odds if not asked or name in asked]
    shares = np.array([odds[name] for name in names])
    return names[rng.choice(len(names), p=shares / shares.sum())]


def _lights(rng: Generator, size: Size) -> tuple[Light, ...]:
    """Lamps, windows and signs of a town beyond what is modelled."""
    return tuple(
        Light(
            float(rng.uniform(0, size[1])),
            float(rng.exponential(0.06) * size[0]),
            float(np.exp(rng.uniform(-0.2, 2.0)) * size[0] / 320),
            bgr(rng.uniform(90, 255, 3) if rng.random() < 0.5 else (150, 215, 255)),
        )
        for _ in range(int(rng.integers(0, 14)))
    )


def _grey(rng: Generator, low: float, high: float, colourful: float) -> Colour:
    """A colour that is nearly grey."""
    return bgr(rng.uniform(low, high) + rng.normal(0, colourful, 3))


def _bonnet(rng: Generator, air: Air) -> Colour:
    """Own bonnet, in the light that there is."""
    light = min(air.ambient + 0.05, 1.0)
    return bgr(np.array(_grey(rng, 12, 120, 12)) * light)


def _camera(rng: Generator, size: Size) -> Camera:
    """From car to truck, wide to narrow, level to pitched down."""
    height, width = size
    focal = width * rng.uniform(0.55, 1.25)
    pitch = float(np.clip(rng.normal(0.04, 0.06), -0.05, 0.2))
    horizon = height * rng.uniform(-0.12, 0.44)
    turned = rng.random() < 0.1
    return Camera(
        size=size,
        focal_px=focal,
        centre_px=(width * rng.uniform(0.42, 0.58), horizon + focal * np.tan(pitch)),
        height_m=float(rng.choice([rng.uniform(1.15, 1.8), rng.uniform(1.8, 2.8)], p=[0.65, 0.35])),
        pitch_rad=pitch,
        yaw_rad=rng.normal(0, 0.025),
        roll_rad=rng.normal(0, 0.06 if turned else 0.012),
        distortion=float(rng.choice([0.0, rng.uniform(-0.02, 0.1)], p=[0.4, 0.6])),
    )


def _sun(rng: Generator, weather: str) -> Sun:
    """Where shadows fall, and how dark they are."""
    strength = {"sun": rng.uniform(0.6, 1.0), "low sun": 0.9, "dusk": rng.uniform(0, 0.4)}
    angle = rng.uniform(0, 2 * np.pi)
    length = rng.uniform(0.3, 1.6) if weather != "low sun" else rng.uniform(1.5, 3.0)
    return Sun(
        float(np.cos(angle) * length), float(np.sin(angle) * length), strength.get(weather, 0.0)
    )


def _sky(rng: Generator, place: Place, weather: str) -> Sky:
    """From deep blue to lead."""
    blue = np.array((rng.uniform(170, 250), rng.uniform(120, 200), rng.uniform(60, 150)))
    pale = np.array((rng.uniform(210, 255), rng.uniform(205, 250), rng.uniform(190, 250)))
    lead = rng.uniform(120, 225) + np.array((6, 2, -2))
    dull = weather in ("overcast", "rain", "fog", "snow")
    top, low = (lead, lead * rng.uniform(0.95, 1.2)) if dull else (blue, pale)
    if weather == "dusk":
        top, low = blue * 0.5, np.array((120.0, 140, rng.uniform(160, 240)))
    if weather == "night":
        top, low = np.full(3, rng.uniform(0, 14)), np.full(3, rng.uniform(2, 30))
    if weather == "low sun":
        low = np.array((rng.uniform(150, 220), 235.0, 252.0))
    layers: list[tuple[float, Colour, bool]] = []
    dark = rng.uniform(0.01, 0.12) if weather == "night" else 1.0
    for share in (0.5, 0.6):
        if rng.random() < share:
            green = np.array((55, 85, 65)) * rng.uniform(0.5, 1.3)
            far = np.array((150, 130, 115)) * rng.uniform(0.6, 1.2)
            town = place == "town" and rng.random() < 0.6
            colour = np.full(3, rng.uniform(70, 190)) if town else (green if layers else far)
            high = rng.uniform(4, 45 if not town else 80)
            layers.append((high, bgr(colour * dark), town))
    cloudy = rng.uniform(0, 0.9) if not dull else rng.uniform(0.2, 0.5)
    cloud = np.full(3, 245.0) if not dull else lead * rng.uniform(0.7, 1.15)
    if weather in ("night", "dusk"):
        cloud = np.asarray(low) * 0.8
    return Sky(bgr(top), bgr(low), cloudy, bgr(cloud), tuple(layers), int(rng.integers(10_000)))


def _air(rng: Generator, weather: str, sky: Sky) -> Air:
    """Haze and lamps."""
    visibility = float(np.exp(rng.uniform(np.log(250), np.log(3000))))
    if weather == "fog":
        visibility = rng.uniform(28, 110)
    if weather in ("rain", "snow"):
        visibility = rng.uniform(90, 500)
    if weather == "night":
        # Street lamps, or next to nothing beside our own.
        ambient = rng.uniform(0.08, 0.4) if rng.random() < 0.35 else rng.uniform(0.005, 0.08)
        return Air(sky.low, max(visibility, 150), ambient, rng.uniform(0.25, 1.0))
    ambient = rng.uniform(0.35, 0.7) if weather == "dusk" else 1.0
    return Air(sky.low, visibility, ambient, rng.uniform(0.1, 0.4) if weather == "dusk" else 0.0)


def _ground_light(rng: Generator, weather: str) -> GroundLight:
    """Paint and shade."""
    white = np.full(3, rng.uniform(185, 255)) + rng.normal(0, 5, 3)
    yellow = np.array((rng.uniform(30, 120), rng.uniform(150, 215), rng.uniform(190, 250)))
    dark = rng.uniform(0.22, 0.6)
    wet = {
        "rain": rng.uniform(0.3, 1.0),
        "snow": rng.uniform(0, 0.5),
        "night": rng.choice([0, 0.7]),
    }
    return GroundLight(
        bgr(white),
        bgr(yellow),
        (float(min(dark * 1.25, 1)), float(dark * 1.08), float(dark)),
        float(wet.get(weather, 0.0)),
    )


def _sensor(rng: Generator, weather: str, size: Size) -> Sensor:
    """Exposure, lens and compression."""
    exposure = rng.uniform(0.72, 1.3)
    if weather == "night":
        exposure = rng.uniform(0.6, 1.5)
    cast = 1 + rng.normal(0, 0.022, 3)
    if weather == "night":
        cast *= NIGHT_CASTS[rng.choice(len(NIGHT_CASTS), p=NIGHT_SHARES)]
    scale = size[0] / 320
    dim = weather in ("night", "dusk")
    return Sensor(
        gain=tuple(cast * exposure),
        gamma=float(np.exp(rng.normal(0, 0.2))),
        contrast=rng.uniform(0, 0.6),
        vignette=rng.uniform(0, 0.35),
        noise=rng.uniform(2, 9) if dim else rng.uniform(0.5, 6),
        blur_px=rng.uniform(0, 1.3) * scale,
        motion_px=int(rng.integers(2, 6)) if rng.random() < 0.1 else 0,
        jpeg=int(rng.integers(35, 96)) if rng.random() < 0.5 else 0,
        glare=rng.uniform(0.5, 1.0) if weather == "low sun" else 0.0,
        sun=(rng.uniform(0.1, 0.9), rng.uniform(-0.1, 0.3)),
        rain=rng.uniform(0.1, 0.6) if weather == "rain" else 0.0,
        drops=int(rng.integers(0, 50)) if weather == "rain" else 0,
        flakes=int(rng.integers(60, 420)) if weather == "snow" else 0,
    )
