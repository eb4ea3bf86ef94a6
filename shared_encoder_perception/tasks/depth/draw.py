# SPDX-License-Identifier: Apache-2.0
"""Depth on a picture: lines of equal distance; and a picture of its own, near red to far blue."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.drawing.text import FONT, scale_of
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.runtime import Colour
from shared_encoder_perception.tasks.depth.answer import METRIC, DepthMap
from shared_encoder_perception.tasks.depth.label import Label

LAYER: Final = -5
LINES_M: Final = (5.0, 10.0, 20.0, 50.0, 100.0)
"""Distances at which lines are drawn."""
RANGE_M: Final = (2.0, 150.0)
"""Of the colours, in the logarithm."""
GREY: Final = (96, 96, 96)
ERROR_SHOWN: Final = 0.5
"""Logarithm of a depth's ratio to the true one at the ends of the colours."""
PANELS: Final = ("answer", "label", "error: blue near, red far")
NOTHING_SAID: Final = "depth: no focal length, no metres"


def paint(canvas: NDArray[np.uint8], answer: DepthMap, scale: float) -> None:
    """Draw a line at each of ``LINES_M`` (in place); of any unit, where metres are not known."""
    depth = _shown(answer.depth, answer.in_metres)
    for distance in LINES_M:
        _draw_line(canvas, depth, distance, max(round(2 * scale), 1))


def legend(answer: DepthMap) -> list[tuple[str, Colour]]:
    """Name the lines that are drawn; say so where there are no metres."""
    if not answer.in_metres:
        return [(NOTHING_SAID, (200, 200, 200))]
    finite = answer.depth[np.isfinite(answer.depth)]
    if not finite.size:
        return []
    near, far = float(finite.min()), float(finite.max())
    return [(f"{one:g} m", colour_of(one)) for one in LINES_M if near < one < far]


def paint_label(canvas: NDArray[np.uint8], label: Label, scale: float) -> None:
    """Draw the label's lines, darken what is not known (in place)."""
    canvas[np.isnan(label.depth)] //= 2
    depth = _shown(label.depth, label.kind == METRIC)
    for distance in LINES_M:
        _draw_line(canvas, depth, distance, max(round(2 * scale), 1))


def outline_label(canvas: NDArray[np.uint8], label: Label) -> None:
    """Draw the label's lines thinly in white (in place)."""
    depth = _shown(label.depth, label.kind == METRIC)
    for distance in LINES_M:
        canvas[_edge(depth, distance)] = 255


def resized(answer: DepthMap, image_size: Size, size: Size) -> DepthMap:
    """Return the depth of the resized image, of the nearest pixels; it stays what it is."""
    depth, sigma = (
        None
        if plane is None
        else np.asarray(cv2.resize(plane, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT))
        for plane in (answer.depth, answer.sigma)
    )
    assert depth is not None
    crop = answer.crop and answer.crop.resized(image_size, size)
    focal = answer.focal_px * size[0] / image_size[0]
    return replace(answer, depth=depth, sigma=sigma, crop=crop, focal_px=focal, lens=None)


def colour_of(distance_m: float) -> Colour:
    """Return the colour (BGR) of a distance."""
    blue, green, red = coloured(np.full((1, 1), distance_m, np.float32))[0, 0].tolist()
    return blue, green, red


def coloured(depth: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return (H, W, 3) BGR: near red, far blue, beyond black, grey where nothing is said."""
    low, high = np.log(RANGE_M)
    with np.errstate(invalid="ignore", divide="ignore"):
        place = (high - np.log(depth)) / np.float32(high - low)
    # The ends of the map are too dark to be told from black.
    steps = (12 + 231 * np.nan_to_num(place, nan=0.0, posinf=1.0, neginf=0.0).clip(0, 1)).astype(
        np.uint8
    )
    picture = np.asarray(cv2.applyColorMap(steps, cv2.COLORMAP_TURBO), np.uint8)
    picture[np.isposinf(depth)] = 0
    picture[np.isnan(depth)] = GREY
    return picture


def picture(answer: DepthMap) -> NDArray[np.uint8]:
    """Return the depth in colours, with a scale of metres below, for people."""
    depth = _shown(answer.depth, answer.in_metres)
    canvas = coloured(depth)
    if answer.in_metres:
        draw_scale(canvas)
    return canvas


def panels(answer: DepthMap, label: Label) -> list[NDArray[np.uint8]]:
    """Return answer and label in colours, and how far they are apart: white a half, blue too near.

    Red is too far; black where there is no label. Where either has no metres, they are compared
    up to the one scale that fits best.
    """
    metric = label.kind == METRIC
    depth = _shown(answer.depth, answer.in_metres)
    shown = coloured(depth), coloured(_shown(label.depth, metric))
    known = np.isfinite(label.depth) & ~np.isnan(depth)
    with np.errstate(invalid="ignore", divide="ignore"):
        off = np.log(np.where(known, depth, 1) / np.where(known, label.depth, 1))
    said = off[known & np.isfinite(off)]
    if said.size and not (metric and answer.in_metres):
        off -= np.median(said)
    share = np.nan_to_num(off / ERROR_SHOWN, posinf=1.0, neginf=-1.0).clip(-1, 1)
    error = np.asarray(
        cv2.applyColorMap((127.5 + 127.5 * share).astype(np.uint8), cv2.COLORMAP_TWILIGHT_SHIFTED),
        np.uint8,
    )
    error[~known] = 0
    for canvas in shown:
        draw_scale(canvas)
    return [*shown, error]


def draw_scale(canvas: NDArray[np.uint8]) -> None:
    """Draw the colours of distances along the lower edge (in place)."""
    scale = scale_of(canvas)
    height, width = max(round(14 * scale), 8), canvas.shape[1]
    if canvas.shape[0] < 4 * height or width < 80:
        return
    low, high = np.log(RANGE_M)
    along = np.exp(np.linspace(low, high, width)).astype(np.float32)
    canvas[-height:] = coloured(along[None])
    for distance in LINES_M:
        at = round((math.log(distance) - low) / (high - low) * (width - 1))
        canvas[-height:, at : at + 1] = 0
        where = (at + 3, canvas.shape[0] - 3)
        cv2.putText(canvas, f"{distance:g} m", where, FONT, 0.4 * scale, (0, 0, 0), 1, cv2.LINE_AA)


def _shown(depth: NDArray[np.float32], in_metres: bool) -> NDArray[np.float32]:
    """Bring depth without a unit to numbers that lines and colours have."""
    if in_metres:
        return depth
    finite = depth[np.isfinite(depth) & (depth > 0)]
    return depth if not finite.size else np.asarray(depth * (12.0 / np.median(finite)), np.float32)


def _edge(depth: NDArray[np.float32], distance: float) -> NDArray[np.bool_]:
    """(H, W) pixels beyond a distance beside one that is nearer, where both are known."""
    with np.errstate(invalid="ignore"):
        beyond, known = depth > distance, ~np.isnan(depth)
    edge = np.zeros(depth.shape, np.bool_)
    pairs: Sequence[tuple[tuple[slice, slice], tuple[slice, slice]]] = (
        (np.s_[:-1, :], np.s_[1:, :]),
        (np.s_[:, :-1], np.s_[:, 1:]),
    )
    for one, other in pairs:
        edge[one] |= (beyond[one] != beyond[other]) & known[one] & known[other]
    return edge


def _draw_line(
    canvas: NDArray[np.uint8], depth: NDArray[np.float32], distance: float, thick: int
) -> None:
    """Draw where a distance is reached, in its colour (in place)."""
    edge = _edge(depth, distance).view(np.uint8)
    if thick > 1:
        edge = np.asarray(cv2.dilate(edge, np.ones((thick, thick), np.uint8)), np.uint8)
    canvas[edge > 0] = colour_of(distance)
