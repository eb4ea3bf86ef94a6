# SPDX-License-Identifier: Apache-2.0
"""A camera's picture with the ground's lines, the vehicle's axes and the horizon drawn in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.drawing.shapes import Colour, draw_line, tint_area
from shared_encoder_perception.drawing.text import FONT
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.rig import RigCamera

SMALL_M: Final = 16.0
"""Side of a grid up to which its lines are 1 m apart, not 5 m."""
LINES: Final = 8
"""On each side of the vehicle."""
ACROSS: Final[Colour] = (60, 220, 255)
"""BGR of lines of one x: across the road."""
ALONG: Final[Colour] = (255, 200, 60)
"""BGR of lines of one y."""
HORIZON: Final[Colour] = (255, 255, 255)
AXES: Final[tuple[tuple[str, Colour], ...]] = (
    ("x", (60, 60, 255)),
    ("y", (60, 220, 60)),
    ("z", (255, 110, 60)),
)
OWN: Final[Colour] = (200, 60, 200)
OFFSET: Final = np.array((4.0, -4.0))
"""Of letters from what they name, px."""
FAR_M: Final = 1e5
APART_PX: Final = 80.0
"""Points of a line that are seen further from each other are not joined."""


def step_of(grid: BevGrid) -> float:
    """Return how far apart lines on the ground are drawn, m."""
    x_min, y_min, x_max, y_max = grid.extent_m
    return 1.0 if max(x_max - x_min, y_max - y_min) <= SMALL_M else 5.0


def draw_camera(
    camera: RigCamera, picture: NDArray[np.uint8], step_m: float, width: int
) -> NDArray[np.uint8]:
    """Draw what the calibration says on a picture: right is where lines lie on the road.

    Lines on the ground (z = 0) every ``step_m``: yellow across, blue along; numbers are x, y. The
    horizon is white and dashed. The vehicle's axes stand on the ground at its origin, where that is
    seen, and at the crossing of lines nearest to the camera: x red, y green, z blue.

    Args:
        camera: The camera.
        picture: (H, W, 3) uint8 BGR, as received.
        step_m: Between lines.
        width: Of the result, px; its height follows the picture's.

    Returns:
        (height, width, 3) uint8 BGR.
    """
    height = max(round(camera.image_size[0] * width / camera.image_size[1]), 1)
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    canvas = np.asarray(small, np.uint8)
    scale = np.array((width, height)) / (camera.image_size[1], camera.image_size[0])
    if camera.own is not None:
        own = cv2.resize(
            camera.own.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST
        )
        tint_area(canvas, own > 0, OWN)
    plain = replace(camera, own=None)  # what the vehicle hides is drawn too: it is for judging

    def seen(points: NDArray) -> NDArray[np.float64]:
        return np.asarray((plain.see(points) + 0.5) * scale - 0.5)

    for points, colour in _ground_lines(step_m):
        for piece in _pieces(seen(points)):
            cv2.polylines(canvas, [_whole(piece)], False, colour, 1, cv2.LINE_AA)
    turns = np.deg2rad(np.arange(0.0, 360.0, 0.5))
    level = np.c_[np.cos(turns), np.sin(turns), np.zeros(len(turns))] * FAR_M
    for piece in _pieces(seen(level + camera.view.position)):
        draw_line(canvas, piece, HORIZON, 0.5, dashed=True)
    nodes = _nodes(step_m)
    places = seen(nodes)
    _number(canvas, nodes, places)
    for origin in (np.zeros(3), *_nearest(camera, nodes, places, canvas.shape)):
        _draw_axes(canvas, seen, origin, 0.4 * step_m)
    return canvas


def _ground_lines(step_m: float) -> Iterator[tuple[NDArray[np.float64], Colour]]:
    """Yield lines on the ground, (N, 3) m, and their colours."""
    most = LINES * step_m
    along = np.arange(-most, most + 1e-9, step_m / 50)
    for at in np.arange(-LINES, LINES + 1) * step_m:
        fixed, zero = np.full(len(along), at), np.zeros(len(along))
        yield np.stack([fixed, along, zero], axis=-1), ACROSS
        yield np.stack([along, fixed, zero], axis=-1), ALONG


def _nodes(step_m: float) -> NDArray[np.float64]:
    """Return where lines cross, (N, 3) m."""
    steps = np.arange(-LINES, LINES + 1) * step_m
    x, y = np.meshgrid(steps, steps)
    return np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=-1)


def _number(
    canvas: NDArray[np.uint8], nodes: NDArray[np.float64], places: NDArray[np.float64]
) -> None:
    """Write x, y to the nearest crossings, as far as there is room (in place)."""
    taken: list[NDArray[np.float64]] = []
    for index in np.argsort(np.linalg.norm(nodes, axis=1), kind="stable"):
        at = places[index]
        free = all(abs(at[0] - one[0]) > 60 or abs(at[1] - one[1]) > 16 for one in taken)
        if np.isfinite(at).all() and free and len(taken) < 40:
            taken.append(at)
            cv2.circle(canvas, (round(at[0]), round(at[1])), 2, (255, 255, 255), -1, cv2.LINE_AA)
            _write(canvas, f"{nodes[index, 0]:g},{nodes[index, 1]:g}", at + OFFSET)


def _nearest(
    camera: RigCamera, nodes: NDArray[np.float64], places: NDArray[np.float64], shape: tuple
) -> list[NDArray[np.float64]]:
    """Return the crossing nearest to the camera that is well inside of its picture."""
    height, width = shape[:2]
    margin = np.array((0.15 * width, 0.1 * height))
    with np.errstate(invalid="ignore"):
        inside = np.all((places > margin) & (places < (width, height) - margin), axis=1)
    inside = inside & (np.abs(nodes).max(axis=1) > 0)
    if not inside.any():
        return []
    away = np.linalg.norm(nodes - camera.view.position, axis=1)
    return [nodes[np.where(inside, away, np.inf).argmin()]]


def _draw_axes(
    canvas: NDArray[np.uint8],
    seen: Callable[[NDArray], NDArray[np.float64]],
    origin: NDArray[np.float64],
    length: float,
) -> None:
    """Draw three arrows that begin at a point (in place)."""
    for index, (name, colour) in reversed(list(enumerate(AXES))):  # the upright one is longest
        tip = origin + np.eye(3)[index] * length
        ends = seen(np.stack([origin, tip]))
        if not np.isfinite(ends).all():
            continue
        start, end = ((round(x), round(y)) for x, y in ends)
        cv2.arrowedLine(canvas, start, end, colour, 2, cv2.LINE_AA, tipLength=0.2)
        _write(canvas, name, ends[1] - OFFSET, colour)


def _pieces(points: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """Cut a line where it is not seen, or jumps; yield what is longer than a point."""
    known = np.asarray(np.isfinite(points).all(axis=1))
    with np.errstate(invalid="ignore"):
        jump = np.linalg.norm(np.diff(points, axis=0), axis=1) > APART_PX
    cuts = np.flatnonzero(~(known[1:] & known[:-1]) | jump) + 1
    for piece in np.split(points, cuts):
        if len(piece) > 1 and np.isfinite(piece).all():
            yield piece


def _whole(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return points as whole pixels."""
    return np.rint(points).astype(np.int32)


def _write(
    canvas: NDArray[np.uint8], text: str, at: NDArray, colour: Colour = (255, 255, 255)
) -> None:
    """Write small letters with a dark rim (in place)."""
    place = (round(float(at[0])), round(float(at[1])))
    for ink, width in (((20, 20, 20), 3), (colour, 1)):
        cv2.putText(canvas, text, place, FONT, 0.4, ink, width, cv2.LINE_AA)
