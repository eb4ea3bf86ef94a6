# SPDX-License-Identifier: Apache-2.0
"""The ground from above, put together of what several cameras see of it; no network is asked.

Every cell shows what the pictures have where a level plane would be: what stands on it falls over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.rig import Rig, RigCamera

SAMPLES: Final = 3
"""Points of a cell along each side; odd, so that one is its centre."""
AT_ONCE: Final = 300_000
"""Points of the ground that are looked at together, for the memory."""
LEVELS: Final = 6
"""A picture and its halves: points that are far apart in it are read of a small one."""
MOST_GAIN: Final = 4.0
"""Exposures of two cameras differ by less; a black picture matches nothing."""


class Mosaic(NamedTuple):
    """What cameras see of the ground.

    Attributes:
        picture: (Y, X, 3) uint8 BGR; black where no camera sees it.
        views: (Y, X) uint8, how many cameras see a cell.
        disagreement: (Y, X) float32, by how many grey levels its two best views differ, exposures
            matched; NaN where fewer than two see it.
    """

    picture: NDArray[np.uint8]
    views: NDArray[np.uint8]
    disagreement: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class GroundView:
    """What one camera sees of the ground.

    Attributes:
        name: Of the camera.
        colour: (Y, X, 3) float32 BGR, 0 to 255; 0 where it does not see it.
        inset: (Y, X) float32, how far from the rim of its picture, as a share of the picture's
            shorter side; NaN where it does not see it.
    """

    name: str
    colour: NDArray[np.float32]
    inset: NDArray[np.float32]

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(Y, X), which cells it sees the centre of."""
        return ~np.isnan(self.inset)

    @property
    def grey(self) -> NDArray[np.float32]:
        """(Y, X) float32 grey levels."""
        return np.asarray(cv2.cvtColor(self.colour, cv2.COLOR_BGR2GRAY))


class Overlap(NamedTuple):
    """How two cameras agree on the ground that both see.

    Attributes:
        names, cells: Of the two; how many both see.
        disagreement: Mean absolute difference there, grey levels, exposures matched.
        gain: How much brighter the first one's pictures are.
        correlation: Of their grey levels, -1 to 1: 0 for different places; NaN for a single grey.
        contrast: Standard deviation by mean, of the one that has less of it.
        levels: The same of the standard deviation alone, grey levels.
    """

    names: tuple[str, str]
    cells: int
    disagreement: float
    gain: float
    correlation: float
    contrast: float
    levels: float


def ground_mosaic(
    images: Mapping[str, NDArray[np.uint8]],
    rig: Rig,
    grid: BevGrid,
    height_m: float = 0.0,
    *,
    blend: bool = False,
    samples: int = SAMPLES,
) -> Mosaic:
    """Put the pictures of a rig on the ground.

    Args:
        images: By the camera's name, (H, W, 3) uint8 BGR; cameras without one are left out.
        rig: The cameras.
        grid: The cells.
        height_m: Of the plane above the vehicle's ground.
        blend: Whether a cell is the mean of its views, nearer to a rim with less weight; otherwise
            it is that of the best one, the furthest from the rim of its picture.
        samples: See ``ground_view``.
    """
    views = ground_views(images, rig, grid, height_m, samples=samples)
    return mosaic_of(views, grid, blend=blend)


def ground_views(
    images: Mapping[str, NDArray[np.uint8]],
    rig: Rig,
    grid: BevGrid,
    height_m: float = 0.0,
    *,
    samples: int = SAMPLES,
) -> list[GroundView]:
    """Return what each camera of a rig that has a picture sees of the ground, in its order."""
    return [
        ground_view(camera, images[camera.name], grid, height_m, samples=samples)
        for camera in rig.cameras
        if camera.name in images
    ]


def ground_view(
    camera: RigCamera,
    image: NDArray[np.uint8],
    grid: BevGrid,
    height_m: float = 0.0,
    *,
    samples: int = SAMPLES,
) -> GroundView:
    """Return what a camera sees of the ground.

    A cell is the mean of ``samples`` x ``samples`` points of it, each read between the pixels of
    the picture, or of its half, quarter and so on, whichever has about one pixel for each point
    (ground far away is a little rough along).

    Args:
        camera: The camera.
        image: (H, W, 3) uint8 BGR, its picture.
        grid: The cells.
        height_m: Of the plane above the vehicle's ground.
        samples: Points of a cell along each side; an odd number.
    """
    rows, columns = grid.shape
    colour = np.zeros((rows, columns, 3), np.float32)
    inset = np.full((rows, columns), np.nan, np.float32)
    levels = _levels(image)
    step = max(AT_ONCE // (columns * samples**2), 1)
    for first in range(0, rows, step):
        block = slice(first, min(first + step, rows))
        places = _places(camera, grid, block, height_m, samples)
        colour[block], inset[block] = _read(levels, places, samples)
    return GroundView(camera.name, colour, inset)


def mosaic_of(views: Sequence[GroundView], grid: BevGrid, *, blend: bool = False) -> Mosaic:
    """Put together what cameras see; see ``ground_mosaic``."""
    if not views:
        nothing = np.full(grid.shape, np.nan, np.float32)
        black = np.zeros((*grid.shape, 3), np.uint8)
        return Mosaic(black, np.zeros(grid.shape, np.uint8), nothing)
    insets = np.stack([view.inset for view in views])
    seen = ~np.isnan(insets)
    # Stable: of two that are as far from their rims, the rig's first.
    order = np.argsort(np.where(seen, -insets, np.inf), axis=0, kind="stable")
    colours = np.stack([view.colour for view in views])
    if blend:
        weights = np.where(seen, np.maximum(insets, 1e-6), 0.0)[..., None]
        total = np.maximum(weights.sum(axis=0), 1e-9)
        picture = (colours * weights).sum(axis=0) / total
    else:
        picture = np.take_along_axis(colours, order[:1, ..., None], axis=0)[0]
    counts = seen.sum(axis=0).astype(np.uint8)
    disagreement = _disagreement(views, order, counts)
    return Mosaic(np.rint(picture).astype(np.uint8), counts, disagreement)


def overlaps(views: Sequence[GroundView], fewest: int = 1) -> list[Overlap]:
    """Return how each two cameras agree, of those that share at least ``fewest`` cells."""
    found = []
    for first, second in combinations(views, 2):
        both = first.seen & second.seen
        if int(both.sum()) >= max(fewest, 1):
            found.append(_overlap((first.name, second.name), first.grey[both], second.grey[both]))
    return found


def _overlap(names: tuple[str, str], first: NDArray, second: NDArray) -> Overlap:
    """Compare the grey levels of what two cameras see, (N,) each."""
    gain = _gain(first, second)
    apart = float(_apart(first, second, gain).mean())
    spread = np.array((first.std(), second.std()), np.float64)
    contrast = float((spread / np.maximum((first.mean(), second.mean()), 1e-6)).min())
    together = float(((first - first.mean()) * (second - second.mean())).mean())
    correlation = together / float(spread.prod()) if spread.min() > 0 else float("nan")
    levels = float(spread.min())
    return Overlap(names, len(first), apart, gain, correlation, contrast, levels)


def _disagreement(
    views: Sequence[GroundView], order: NDArray[np.intp], counts: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Compare the two best views of each cell; one gain for each two cameras."""
    apart = np.full(counts.shape, np.nan, np.float32)
    greys = [view.grey for view in views]
    for a, b in combinations(range(len(views)), 2):
        both = views[a].seen & views[b].seen
        if not both.any():
            continue
        gain = _gain(greys[a][both], greys[b][both])
        best = both & (np.minimum(order[0], order[1]) == a) & (np.maximum(order[0], order[1]) == b)
        apart[best] = _apart(greys[a][best], greys[b][best], gain)
    return apart


def _gain(first: NDArray, second: NDArray) -> float:
    """Return how much brighter the first of two is; of means, so that noise does not count."""
    a, b = float(first.mean()), float(second.mean())
    return float(np.clip(a / b, 1 / MOST_GAIN, MOST_GAIN)) if min(a, b) > 0 else 1.0


def _apart(first: NDArray, second: NDArray, gain: float) -> NDArray:
    """Return how far apart grey levels are when both are brought half-way to each other."""
    return np.asarray(np.abs(first / np.sqrt(gain) - second * np.sqrt(gain)))


def _levels(image: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Return a picture, its half, a quarter and so on; odd rows and columns are left out."""
    found = [image]
    while len(found) < LEVELS and min(found[-1].shape[:2]) >= 4:
        rows, columns = (side // 2 for side in found[-1].shape[:2])
        even = found[-1][: rows * 2, : columns * 2]
        small = cv2.resize(even, (columns, rows), interpolation=cv2.INTER_AREA)
        found.append(np.asarray(small, np.uint8))
    return found


def _places(
    camera: RigCamera, grid: BevGrid, rows: slice, height_m: float, samples: int
) -> NDArray[np.float64]:
    """Return where the points of some rows of cells are seen, (rows * s, X * s, 2) px, or NaN."""
    count = rows.stop - rows.start
    y, x = (
        (np.arange(start * samples, stop * samples) + 0.5) / samples - 0.5
        for start, stop in ((rows.start, rows.stop), (0, grid.cells_x))
    )
    points = grid.points(np.stack(np.meshgrid(x, y), axis=-1)).reshape(-1, 2)
    seen = camera.see(np.c_[points, np.full(len(points), height_m)])
    return seen.reshape(count * samples, grid.cells_x * samples, 2)


def _read(
    levels: Sequence[NDArray[np.uint8]], places: NDArray[np.float64], samples: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Read a picture at the points of cells; return colours and insets of the cells."""
    height, width = levels[0].shape[:2]
    shape = places.shape[0] // samples, samples, places.shape[1] // samples, samples
    seen = ~np.isnan(places[..., 0])
    level = _level(places, len(levels))
    values = np.zeros((*places.shape[:2], 3), np.float32)
    for number, small in enumerate(levels):
        here = seen & (level == number)
        if not here.any():
            continue
        at = ((places[here] + 0.5) / 2**number - 0.5).astype(np.float32)
        # remap's tables have at most 2^15 rows: one long row would be too wide for it.
        table = np.zeros((-(-len(at) // 1024) * 1024, 2), np.float32)
        table[: len(at)] = at
        rim = cv2.BORDER_REPLICATE
        found = cv2.remap(small, table.reshape(-1, 1024, 2), None, cv2.INTER_LINEAR, borderMode=rim)
        values[here] = found.reshape(-1, 3)[: len(at)]
    count = seen.reshape(shape).sum(axis=(1, 3))
    total = values.reshape(*shape, 3).sum(axis=(1, 3))
    middle = np.s_[samples // 2 :: samples, samples // 2 :: samples]
    centres = places[middle]
    rims = np.concatenate([centres + 0.5, (width - 0.5, height - 0.5) - centres], axis=-1)
    inset = (rims.min(axis=-1) / min(height, width)).astype(np.float32)
    colour = total / np.maximum(count, 1)[..., None]
    return np.where(np.isnan(inset)[..., None], 0.0, colour).astype(np.float32), inset


def _level(places: NDArray[np.float64], levels: int) -> NDArray[np.int8]:
    """Say of which of the smaller pictures points are read: by the area that each stands for."""
    if min(places.shape[:2]) < 2:
        return np.zeros(places.shape[:2], np.int8)
    along, across = np.gradient(places, axis=0), np.gradient(places, axis=1)
    area = np.abs(along[..., 0] * across[..., 1] - along[..., 1] * across[..., 0])
    with np.errstate(divide="ignore"):
        level = np.floor(0.5 * np.log2(np.nan_to_num(area, nan=1.0)) + 0.5)
    return np.asarray(np.clip(level, 0, levels - 1), np.int8)
