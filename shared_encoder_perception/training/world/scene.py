"""What stands on the ground and above it: sky, roadside, vehicles; and what the sensor adds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.training.world.paint import noise_tile
from shared_encoder_perception.training.world.road import DEPTHS_M, Camera, Road


@dataclass(frozen=True)
class Vehicle:
    """A box on the road: lateral offset, distance along the road at t = 0, size, colour."""

    offset_m: float
    distance_m: float
    speed: float
    width_m: float
    height_m: float
    colour: tuple[float, float, float]
    oncoming: bool


@dataclass(frozen=True)
class Prop:
    """Something upright beside the road: tree, building, pole."""

    offset_m: float
    distance_m: float
    width_m: float
    height_m: float
    colour: tuple[float, float, float]
    round: bool


@dataclass(frozen=True)
class Light:
    """Light and sensor.

    Attributes:
        gain: (3,) BGR factor.
        gamma: Exponent after the gain.
        haze: Share of the sky's colour at 100 m.
        vignette: Darkening of the corners.
        noise: Standard deviation, grey levels.
        blur: Gaussian sigma, pixels.
        jpeg: Quality, 0 for none.
    """

    gain: tuple[float, float, float]
    gamma: float
    haze: float
    vignette: float
    noise: float
    blur: float
    jpeg: int


def paint_sky(
    shape: tuple[int, int], top: NDArray, bottom: NDArray, horizon: float, clouds: float, seed: int
) -> NDArray[np.float32]:
    """(H, W, 3) float32 gradient from ``top`` to ``bottom`` at the horizon, with clouds."""
    height, width = shape
    ramp = np.clip(np.arange(height, dtype=np.float32) / max(horizon, 1.0), 0, 1)[:, None, None]
    sky = np.broadcast_to(top + (bottom - top) * ramp, (height, width, 3)).astype(np.float32)
    rows = (np.arange(height) * 3) % 512
    columns = np.arange(width) * 200 // width + seed % 300
    cloud = np.clip(noise_tile(seed % 6)[np.ix_(rows, columns % 512)], 0, 1)[:, :, None]
    return np.ascontiguousarray(sky + cloud * np.float32(clouds) * (250 - sky), np.float32)


def draw_backdrop(
    image: NDArray[np.float32], horizon: float, height_px: float, colour: NDArray, seed: int
) -> None:
    """Hills or a tree line on the horizon (in place)."""
    width = image.shape[1]
    profile = noise_tile(seed % 6)[seed % 512][(np.arange(width) * 180 // width + seed) % 512]
    top = (horizon - height_px * np.clip(0.7 + profile, 0, 2)).astype(np.float32)
    first = max(int(top.min()), 0)
    rows = np.arange(first, image.shape[0], dtype=np.float32)[:, None]
    cover = np.clip(rows - top[None, :], 0, 1)[:, :, None]
    image[first:] += cover * (colour - image[first:])


def place(
    camera: Camera, road: Road, distance_m: float, offset_m: float, ahead_m: float
) -> tuple[NDArray[np.float64], float]:
    """Pixel of a point on the road surface, and pixels per metre there."""
    lateral, height = road.profile(distance_m)
    x = np.interp(ahead_m, DEPTHS_M, lateral) + offset_m
    y = np.interp(ahead_m, DEPTHS_M, height)
    point = camera.project(np.array([x]), np.array([y]), np.array([ahead_m]))[0]
    return point, camera.focal_px / ahead_m


def draw_prop(image: NDArray[np.float32], point: NDArray, scale: float, prop: Prop) -> None:
    """Draw a prop that stands at ``point`` (in place)."""
    x, y = (float(value) for value in point)
    w, h = prop.width_m * scale, prop.height_m * scale
    colour = prop.colour
    if prop.round:
        trunk = tuple(0.5 * c for c in colour)
        _box(image, x - 0.06 * w, y - 0.5 * h, x + 0.06 * w, y, trunk)
        rng = np.random.default_rng(int(prop.distance_m * 10) & 0xFFFF)
        for _ in range(7):
            dx, dy, r = (
                rng.uniform(-0.3, 0.3) * w,
                rng.uniform(0.35, 0.8) * h,
                rng.uniform(0.2, 0.35),
            )
            shade = rng.uniform(0.7, 1.2)
            centre = (round(x + dx), round(y - dy))
            cv2.circle(image, centre, max(round(r * w), 1), tuple(shade * c for c in colour), -1)
        return
    _box(image, x - w / 2, y - h, x + w / 2, y, colour)
    if w > 20 and h > 20:
        for row in np.arange(0.1, 0.9, 0.25):
            for column in np.arange(0.1, 0.9, 0.2):
                left, top = x - w / 2 + column * w, y - h + row * h
                _box(
                    image, left, top, left + 0.1 * w, top + 0.12 * h, tuple(0.5 * c for c in colour)
                )


def draw_vehicle(
    image: NDArray[np.float32], mask: NDArray[np.uint8], point: NDArray, scale: float, car: Vehicle
) -> None:
    """Draw a vehicle that stands at ``point`` and cut it out of the mask (both in place)."""
    x, y = (float(value) for value in point)
    w, h = car.width_m * scale, car.height_m * scale
    left, right, top = x - w / 2, x + w / 2, y - h
    soft = max(h * 0.06, 1.0)
    _shade(image, left - 0.05 * w, y - soft, right + 0.05 * w, y + soft, 0.35)
    tall = car.height_m > 2.2
    body = [(0.0, 0.06), (1.0, 0.06), (1.0, 0.55), (0.88, 1.0), (0.12, 1.0), (0.0, 0.55)]
    if tall:
        body = [(0.0, 0.06), (1.0, 0.06), (1.0, 1.0), (0.0, 1.0)]
    corners = np.array([(left + a * w, y - b * h) for a, b in body])
    cv2.fillPoly(image, [np.round(corners * 16).astype(np.int32)], car.colour, cv2.LINE_AA, 4)
    cv2.fillPoly(mask, [np.round(corners).astype(np.int32)], 0)
    dark = tuple(0.25 * c + 10 for c in car.colour)
    if not tall or car.oncoming:
        _box(image, left + 0.17 * w, top + 0.08 * h, right - 0.17 * w, top + 0.42 * h, dark)
    for side in (left + 0.03 * w, right - 0.2 * w):
        _box(image, side, y - 0.16 * h, side + 0.17 * w, y, (25, 25, 25))
        lamp = (230, 240, 245) if car.oncoming else (40, 30, 190)
        _box(image, side + 0.01 * w, y - 0.5 * h, side + 0.14 * w, y - 0.38 * h, lamp)
    cv2.rectangle(mask, (round(left), round(y - 0.16 * h)), (round(right), round(y)), 0, -1)


def _box(image: NDArray, x0: float, y0: float, x1: float, y1: float, colour: tuple) -> None:
    """Filled rectangle with sub-pixel corners."""
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]).clip(-4000, 4000)
    cv2.fillPoly(image, [np.round(corners * 16).astype(np.int32)], colour, cv2.LINE_AA, 4)


def _shade(image: NDArray, x0: float, y0: float, x1: float, y1: float, factor: float) -> None:
    """Darken a rectangle."""
    height, width = image.shape[:2]
    rows = slice(max(int(y0), 0), min(max(int(y1) + 1, 0), height))
    columns = slice(max(int(x0), 0), min(max(int(x1) + 1, 0), width))
    image[rows, columns] *= factor


def develop(
    image: NDArray[np.float32], light: Light, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Light, lens and sensor: float BGR to the uint8 image a camera would deliver."""
    height, width = image.shape[:2]
    if light.blur > 0.3:
        image = cv2.GaussianBlur(image, (0, 0), light.blur)
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    falloff = 1 - np.float32(light.vignette / 1.4) * (x * x + np.float32(0.4) * y * y)
    image = image * falloff[:, :, None] * np.array(light.gain, np.float32)
    levels = (255 * np.linspace(0, 1, 1024) ** light.gamma).astype(np.float32)
    np.clip(image * np.float32(1023 / 255), 0, 1023, out=image)
    image = levels[image.astype(np.int16)]
    start = rng.integers(0, 512, 2)
    grain = np.roll(_white(), tuple(start), (0, 1))
    reps = (-(-height // 512), -(-width // 512))
    image += np.tile(grain, reps)[:height, :width, None] * np.float32(light.noise)
    developed = cv2.convertScaleAbs(np.maximum(image, 0))
    if light.jpeg:
        data = cv2.imencode(".jpg", developed, [cv2.IMWRITE_JPEG_QUALITY, light.jpeg])[1]
        developed = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return developed


@lru_cache(maxsize=1)
def _white() -> NDArray[np.float32]:
    """(512, 512) white noise; rolled at random, its repetition is not seen."""
    return np.random.default_rng(5).standard_normal((512, 512)).astype(np.float32)
