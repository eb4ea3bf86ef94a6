# SPDX-License-Identifier: Apache-2.0
"""Things cut out of other pictures, put into a picture of a place: as bright, as sharp as that.

A thing may throw a soft shadow on the ground, which is not part of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size

SEEN: Final = 128
"""Alpha from which on a pixel is the thing's."""
HEIGHTS: Final = (0.15, 0.6)
"""Range of a thing's height, as a share of the picture's; what is too wide for it is made lower."""
HIGHEST_FOOT: Final = 0.45
"""Highest row at which a thing stands, as a share of the picture's height."""
BELOW: Final = 0.25
"""Most of a thing's height that is cut off by the picture's lower border."""
MATCH: Final = (0.2, 0.8)
"""Range of how far a thing's brightness is brought to that of its place: 1 is all the way."""
OF_TINT: Final = 0.3
"""How much of that holds for its colour, too."""
OWN_LIGHT: Final = 0.12
"""Standard deviation of the logarithm of a thing's own brightness."""
GAINS: Final = (0.4, 2.5)
"""Bounds of the factor that comes of it."""
BLURS_PX: Final = (0.0, 0.5, 0.8, 1.2, 1.8, 2.6)
"""Gaussian sigmas of which the first is taken that makes a thing no sharper than its place."""
MARGIN_PX: Final = 8
"""Around a thing: as far as the widest blur reaches."""
LEAST_DETAIL: Final = 0.5
"""Of a picture whose sharpness shows, grey levels: fog and snow do not tell."""
SHADOWS: Final = 0.6
"""Chance of a shadow."""


@dataclass(frozen=True, eq=False)
class Cutout:
    """A thing without what was around it.

    Attributes:
        colour: (H, W, 3) uint8 BGR; of no meaning where nothing is seen.
        alpha: (H, W) uint8, 255 where the thing hides all that is behind it, 0 where nothing.
    """

    colour: NDArray[np.uint8]
    alpha: NDArray[np.uint8]


class Shadow(NamedTuple):
    """A shadow on the ground.

    Attributes:
        strength: By how much it darkens, as a share.
        length: Of the thing's height; negative towards the camera.
        slant: Columns to the right for each row of the thing's height.
        softness: Gaussian sigma, as a share of the thing's height.
    """

    strength: float
    length: float
    slant: float
    softness: float


class Placement(NamedTuple):
    """Where a thing stands, and how it looks there.

    Attributes:
        size: ``(height, width)`` in pixels of the picture.
        left_px: Its first column, which may lie outside of the picture.
        top_px: Its first row, likewise.
        mirrored: Whether it is seen mirrored.
        match: How far its brightness is brought to that of its place.
        light: Factor of its own brightness.
        shadow: ``None`` for none.
    """

    size: Size
    left_px: int
    top_px: int
    mirrored: bool = False
    match: float = 0.0
    light: float = 1.0
    shadow: Shadow | None = None


class Pasted(NamedTuple):
    """A picture with a thing in it.

    Attributes:
        scene: (H, W, 3) uint8 BGR.
        seen: (H, W) bool, where the thing is.
    """

    scene: NDArray[np.uint8]
    seen: NDArray[np.bool_]


def roll_placement(rng: Generator, picture: Size, thing: Size, mirrored: bool) -> Placement:
    """Throw the dice for where a thing stands.

    Args:
        rng: Decides all of it.
        picture: ``(height, width)`` of the picture.
        thing: ``(height, width)`` of the cut-out.
        mirrored: Whether it is seen mirrored.
    """
    rows, columns = picture
    tallest = columns * thing[0] / thing[1]
    height = min(rng.uniform(*HEIGHTS) * rows, tallest)
    foot = rng.uniform(max(HIGHEST_FOOT * rows, height), rows + BELOW * height)
    width = height * thing[1] / thing[0]
    left = rng.uniform(0, columns) - width / 2
    light = float(np.exp(rng.normal(0, OWN_LIGHT)))
    match, side = float(rng.uniform(*MATCH)), rng.choice((-1.0, 1.0))
    shadow = Shadow(
        float(rng.uniform(0.25, 0.65)),
        float(side * rng.uniform(0.08, 0.4)),
        float(rng.uniform(-0.6, 0.6)),
        float(rng.uniform(0.01, 0.05)),
    )
    return Placement(
        (max(round(height), 2), max(round(width), 2)),
        round(left),
        round(foot - height),
        mirrored,
        match,
        light,
        shadow if rng.random() < SHADOWS else None,
    )


def paste(place: NDArray[np.uint8], thing: Cutout, placement: Placement) -> Pasted:
    """Put a thing into a picture.

    Args:
        place: (H, W, 3) uint8 BGR, of which a copy is made.
        thing: What is put there.
        placement: Where, and how.
    """
    scene = place.copy()
    seen = np.zeros(place.shape[:2], np.bool_)
    here, part = _overlap(placement, (place.shape[0], place.shape[1]))
    if not seen[here].size:
        return Pasted(scene, seen)
    colour, alpha = _resized(thing, placement)
    if placement.shadow is not None:
        _cast(scene, alpha[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX], placement, placement.shadow)
    colour *= _gain(colour, alpha, place[here], placement)
    colour, alpha = _as_sharp(colour, alpha, place[here[0]])
    shown = scene[here] * (1 - alpha[part][:, :, None]) + colour[part]
    scene[here] = (shown + 0.5).clip(0, 255).astype(np.uint8)
    seen[here] = alpha[part] * 255 >= SEEN - 0.5
    return Pasted(scene, seen)


def _overlap(
    placement: Placement, picture: Size
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the part of a picture in which a thing lies, and that of the thing that lies in it.

    The margin around the thing counts.
    """
    here, part = [], []
    starts = (placement.top_px - MARGIN_PX, placement.left_px - MARGIN_PX)
    for start, length, whole in zip(starts, placement.size, picture, strict=True):
        first, last = max(start, 0), min(start + length + 2 * MARGIN_PX, whole)
        here.append(slice(first, max(last, first)))
        part.append(slice(first - start, max(last, first) - start))
    return (here[0], here[1]), (part[0], part[1])


def _resized(thing: Cutout, placement: Placement) -> tuple[NDArray, NDArray]:
    """Return a thing as large as it is seen, with a margin that its blurred outline can enter.

    Returns:
        (h, w, 3) float32 colours, multiplied by alpha: what is around the thing leaves no seam; and
        (h, w) float32 alpha, 0 to 1.
    """
    alpha = thing.alpha.astype(np.float32) / 255
    colour = thing.colour * alpha[:, :, None]
    size = placement.size[::-1]
    way = cv2.INTER_AREA if placement.size[0] < alpha.shape[0] else cv2.INTER_LINEAR
    found = []
    for plane in (colour, alpha):
        resized = cv2.resize(plane, size, interpolation=way)
        if placement.mirrored:
            resized = resized[:, ::-1]
        found.append(cv2.copyMakeBorder(resized, *(MARGIN_PX,) * 4, cv2.BORDER_CONSTANT, value=0))
    return found[0], found[1]


def _gain(
    colour: NDArray, alpha: NDArray, around: NDArray[np.uint8], placement: Placement
) -> NDArray[np.float32]:
    """Return the factor (3,) that lights a thing as its place is lit."""
    own = colour.sum((0, 1)) / max(float(alpha.sum()), 1e-6)
    there = around.mean((0, 1))
    ratio = np.log((there + 8) / (own + 8))
    grey = ratio.mean()
    gain = placement.light * np.exp(placement.match * (grey + OF_TINT * (ratio - grey)))
    return gain.clip(*GAINS).astype(np.float32)


def _as_sharp(
    colour: NDArray, alpha: NDArray, around: NDArray[np.uint8]
) -> tuple[NDArray, NDArray]:
    """Blur a thing that is sharper than what is around it, its outline too."""
    wanted = _fineness(around.mean(2, dtype=np.float32))
    blurred = colour, alpha
    for sigma in BLURS_PX:
        if sigma:
            blurred = (
                cv2.GaussianBlur(colour, (0, 0), sigma),
                cv2.GaussianBlur(alpha, (0, 0), sigma),
            )
        if not _fineness(blurred[0].mean(2) + 128 * blurred[1]) > wanted:  # its outline counts
            break
    return blurred


def _fineness(grey: NDArray) -> float:
    """Return how much of a picture's detail is as small as a pixel: less where it is blurred.

    A ratio of two scales, so that neither contrast nor brightness matter: one half for a sharp
    edge. NaN where there is no detail to tell by.
    """
    near, far = cv2.GaussianBlur(grey, (0, 0), 0.8), cv2.GaussianBlur(grey, (0, 0), 2.4)
    fine, coarse = (float(np.abs(one).mean()) for one in (grey - near, near - far))
    return fine / coarse if coarse > LEAST_DETAIL else math.nan


def _cast(scene: NDArray[np.uint8], alpha: NDArray, placement: Placement, shadow: Shadow) -> None:
    """Darken the ground where a thing's shadow falls (in place)."""
    height, width = placement.size
    sigma = max(shadow.softness * height, 0.5)
    foot = placement.top_px + height
    # The thing's own pixel (x, y) falls on the ground as far from its foot as it is high.
    reach = height * np.array((min(shadow.slant, 0), max(shadow.slant, 0)))
    first = np.floor(placement.left_px + reach[0] - 3 * sigma)
    last = np.ceil(placement.left_px + width + reach[1] + 3 * sigma)
    rows = sorted((foot, foot - shadow.length * height))
    columns = _within(first, last, scene.shape[1])
    lines = _within(np.floor(rows[0] - 3 * sigma), np.ceil(rows[1] + 3 * sigma), scene.shape[0])
    part = scene[lines, columns]
    if not part.size:
        return
    matrix = np.array(
        [
            [1.0, -shadow.slant, placement.left_px + shadow.slant * height - columns.start],
            [0.0, shadow.length, foot - shadow.length * height - lines.start],
        ]
    )
    fallen = cv2.warpAffine(alpha, matrix, part.shape[1::-1], flags=cv2.INTER_LINEAR)
    fallen = cv2.GaussianBlur(fallen, (0, 0), sigma) * np.float32(shadow.strength)
    part[:] = (part * (1 - fallen[:, :, None]) + 0.5).astype(np.uint8)


def _within(first: float, last: float, length: int) -> slice:
    """Return what of a range lies in a picture."""
    start = int(np.clip(first, 0, length))
    return slice(start, max(int(np.clip(last, 0, length)), start))
