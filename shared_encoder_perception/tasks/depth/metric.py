# SPDX-License-Identifier: Apache-2.0
"""How right depth is: what training validates by, and what ``evaluate`` adds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.scores import FrameScores, Scores
from shared_encoder_perception.tasks.depth.answer import METRIC, DepthMap
from shared_encoder_perception.tasks.depth.errors import NAMES, aligned, of_image, scaled
from shared_encoder_perception.tasks.depth.height import at_height
from shared_encoder_perception.tasks.depth.label import OWNER_NAMES, UNKNOWN, Label

SECTION: Final = "depth"
SCORE: Final = ("depth_delta1",)
COLUMNS: Final = ("depth_absrel", "depth_delta1", "depth_shape_absrel", "depth_answered")
EDGES_M: Final = (0.0, 10.0, 25.0, 50.0, 100.0, math.inf)
"""Of the bins of distance."""
BINS: Final = tuple(
    f"{low:g}-{high:g} m" if math.isfinite(high) else f"{low:g} m and more"
    for low, high in pairwise(EDGES_M)
)
OWNERS: Final = OWNER_NAMES[1:]
FLAT_BELOW: Final = 150.0
"""Depth up to which a flat road is compared: beyond, a hair of pitch decides."""
KEPT: Final = ("pixels", "absrel", "delta1")
"""Sums kept of bins and owners."""
ABSREL, DELTA1 = NAMES.index("absrel"), NAMES.index("delta1")


class Metric:
    """Errors of depth inside the crop, where it is labelled and said.

    Numbers of images are averaged, so that images count alike; bins and owners are of pixels.
    "Beyond all range" counts as the farthest depth that the model can say.

    Attributes:
        images: Images with something to be scored.
        sums: (8,) sums over images, of ``errors.NAMES``.
        shape: (8,) likewise, each image scaled (and shifted, where the model knows no metres).
        placed: (8,) likewise, each image scaled by how high its label says that the camera is.
        of_height: Images of ``placed``.
        within_placed: As ``within``, of those.
        within: Pixels whose error is at most one standard deviation, and those with one.
        answered: Labelled pixels that are said, and all of them.
        sky: Pixels beyond all range that are said to be, and all of them.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.images = 0
        self.sums, self.shape = np.zeros(len(NAMES)), np.zeros(len(NAMES))
        self.placed, self.of_height, self.within_placed = np.zeros(len(NAMES)), 0, np.zeros(2)
        self.within, self.answered, self.sky = np.zeros(2), np.zeros(2), np.zeros(2)

    def update(self, answer: DepthMap, label: Label, image_size: Size, crop: Crop) -> None:
        """Add one image; see ``contract.scores.Metric``."""
        if label.kind != METRIC:
            return
        answer = informed(answer, label)
        window = answer.seen(crop).window
        truth, said = label.depth[window], answer.depth[window]
        finite, told = np.isfinite(truth), ~np.isnan(said)
        far = np.isposinf(truth)
        self.sky += ((np.isposinf(said) & far).sum(), far.sum())
        self.answered += ((finite & told).sum(), finite.sum())
        counted = finite & told
        if not counted.any():
            return
        y = truth[counted]
        p = np.minimum(said[counted], np.float32(answer.beyond))
        self.images += 1
        if answer.in_metres:
            numbers = of_image(p, y)
            self.shape += of_image(scaled(p, y), y)
        else:
            p = aligned(p, y)
            numbers = np.full(len(NAMES), np.nan)
            self.shape += of_image(p, y)
        self.sums += numbers
        self.within += within_sigma(answer, p, y, window, counted)
        if answer.in_metres and not math.isnan(label.height_m):
            self._place(answer, label.height_m, y, window, counted)
        self._more(p, y, label, window, counted)

    def _place(
        self, answer: DepthMap, height_m: float, truth: NDArray, window: Any, at: NDArray
    ) -> None:
        """Count the answer as the camera's height scales it."""
        placed = at_height(answer, height_m)
        said = np.minimum(placed.depth[window][at], np.float32(placed.beyond))
        self.of_height += 1
        self.placed += of_image(said, truth)
        self.within_placed += within_sigma(placed, said, truth, window, at)

    def _more(self, said: NDArray, truth: NDArray, label: Label, window: Any, at: NDArray) -> None:
        """Do nothing more: for ``FullMetric``."""

    def merge(self, other: Metric) -> None:
        """Add everything another one has counted."""
        for name, counts in vars(other).items():
            if name in vars(self):
                setattr(self, name, getattr(self, name) + counts)

    def compute(self) -> Scores:
        """Return ``{"depth": {...}}``: ``errors.NAMES``, unscaled, ``shape``, ``known_height``."""
        unscaled, shape, placed = (
            {name: ratio(value, images) for name, value in zip(NAMES, sums, strict=True)}
            for sums, images in (
                (self.sums, self.images),
                (self.shape, self.images),
                (self.placed, self.of_height),
            )
        )
        return {
            SECTION: {
                "images": self.images,
                **unscaled,
                "shape": shape,
                "known_height": {
                    "images": self.of_height,
                    **placed,
                    "within_sigma": ratio(*self.within_placed),
                },
                "answered": ratio(*self.answered),
                "within_sigma": ratio(*self.within),
                "beyond": ratio(*self.sky),
            }
        }


class FullMetric(Metric):
    """Errors by distance and by what the pixel is of; and those of a flat road beside.

    Attributes:
        bins: (5, 3) of pixels in ``BINS``: ``KEPT``.
        owners: (4, 3) of ``OWNERS``.
        flat: (5, 3) of owners, and of all pixels: what a flat road seen from the camera's pose
            says.
        beside: (5, 3) what the model says of the same pixels.
    """

    def __init__(self) -> None:
        """Start empty."""
        super().__init__()
        self.bins, self.owners = np.zeros((len(BINS), 3)), np.zeros((len(OWNERS), 3))
        self.flat, self.beside = np.zeros((len(OWNERS) + 1, 3)), np.zeros((len(OWNERS) + 1, 3))

    def _place(
        self, answer: DepthMap, height_m: float, truth: NDArray, window: Any, at: NDArray
    ) -> None:
        """Do nothing: the metric beside it has looked for the road, which takes time."""

    def _more(self, said: NDArray, truth: NDArray, label: Label, window: Any, at: NDArray) -> None:
        """Count by distance, owner, and the flat road."""
        self.bins += grouped(said, truth, np.digitize(truth, EDGES_M[1:-1]), len(BINS))
        owners = None if label.owners is None else label.owners[window][at].astype(int)
        if owners is not None:
            self.owners += grouped(said, truth, owners - 1, len(OWNERS))
        if label.flat is None:
            return
        flat = label.flat()[window][at]
        near = flat < FLAT_BELOW
        of = np.full(len(truth), UNKNOWN) if owners is None else owners
        for sums, depth in ((self.flat, flat), (self.beside, said)):
            one = grouped(depth[near], truth[near], of[near] - 1, len(OWNERS))
            every = grouped(depth[near], truth[near], np.zeros(near.sum(), int), 1)
            sums += np.concatenate((one, every))

    def compute(self) -> Scores:
        """Return ``{"depth_bins", "depth_owners", "depth_flat"}``: tables of pixels."""
        names = (*OWNERS, "all")
        flat = {
            name: {"flat": _row(one)["absrel"], "model": _row(two)["absrel"], "pixels": one[0]}
            for name, one, two in zip(names, self.flat, self.beside, strict=True)
        }
        return {
            "depth_bins": dict(zip(BINS, map(_row, self.bins), strict=True)),
            "depth_owners": dict(zip(OWNERS, map(_row, self.owners), strict=True)),
            "depth_flat": flat,
        }


def informed(answer: DepthMap, label: Label) -> DepthMap:
    """Return the answer in metres, by the label's focal length where nobody told it one."""
    if answer.kind != METRIC or answer.in_metres or math.isnan(label.focal_px):
        return answer
    return answer.through(label.focal_px)


def within_sigma(
    answer: DepthMap, said: NDArray, truth: NDArray, window: Any, at: NDArray
) -> NDArray[np.float64]:
    """Return how many pixels are off by at most their deviation, and how many have one.

    Args:
        answer: With deviations, or without.
        said: (N,) depths of the pixels ``at`` of its ``window``.
        truth: (N,) likewise.
        window: Of the picture.
        at: (h, w) bool.
    """
    if answer.sigma is None or not answer.in_metres:
        return np.zeros(2)
    sigma = answer.sigma[window][at]
    stated = np.isfinite(sigma)
    right = np.abs(np.log(said[stated] / truth[stated])) <= sigma[stated]
    return np.array((right.sum(), stated.sum()), np.float64)


def grouped(said: NDArray, truth: NDArray, group: NDArray, count: int) -> NDArray[np.float64]:
    """Return (count, 3) sums of ``KEPT`` for each group; others, such as -1, are left out."""
    inside = (group >= 0) & (group < count)
    share = np.abs(said - truth) / truth
    right = np.maximum(said / truth, truth / said) < 1.25
    columns = (np.ones(len(truth)), share, right)
    return np.stack([np.bincount(group[inside], c[inside], count) for c in columns], axis=1)


def ratio(value: float, count: float) -> float:
    """Return the quotient, NaN of nothing."""
    return float(value / count) if count else math.nan


def _row(sums: NDArray[np.float64]) -> dict[str, float]:
    """Return AbsRel and delta 1 of pixels."""
    pixels, absrel, right = sums
    return {"pixels": pixels, "absrel": ratio(absrel, pixels), "delta1": ratio(right, pixels)}


def headline(by_source: Mapping[str, Metric]) -> dict[str, float]:
    """Return ``depth_delta1``: the mean over sources, since they measure differently."""
    return {"depth_delta1": _over_sources(by_source, "delta1")}


def shipped_scores(scores: Scores) -> dict[str, float]:
    """Return AbsRel and delta 1."""
    return {f"depth_{name}": scores[SECTION][name] for name in ("absrel", "delta1")}


def full_headline(by_source: Mapping[str, FullMetric]) -> dict[str, float]:
    """Return ``depth_absrel``, likewise."""
    return {"depth_absrel": _over_sources(by_source, "absrel")}


def _over_sources(by_source: Mapping[str, Metric], name: str) -> float:
    """Return the mean of a number over the sources that have it."""
    place = NAMES.index(name)
    each = [ratio(one.sums[place], one.images) for one in by_source.values()]
    known = [value for value in each if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def record(answer: DepthMap, full: FullMetric) -> FrameScores:
    """Return what one image scored; its faults are the mean relative error."""
    numbers = full.sums / full.images if full.images else np.full(len(NAMES), np.nan)
    shape = full.shape / full.images if full.images else np.full(len(NAMES), np.nan)
    absrel, delta1 = float(numbers[ABSREL]), float(numbers[DELTA1])
    scored = not math.isnan(absrel)
    cells = dict(
        zip(COLUMNS, (absrel, delta1, float(shape[ABSREL]), ratio(*full.answered)), strict=True)
    )
    words = (f"depth: off by {absrel:.1%}, {delta1:.1%} within 25 %",) if scored else ()
    shares = {"depth_delta1": delta1}
    return FrameScores(cells, absrel if scored else 0.0, scored, words, shares)
