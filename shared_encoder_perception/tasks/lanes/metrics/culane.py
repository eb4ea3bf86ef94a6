# SPDX-License-Identifier: Apache-2.0
"""The CULane lane benchmark: F1 of lines drawn 30 px wide, as its public evaluator counts.

The rules, with everything in them that surprises, so that numbers compare with published ones:

- A line is a list of points. Three or more are joined by a natural cubic spline over chord length,
  50 steps from point to point; two by a straight line. The curve passes every point, so noise in
  dense points makes it swing: write one every 10 to 20 rows.
- Every line is drawn 30 px wide on the canvas of the benchmark's images. Two lines are as similar
  as the IoU of what was drawn; what lies outside the canvas is not there.
- Lines are paired one to one for the greatest sum of similarities, with a tolerance of 0.01. Pairs
  above an IoU of 0.5 (strictly) are true positives, every other line is a false one.
- A line of fewer than two points, or with one point twice in succession (the spline is not defined
  there), is similar to nothing, but counts.
- Counts are summed over images. The benchmark's categories are metrics of their own; their total is
  the merged metric. In category "cross", which has no labelled lines, only ``fp`` means something.

The tool's own defaults (10 px, IoU 0.4, 1920 x 1080) are not the benchmark's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared_encoder_perception.structures import Size

CANVAS: Final[Size] = (590, 1640)
LINE_WIDTH_PX: Final = 30
MATCH_IOU: Final = 0.5
SPLINE_STEPS: Final = 50
TIGHT: Final = 1e-2
"""The evaluator's assignment takes a pair whose dual slack is below this for optimal."""


class CulaneMetric:
    """True and false lines, pooled over images."""

    def __init__(
        self,
        canvas: Size = CANVAS,
        line_width_px: int = LINE_WIDTH_PX,
        match_iou: float = MATCH_IOU,
    ) -> None:
        """Start empty; other values than the defaults are not the benchmark's.

        Args:
            canvas: ``(height, width)`` of the images that points are in.
            line_width_px: Of drawn lines.
            match_iou: Pairs above this are true positives.

        Raises:
            ValueError: A width below 1.
        """
        if line_width_px < 1:
            raise ValueError(f"line_width_px is {line_width_px}, expected 1 or more")
        self._options = (canvas, line_width_px, match_iou)
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._true = self._false = self._missed = 0

    def update(self, predicted: Sequence[ArrayLike], truth: Sequence[ArrayLike]) -> None:
        """Add one image.

        Args:
            predicted: Lines, each (N, 2) points ``(x, y)`` in pixels of the canvas.
            truth: Labelled lines, likewise.

        Raises:
            ValueError: A line is not (N, 2), or holds NaN or infinity.
        """
        canvas, width, threshold = self._options
        said = [draw_line(line, canvas, width) for line in predicted]
        labels = [draw_line(line, canvas, width) for line in truth]
        similarity = np.array([[_iou(label, line) for line in said] for label in labels])
        similarity = similarity.reshape(len(labels), len(said))
        pairs = assign(similarity)
        true = sum(bool(similarity[pair] > threshold) for pair in pairs)
        self._true += true
        self._false += len(said) - true
        self._missed += len(labels) - true

    def merge(self, other: CulaneMetric) -> None:
        """Add the counts of another metric of the same options.

        Raises:
            ValueError: The options differ.
        """
        if self._options != other._options:
            raise ValueError(f"cannot add counts of {other._options} to those of {self._options}")
        self._true += other._true
        self._false += other._false
        self._missed += other._missed

    def compute(self) -> dict[str, float]:
        """Return ``tp``, ``fp``, ``fn``, ``precision``, ``recall`` and ``f1``.

        A rate is NaN where there is nothing to divide by; the evaluator prints -1 for precision and
        recall, and NaN for an ``f1`` without a true line, which is 0 here.
        """
        true, said, labelled = self._true, self._true + self._false, self._true + self._missed
        return {
            "tp": float(true),
            "fp": float(self._false),
            "fn": float(self._missed),
            "precision": _ratio(true, said),
            "recall": _ratio(true, labelled),
            "f1": _ratio(2 * true, said + labelled),
        }


def line_iou(
    one: ArrayLike, other: ArrayLike, canvas: Size = CANVAS, line_width_px: int = LINE_WIDTH_PX
) -> float:
    """Return the IoU of two lines as drawn, 0 to 1; NaN where neither meets the canvas.

    Where it is known whose line is whose, as between a head and its label, this alone is a score:
    it falls smoothly as a line gets too short or too long.

    Args:
        one: (N, 2) points ``(x, y)`` in pixels of the canvas.
        other: Likewise.
        canvas: ``(height, width)``.
        line_width_px: Of drawn lines.
    """
    drawn = (draw_line(line, canvas, line_width_px) for line in (one, other))
    return _iou(*drawn)


def draw_line(line: ArrayLike, canvas: Size, line_width_px: int) -> NDArray[np.uint8] | None:
    """Draw a line as the evaluator does.

    Args:
        line: (N, 2) points ``(x, y)`` in pixels.
        canvas: ``(height, width)``.
        line_width_px: Of the drawn line.

    Returns:
        (height, width) uint8 of 0 and 1; ``None`` for a line that cannot be drawn: fewer than two
        points, or three and more with the same point twice in succession.

    Raises:
        ValueError: The line is not (N, 2), or holds NaN or infinity.
    """
    points = np.asarray(line, np.float32)
    if not points.size:
        return None
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"line has shape {points.shape}, expected (N, 2)")
    if not np.isfinite(points).all():
        raise ValueError("line holds NaN or infinity, expected pixels")
    if len(points) < 2 or (len(points) > 2 and not np.diff(points, axis=0).any(axis=1).all()):
        return None
    curve = points if len(points) == 2 else spline(points)
    # No margin around the canvas: OpenCV cuts wide lines at the edge in its own way, and the
    # evaluator has it so. Where long straight lines leave the canvas, its versions differ.
    drawn = np.zeros(canvas, np.uint8)
    cv2.polylines(drawn, [np.rint(curve).astype(np.int32)], False, 1, line_width_px)
    return drawn


def spline(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Join points by a natural cubic spline over chord length.

    Args:
        points: (N >= 3, 2), no two in succession the same.

    Returns:
        (50 (N - 1) + 1, 2) points of the curve.
    """
    points = np.asarray(points, np.float32)
    step = np.diff(points, axis=0).astype(np.float64)
    chord = np.hypot(*step.T)
    slope = step / chord[:, np.newaxis]
    bend = np.zeros((len(points), 2))  # second derivatives, none at the ends
    bend[1:-1] = _solve_tridiagonal(chord, 6 * np.diff(slope, axis=0))
    near, far, length = bend[:-1], bend[1:], chord[:, np.newaxis]
    along = (np.arange(SPLINE_STEPS) / SPLINE_STEPS * length)[..., np.newaxis]
    start = slope - length * (2 * near + far) / 6
    cubic = (far - near) / (6 * length)
    # Horner, one row of steps for each pair of points.
    inner = near[:, np.newaxis] / 2 + along * cubic[:, np.newaxis]
    curve = points[:-1, np.newaxis] + along * (start[:, np.newaxis] + along * inner)
    return np.vstack((curve.reshape(-1, 2), points[-1:])).astype(np.float32)


def assign(similarity: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Pair rows with columns, one to one, for the greatest sum; Kuhn and Munkres.

    Args:
        similarity: (M, N), NaN where a pair cannot be compared.

    Returns:
        Pairs ``(row, column)``: as many as the shorter side has, unless NaN leaves no way; within
        the evaluator's tolerance of ``TIGHT`` of the best ones.
    """
    if similarity.shape[0] > similarity.shape[1]:
        return [(row, column) for column, row in assign(similarity.T)]
    rows, columns = similarity.shape
    row_dual = np.where(np.isnan(similarity), -1e5, similarity).max(axis=1, initial=-1e5)
    column_dual = np.zeros(columns)
    owner = [-1] * columns

    def augment(row: int, seen: tuple[set[int], set[int]]) -> bool:
        """Find ``row`` a column, moving others on; a search by depth along tight pairs."""
        seen[0].add(row)
        for column in range(columns):
            slack = row_dual[row] + column_dual[column] - similarity[row, column]
            if column not in seen[1] and abs(slack) < TIGHT:
                seen[1].add(column)
                if owner[column] < 0 or augment(owner[column], seen):
                    owner[column] = row
                    return True
        return False

    for row in range(rows):
        seen: tuple[set[int], set[int]] = (set(), set())
        while not augment(row, seen):
            inside = sorted(seen[0])
            outside = [column for column in range(columns) if column not in seen[1]]
            slack = row_dual[inside, np.newaxis] + column_dual[outside]
            slack = slack - similarity[np.ix_(inside, outside)]
            if np.isnan(slack).all():  # the evaluator gives up here, on the rows that follow too
                return _pairs(owner)
            step = np.nanmin(slack)
            row_dual[inside] -= step
            column_dual[sorted(seen[1])] += step
            seen = (set(), set())
    return _pairs(owner)


def _pairs(owner: list[int]) -> list[tuple[int, int]]:
    """List who owns which column."""
    return [(row, column) for column, row in enumerate(owner) if row >= 0]


def _solve_tridiagonal(
    chord: NDArray[np.float64], right: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Solve the spline's equations for the (N - 2, 2) inner second derivatives."""
    upper, solved = np.zeros(len(right)), np.zeros_like(right)
    for index in range(len(right)):
        before = chord[index] * upper[index - 1] if index else 0.0
        carried = chord[index] * solved[index - 1] if index else 0.0
        pivot = 2 * (chord[index] + chord[index + 1]) - before
        upper[index] = chord[index + 1] / pivot
        solved[index] = (right[index] - carried) / pivot
    for index in range(len(right) - 2, -1, -1):
        solved[index] -= upper[index] * solved[index + 1]
    return solved


def _iou(one: NDArray[np.uint8] | None, other: NDArray[np.uint8] | None) -> float:
    """Compare what was drawn; 0 with a line that cannot be drawn."""
    if one is None or other is None:
        return 0.0
    both = cv2.countNonZero(one & other)
    return _ratio(both, cv2.countNonZero(one) + cv2.countNonZero(other) - both)


def _ratio(part: float, whole: float) -> float:
    """Divide; NaN for nothing of nothing."""
    return part / whole if whole else float("nan")
