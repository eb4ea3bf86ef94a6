# SPDX-License-Identifier: Apache-2.0
"""How two models differ about depth: counts of an image, scores of their sums."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.comparisons import (
    AGREEMENT,
    HIGHER,
    LOWER,
    DriftTexts,
    Limit,
    SummedScore,
)
from shared_encoder_perception.tasks.depth.answer import DepthMap
from shared_encoder_perception.tasks.depth.metric import ABSREL, DELTA1, FullMetric, Metric
from shared_encoder_perception.tasks.sums import image_columns, image_counts, image_mean, share

SHARES: Final = ("depth_delta1",)
COLUMNS: Final = (
    *("depth_absrel", "depth_delta1_sum", "depth_images", "sigma_right", "sigma_stated"),
    *image_columns(SHARES),
    *("depth_near_each_other", "depth_both"),
)
THINGS: Final = None
TEXTS: Final = DriftTexts(
    whole="depth",
    faults="the mean relative error of depth",
    apart="the share of pixels whose depths are more than 25 % apart",
)
DEPTH: Final = "depth"
THOUSAND: Final = 1000.0
"""Pixels are counted in thousands."""


def answer_counts(answer: DepthMap, crop: Crop) -> dict[str, float]:
    """Count nothing: what is far is not wrong."""
    return {}


def label_counts(metric: Metric, full: FullMetric, shares: Mapping[str, float]) -> dict[str, float]:
    """Take the counts from the metrics of one image."""
    if not metric.images or math.isnan(metric.sums[ABSREL]):
        return {}
    right, stated = (float(value) / THOUSAND for value in metric.within)
    counts = {
        "depth_absrel": float(metric.sums[ABSREL]),
        "depth_delta1_sum": float(metric.sums[DELTA1]),
        "depth_images": float(metric.images),
        "sigma_right": right,
        "sigma_stated": stated,
    }
    return counts | image_counts({name: shares[name] for name in SHARES})


def agreement_counts(one: DepthMap, other: DepthMap, crop: Crop) -> dict[str, float]:
    """Count the pixels to which both give a depth, and those within 25 % of each other."""
    seen = other.seen(one.seen(crop)).window
    first, second = _unit(one)[seen], _unit(other)[seen]
    both = np.isfinite(first) & np.isfinite(second)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = first / second
        near = both & (ratio < 1.25) & (ratio > 0.8)
    return {
        "depth_near_each_other": float(near.sum()) / THOUSAND,
        "depth_both": float(both.sum()) / THOUSAND,
    }


def _unit(answer: DepthMap) -> np.ndarray:
    """Return depth for a focal length of one pixel, which both can be asked for."""
    return answer.depth / np.float32(answer.focal_px) if answer.in_metres else answer.depth


def apart(one: DepthMap, other: DepthMap, image_size: Size, crop: Crop) -> dict[str, float]:
    """Return the share of the pixels whose depths are more than 25 % apart."""
    counts = agreement_counts(one, other, crop)
    both = counts["depth_both"]
    return {DEPTH: 1 - counts["depth_near_each_other"] / both if both else 0.0}


def words(answer: DepthMap) -> tuple[str, ...]:
    """Return nothing: a picture says it."""
    return ()


SCORES: Final = (
    SummedScore(
        "depth_absrel", LOWER, share("depth_absrel", "depth_images"), limit=Limit(0.01), place=0
    ),
    SummedScore(
        "depth_delta1",
        HIGHER,
        share("depth_delta1_sum", "depth_images"),
        limit=Limit(0.01),
        place=0,
        glance=True,
    ),
    SummedScore("depth_within_sigma", HIGHER, share("sigma_right", "sigma_stated"), place=30),
    SummedScore("image/depth_delta1", HIGHER, image_mean("depth_delta1"), place=40),
    SummedScore(
        f"{AGREEMENT}depth",
        HIGHER,
        share("depth_near_each_other", "depth_both"),
        perfect=1.0,
        limit=Limit(0.1),
        place=90,
        glance=True,
    ),
)
