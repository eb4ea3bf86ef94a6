# SPDX-License-Identifier: Apache-2.0
"""Centre lines scored by the rules of the public benchmarks, TuSimple's and CULane's.

Their evaluators see the whole label, as they do not know of a crop. They score lane boundaries,
here they are given the lanes' centre lines: by their rules, but not on their task. Images of
another width than theirs are scaled to it. A lane that is unknown is left out of both sides.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.lanes.answer import Lanes
from shared_encoder_perception.tasks.lanes.metrics import culane
from shared_encoder_perception.tasks.lanes.metrics.culane import CulaneMetric
from shared_encoder_perception.tasks.lanes.metrics.rows import REFERENCE_WIDTH_PX, Lines
from shared_encoder_perception.tasks.lanes.metrics.tusimple import NOT_THERE, TusimpleMetric

TUSIMPLE_SIZE: Final[Size] = (720, 1280)
TUSIMPLE_ROWS: Final = np.arange(160.0, 711.0, 10.0)
ROW_STEP_PX: Final = 10.0
"""Between rows of images of another shape, in pixels of the image scaled to TuSimple's width."""
SPLINE_STEP_PX: Final = 20.0
"""Between the points that CULane's spline goes through, in pixels of its canvas."""


class BenchmarkMetric:
    """Both benchmarks' metrics, of images of any size.

    Attributes:
        tusimple: TuSimple's.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.tusimple = TusimpleMetric()
        # By canvas: images of another shape than the benchmark's have one of their own.
        self._culane: dict[Size, CulaneMetric] = {}

    def update(self, lanes: Lanes, truth: Lines, image_size: Size, crop: Crop) -> None:
        """Add one image.

        Args:
            lanes: What was predicted, in pixels of the labelled image.
            truth: The labels, whole.
            image_size: ``(height, width)``.
            crop: What the network saw.
        """
        labels = [np.asarray(line, np.float64) for line in truth.values() if line is not None]
        lines = (lanes[lane] for lane in truth)
        said = [line.points_px.astype(np.float64) for line in lines if line.detected]
        width = image_size[1]
        if labels:  # the benchmark has no image without a lane, and would call each wrong
            scale = REFERENCE_WIDTH_PX / width
            rows = benchmark_rows(image_size, crop)
            at_rows = [[columns(line * scale, rows) for line in lines] for lines in (said, labels)]
            self.tusimple.update(at_rows[0], at_rows[1], rows)
        if labels or said:
            canvas = culane_canvas(image_size)
            scale = canvas[1] / width
            thin = [[thinned(line * scale) for line in lines] for lines in (said, labels)]
            self._culane.setdefault(canvas, CulaneMetric(canvas)).update(thin[0], thin[1])

    def merge(self, other: BenchmarkMetric) -> None:
        """Add everything another one has counted."""
        self.tusimple.merge(other.tusimple)
        for canvas, metric in other._culane.items():
            self._culane.setdefault(canvas, CulaneMetric(canvas)).merge(metric)

    def compute(self) -> dict[str, dict[str, float]]:
        """Return ``{"tusimple": ..., "culane": ...}``, each as its metric computes them."""
        return {"tusimple": self.tusimple.compute(), "culane": self._culane_scores()}

    def _culane_scores(self) -> dict[str, float]:
        """Pool the counts of all canvases."""
        parts = [metric.compute() for metric in self._culane.values()]
        true, false, missed = (sum(part[key] for part in parts) for key in ("tp", "fp", "fn"))
        return {
            "tp": float(true),
            "fp": float(false),
            "fn": float(missed),
            "precision": _ratio(true, true + false),
            "recall": _ratio(true, true + missed),
            "f1": _ratio(2 * true, 2 * true + false + missed),
        }


def benchmark_rows(image_size: Size, crop: Crop) -> NDArray[np.float64]:
    """Return the rows that TuSimple's rules look at, pixels of the image at 1280 px width.

    In images of its shape they are its 56 rows from 160 to 710; in others every tenth from the top
    of the crop to the bottom of the image.
    """
    scale = REFERENCE_WIDTH_PX / image_size[1]
    height = image_size[0] * scale
    if round(height) == TUSIMPLE_SIZE[0]:
        return TUSIMPLE_ROWS
    first = np.ceil(crop.y * scale / ROW_STEP_PX) * ROW_STEP_PX
    return np.arange(first, height, ROW_STEP_PX)


def culane_canvas(image_size: Size) -> Size:
    """Return the image's ``(height, width)`` when it is scaled to the width of CULane's."""
    width = culane.CANVAS[1]
    return (round(image_size[0] * width / image_size[1]), width)


def columns(line: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Write a line as TuSimple does.

    Args:
        line: (N, 2) points ``(x, y)``, near to far.
        rows: (M,) in the same pixels.

    Returns:
        (M,) columns, -2 at rows that the line does not reach.
    """
    x, y = line[::-1].T
    return np.asarray(np.interp(rows, y, x, left=NOT_THERE, right=NOT_THERE), np.float64)


def thinned(line: NDArray[np.float64]) -> NDArray[np.float64]:
    """Write a line as CULane does: few points, since its spline swings through dense ones.

    Args:
        line: (N, 2) points ``(x, y)``, near to far, in pixels of the canvas.

    Returns:
        (M, 2) points about ``SPLINE_STEP_PX`` rows apart, with the same ends.
    """
    x, y = line[::-1].T
    count = max(round((y[-1] - y[0]) / SPLINE_STEP_PX) + 1, 2)
    rows = np.linspace(y[-1], y[0], count)
    return np.stack((np.interp(rows, y, x), rows), axis=1)


def _ratio(part: float, whole: float) -> float:
    """Divide; NaN for nothing of nothing."""
    return part / whole if whole else float("nan")
