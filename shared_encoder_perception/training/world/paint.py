"""Asphalt, markings and terrain: colours of ground pixels, anchored to the world, anti-aliased."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.training.world.road import Camera, Ground, Road

TILE = 512


@dataclass(frozen=True)
class Marking:
    """One painted line.

    Attributes:
        offset_m: Lateral offset of its centre from the ego centre line.
        width_m: Of the paint.
        colour: BGR.
        period_m: Of the dashes; 0 for a solid line.
        dash_m: Painted part of a period.
        opacity: 0 worn off to 1 fresh.
        branch: Whether it follows the branching lane instead of the road.
    """

    offset_m: float
    width_m: float
    colour: tuple[float, float, float]
    period_m: float
    dash_m: float
    opacity: float
    branch: bool = False


@dataclass(frozen=True)
class Surface:
    """Colours (BGR, 0..255) and roughness of what lies around."""

    asphalt: tuple[float, float, float]
    shoulder: tuple[float, float, float]
    terrain: tuple[tuple[float, float, float], tuple[float, float, float]]
    roughness: float
    patches: float
    seams: float
    shade: float
    seed: int


@lru_cache(maxsize=8)
def noise_tile(seed: int) -> NDArray[np.float32]:
    """(512, 512) float32 noise of several octaves, mean 0, about [-1, 1], tileable."""
    rng = np.random.default_rng(seed)
    total = np.zeros((TILE, TILE), np.float32)
    for octave in range(2, 9):
        cells = 2**octave
        coarse = np.pad(rng.standard_normal((cells, cells)).astype(np.float32), 1, mode="wrap")
        scale = TILE // cells
        fine = cv2.resize(coarse, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
        total += fine[scale : scale + TILE, scale : scale + TILE] * np.float32(0.75**octave)
    return total / total.std() / 2.5


def sample_noise(
    seed: int, x: NDArray[np.float32], s: NDArray[np.float32], cells_per_m: float, stretch: float
) -> NDArray[np.float32]:
    """Look the noise up at world positions; ``stretch`` > 1 draws it out along the road."""
    i = (s * np.float32(cells_per_m / stretch)).astype(np.int32) % TILE
    j = (x * np.float32(cells_per_m)).astype(np.int32) % TILE
    return noise_tile(seed % 6)[i, j]


def coverage(
    offset: NDArray[np.float32], footprint: NDArray[np.float32], low: float, high: float
) -> NDArray[np.float32]:
    """Share of a pixel, ``footprint`` wide at ``offset``, that lies in ``[low, high]``; metres."""
    half = footprint / 2
    overlap = np.minimum(offset + half, high) - np.maximum(offset - half, low)
    return np.clip(overlap / footprint, 0.0, 1.0)


def dashes(
    s: NDArray[np.float32], length: NDArray[np.float32], marking: Marking
) -> NDArray[np.float32]:
    """Share of a pixel of ``length`` metres along the road that lies in a dash."""
    if marking.period_m == 0:
        return np.ones_like(s)
    phase = np.mod(s, marking.period_m)
    soft = np.maximum(length, 0.05)
    near = np.clip((marking.dash_m / 2 - np.abs(phase - marking.dash_m / 2)) / soft + 0.5, 0, 1)
    mix = np.clip(soft / marking.period_m, 0, 1)
    mixed = near * (1 - mix) + marking.dash_m / marking.period_m * mix
    return mixed.astype(np.float32)


def paved(road: Road, offset: NDArray, branch: NDArray | None) -> NDArray[np.bool_]:
    """Whether ground at these offsets (from the road, from the branch) is asphalt."""
    left, right = road.edges_m()
    surface = (offset > left - road.shoulder_m[0]) & (offset < right + road.shoulder_m[1])
    if branch is not None and road.split is not None:
        half = road.width_m / 2
        outer = road.shoulder_m[(road.split.side + 1) // 2]
        surface |= np.abs(branch - road.split.side * outer / 2) < half + outer / 2
    return surface


def paint_ground(
    camera: Camera,
    road: Road,
    ground: Ground,
    surface: Surface,
    markings: tuple[Marking, ...],
    distance_m: float,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Colour the ground pixels.

    Returns:
        (K, 3) float32 BGR of the K pixels of ``ground.hit``, and (K,) whether they are asphalt.
    """
    hit = ground.hit
    offset, z = ground.offset[hit], ground.z[hit]
    s = z + np.float32(distance_m)
    across = z / np.float32(camera.focal_px)
    along = z * z / np.float32(camera.focal_px * camera.height_m)
    branch = None if road.split is None else offset - road.split.offset_m(s).astype(np.float32)
    asphalt = paved(road, offset, branch)
    colour = _base_colours(road, surface, offset, branch, asphalt)
    fade = np.clip(1.5 - along / 2, 0.15, 1)
    fine = sample_noise(surface.seed, offset, s, 23.0, 2.0) * fade
    coarse = sample_noise(surface.seed + 1, offset, s, 2.5, 6.0)
    # Asphalt is smoother than terrain, and patched to a degree of its own.
    rough = np.array([0.45, surface.roughness], np.float32)[asphalt.view(np.uint8)]
    patchy = np.array([0.5, 0.5 * surface.patches], np.float32)[asphalt.view(np.uint8)]
    tone = 1 + rough * (np.float32(0.6) * fine + patchy * coarse)
    if surface.seams > 0:
        crack = np.abs(sample_noise(surface.seed + 2, offset, s, 4.0, 3.0)) < 0.03
        tone *= 1 - np.float32(surface.seams) * (crack & asphalt) * fade
    colour *= tone[:, None]
    for marking in markings:
        _paint_marking(colour, road, surface, marking, offset, branch, s, across, along)
    if surface.shade > 0:
        shade = sample_noise(surface.seed + 4, offset + np.float32(0.3) * s, s, 8.0, 1.0) > 0.25
        colour *= (1 - np.float32(surface.shade) * shade)[:, None]
    return colour, asphalt


def _base_colours(
    road: Road,
    surface: Surface,
    offset: NDArray[np.float32],
    branch: NDArray[np.float32] | None,
    asphalt: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Plain colour of each ground pixel, (K, 3): terrain left or right, shoulder, lanes."""
    left, right = road.edges_m()
    lanes = (offset > left) & (offset < right)
    if branch is not None:
        lanes |= np.abs(branch) < road.width_m / 2
    kind = (offset > 0).astype(np.uint8)
    kind[asphalt] = 2
    kind[lanes & asphalt] = 3
    palette = [*surface.terrain, surface.shoulder, surface.asphalt]
    return np.array(palette, np.float32)[kind]


def _paint_marking(
    colour: NDArray[np.float32],
    road: Road,
    surface: Surface,
    marking: Marking,
    offset: NDArray[np.float32],
    branch: NDArray[np.float32] | None,
    s: NDArray[np.float32],
    across: NDArray[np.float32],
    along: NDArray[np.float32],
) -> None:
    """Blend one line into the ground pixels it touches (in place)."""
    at = branch if marking.branch and branch is not None else offset
    touched = np.flatnonzero(np.abs(at - marking.offset_m) < (marking.width_m + across) / 2)
    if branch is not None:
        keep = _not_in_the_other_road(road, offset[touched], branch[touched], marking)
        touched = touched[keep]
    s, across, along = s[touched], across[touched], along[touched]
    low, high = marking.offset_m - marking.width_m / 2, marking.offset_m + marking.width_m / 2
    alpha = coverage(at[touched], across, low, high) * dashes(s, along, marking)
    wear = 0.6 + 0.7 * sample_noise(surface.seed + 3, offset[touched], s, 8.0, 2.0)
    alpha = alpha * np.clip(marking.opacity * (marking.opacity + wear), 0, 1)
    colour[touched] += alpha[:, None] * (np.array(marking.colour, np.float32) - colour[touched])


def _not_in_the_other_road(
    road: Road, offset: NDArray, branch: NDArray, marking: Marking
) -> NDArray[np.bool_]:
    """A line ends where it would run across the other carriageway."""
    half = road.width_m / 2 - 0.15
    if marking.branch:
        left, right = road.edges_m()
        return (offset < left + 0.15) | (offset > right - 0.15)
    return np.abs(branch) > half
