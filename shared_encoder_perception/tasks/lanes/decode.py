# SPDX-License-Identifier: Apache-2.0
"""Raw lane maps -> lanes in source-image pixels (numpy, all five heads at once).

Each head describes one lane, so nothing has to be clustered: the keypoints' votes for the lane's
start reject those that belong elsewhere, and a robust fit of a curve that is straight, bent or
S-shaped *on the road* joins the rest. Steps and constants follow GANet (Wang et al., CVPR 2022)
reduced to one lane per head. All positions in this file are in cells of the lane maps, ``(u, v)`` =
(column, row), unless their name says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.lanes.answer import LaneId, LaneLine, Lanes, LaneStatus
from shared_encoder_perception.tasks.lanes.confidence import lane_probability
from shared_encoder_perception.tasks.lanes.curve import CurveFit, fit_curves, perspective_basis
from shared_encoder_perception.tasks.lanes.keypoints import (
    Keypoints,
    find_keypoints,
    vote_for_start,
)
from shared_encoder_perception.tasks.lanes.runs import longest_run, reach_border
from shared_encoder_perception.tasks.lanes.spec import OUTPUT_LANES, Block

MIN_KEYPOINTS = 6
MIN_ROW_SPAN = 3
TOP_MARGIN, BOTTOM_MARGIN = 0.5, 0.75
"""Cells by which a curve may outrun its keypoints."""
STRAIGHT_TOP_MARGIN = 1.0
"""Likewise, where what outruns them is straight."""
END_CELLS = 1.5
"""Length at an end of the keypoints over which the direction is taken in which a line goes on."""
SAMPLES = 72
"""Points of a line before it is cut to the image."""
_NO_ROW = np.iinfo(np.int64).max
_ALONG = np.linspace(0.0, 1.0, SAMPLES)
SPLITS = tuple(lane for lane in LaneId if lane.is_split)
SAME_PATH_PX = 1.5
"""Network-input pixels by which a split must leave ego somewhere: half of the narrowest lane that
is labelled is more. What does not is ego once more, and no other path."""
BRANCH_OFFSET = 0.25
"""A split has left the ego lane where it is this many lane widths away from its centre."""


@dataclass(frozen=True)
class Options:
    """Thresholds that may change from one image to the next.

    Attributes:
        keypoint_threshold: Lowest heat-map value of a keypoint, 0 to 1.
        lane_thresholds: Per lane, lowest confidence that counts as detected, 0 to 1. Confidence is
            calibrated if the model is.
    """

    keypoint_threshold: float
    lane_thresholds: tuple[float, ...]

    @classmethod
    def of(cls, block: Block) -> Options:
        """Take the thresholds the model was shipped with."""
        return cls(block.keypoint_threshold, block.lane_thresholds)


class Decoder:
    """Decodes the lane maps of models with one spec."""

    def __init__(self, block: Block, input_size: Size) -> None:
        """Precompute what depends on the spec only; ``input_size`` is of no importance here."""
        self._block = block
        priors = [[p.u, p.v, p.sigma_u, p.sigma_v] for p in block.start_priors]
        self._priors = np.array(priors, np.float64).reshape(-1, 4).T[:, :, None]

    def __call__(
        self, outputs: Mapping[str, NDArray], transform: ImageTransform, options: Options
    ) -> Lanes:
        """Decode one image.

        Args:
            outputs: ``lanes`` float32 (5, 5, rows, columns), without the batch axis.
            transform: How the source image became the network input.
            options: Thresholds.
        """
        points = find_keypoints(outputs[OUTPUT_LANES], options.keypoint_threshold)
        if points is None:
            return Lanes.nothing()
        start_v, inlier, spread = vote_for_start(points, self._priors)
        weight = points.weight * inlier
        fit = fit_curves(
            points.u,
            points.v,
            points.row,
            weight,
            self._block.horizon_row_px / self._block.stride,
            SPLITS,
        )
        score = _score(points, inlier, spread, fit)
        probability = lane_probability(score, self._block.lane_calibration)
        top = np.where(inlier, points.v, np.inf).min(axis=1)
        bottom = np.where(inlier, points.v, -np.inf).max(axis=1)
        straight = self._block.holds_to_evidence
        far = top - (STRAIGHT_TOP_MARGIN if straight else TOP_MARGIN)
        near = np.maximum(bottom, start_v) + BOTTOM_MARGIN
        accepted = (score > 0.0) & (probability >= options.lane_thresholds)
        far, near = np.where(accepted, np.maximum(far, 0.0), 0.0), np.where(accepted, near, 1.0)
        evidence = (np.where(accepted, top, 0.0), np.where(accepted, bottom, 1.0))
        input_px, std_px = self._sample(fit, near, far, evidence if straight else None)
        inside = transform.covers(input_px)
        border = _border(transform) if straight else None
        lines: list[LaneLine] = []
        for lane in LaneId:
            kept = longest_run(inside[lane]) if accepted[lane] else slice(0, 0)
            if border is not None:
                kept = reach_border(input_px[lane], kept, *border)
            confidence = float(probability[lane])
            if kept.stop - kept.start < 2:
                lines.append(LaneLine(lane, confidence=confidence))
                continue
            line = LaneLine(
                lane,
                LaneStatus.DETECTED,
                confidence,
                transform.points_to_image(input_px[lane, kept]).astype(np.float32),
                (std_px[lane, kept] / transform.scale[0]).astype(np.float32),
            )
            if straight and lane.is_split and _is_ego(line, lines, SAME_PATH_PX, transform):
                line = LaneLine(lane, confidence=confidence)
            lines.append(_mark_branch(line, lines) if lane.is_split else line)
        return Lanes(tuple(lines))

    def _sample(
        self,
        fit: CurveFit,
        near: NDArray[np.float64],
        far: NDArray[np.float64],
        evidence: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Evaluate all curves from row ``near`` to row ``far``, both (heads,) in cells.

        Args:
            fit: The curves.
            near: Rows in which they begin.
            far: Rows in which they end.
            evidence: Rows of the outermost keypoints, ``(far, near)``, beyond which lines go
                straight on; ``None`` to follow the curve, whatever it does there.

        Returns:
            Points (heads, S, 2), and the standard deviation of x (heads, S), in network-input
            pixels.
        """
        v = near[:, None] + (far - near)[:, None] * _ALONG
        basis = perspective_basis(v, fit.horizon, fit.branch[:, None])
        u = _on_curve(fit, basis) if evidence is None else _straightened(fit, v, *evidence)
        variance = ((basis @ fit.covariance) * basis).sum(axis=-1)
        stride = self._block.stride
        return np.stack((u, v), axis=-1) * stride, np.sqrt(np.maximum(variance, 0.0)) * stride


def _on_curve(fit: CurveFit, basis: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (heads, S) columns of curves, in cells, by (heads, S, 6) of ``perspective_basis``."""
    return np.asarray((basis @ fit.coefficients[:, :, None])[:, :, 0])


def _columns(fit: CurveFit, v: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where curves are in rows ``v`` (heads, S), in cells."""
    return _on_curve(fit, perspective_basis(v, fit.horizon, fit.branch[:, None]))


def _straightened(
    fit: CurveFit, v: NDArray[np.float64], top: NDArray[np.float64], bottom: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return where curves are in rows ``v``, straight beyond the rows ``top`` and ``bottom``.

    Near the horizon the curve's basis has its pole: a cell beyond its keypoints it may be anywhere.
    """
    rows = np.clip(v, top[:, None], bottom[:, None])
    ends = np.stack((top, bottom, top + END_CELLS, bottom - END_CELLS), axis=1)
    at = _columns(fit, ends)
    slopes = (at[:, :2] - at[:, 2:]) / (ends[:, :2] - ends[:, 2:])
    beyond = v - rows
    slope = np.where(beyond < 0, slopes[:, :1], slopes[:, 1:])
    return np.asarray(_columns(fit, rows) + slope * beyond)


def _border(transform: ImageTransform) -> NDArray[np.float64]:
    """Return the crop's outermost pixels, left upper and right lower, in network-input pixels."""
    crop = transform.crop
    corners = ((crop.x, crop.y), (crop.x + crop.width - 1, crop.y + crop.height - 1))
    return transform.points_to_input(np.array(corners))


def _score(
    points: Keypoints, inlier: NDArray[np.bool_], spread: NDArray[np.float64], fit: CurveFit
) -> NDArray[np.float64]:
    """Score each head, (heads,) in [0, 1]; 0 where there is too little to draw a line.

    Product of the mean heat-map value, the share of rows covered, the share of votes won, and
    two terms that fall with the spread of the votes and with the residual of the fit.
    """
    count = inlier.sum(axis=1)
    safe = np.maximum(count, 1)
    mean_score = (points.score * inlier).sum(axis=1) / safe
    far = np.where(inlier, points.row, _NO_ROW).min(axis=1)
    near = np.where(inlier, points.row, -1).max(axis=1)
    span = np.where(count > 0, near - far + 1, 1)
    coverage = np.minimum(fit.distinct_rows / span, 1.0)
    share = (points.weight * inlier).sum(axis=1) / np.maximum(points.weight.sum(axis=1), 1e-9)
    score = mean_score * coverage * share * np.exp(-spread / 4.0 - fit.residual / 1.5)
    enough = (count >= MIN_KEYPOINTS) & (span > MIN_ROW_SPAN) & np.isfinite(score)
    return np.where(enough, np.minimum(np.maximum(score, 0.0), 1.0), 0.0)


def _is_ego(
    line: LaneLine, lines: list[LaneLine], least_px: float, transform: ImageTransform
) -> bool:
    """Whether a split runs where ego does, all along and no further."""
    ego = lines[LaneId.EGO]
    if not ego.detected:
        return False
    x, y = line.points_px[:, 0], line.points_px[:, 1]
    apart = np.abs(x - _x_at(ego, y)) * transform.scale[0]
    further = (ego.points_px[-1, 1] - y[-1]) * transform.scale[1]
    return bool(np.nanmax(apart, initial=0.0) < least_px and further < least_px)


def _mark_branch(line: LaneLine, lines: list[LaneLine]) -> LaneLine:
    """Give a detected split lane the index where it leaves the ego centre line.

    The lane's width is taken from a neighbour lane; without one, -1 (unknown) stays. ``lines``
    holds at least ego and its neighbours.
    """
    ego, *neighbours = lines[: LaneId.RIGHT_EGO + 1]
    neighbours = [neighbour for neighbour in neighbours if neighbour.detected]
    if not (line.detected and ego.detected and neighbours):
        return line
    x, y = line.points_px[:, 0], line.points_px[:, 1]
    ego_x = _x_at(ego, y)
    # fmin, not nanmin: rows that no neighbour reaches stay NaN without a warning.
    width = np.fmin.reduce([np.abs(_x_at(neighbour, y) - ego_x) for neighbour in neighbours])
    left = np.flatnonzero(np.abs(x - ego_x) > BRANCH_OFFSET * width)
    if not len(left):
        return line
    return LaneLine(
        line.lane_id, line.status, line.confidence, line.points_px, line.x_std_px, int(left[0])
    )


def _x_at(line: LaneLine, rows: NDArray) -> NDArray[np.float64]:
    """Interpolate a line's ``x`` at image rows; NaN outside its range."""
    far_to_near = line.points_px[::-1].astype(np.float64)
    return np.interp(rows, far_to_near[:, 1], far_to_near[:, 0], left=np.nan, right=np.nan)
