# SPDX-License-Identifier: Apache-2.0
"""The TuSimple lane benchmark: accuracy, FP and FN, to the last bit of its public evaluator.

The rules, with everything in them that surprises, so that numbers compare with published ones:

- A line is a list of columns, one at each of the label's rows; a negative column means "not there".
- A row is right if both columns lie within ``20 px / cos(theta)`` of one another (strictly), where
  ``theta`` is the slope of the straight line fitted to the label. Columns that are not there count
  as -100: two of them agree, so a line without any point is right in every row that the label
  leaves empty.
- A labelled line's accuracy is its best over *all* predictions: nothing is assigned one to one. One
  prediction may find two labels, and the rate of false positives is then negative.
- From 0.85 on the line is found. Of more than four labelled lines the worst is let off.
- More than two lines too many, or more than 200 ms: accuracy 0, FP 0, FN 1.
- Scores are means over images, whatever their number of lines.

A label without any point is a line like another: filter such lines before scoring on training
files, which hold many.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared_encoder_perception.tasks.lanes.answer import LaneLine
from shared_encoder_perception.tasks.lanes.metrics.rows import MATCH_ACCURACY, ROW_TOLERANCE_PX

NOT_THERE: Final = -2.0
"""How the label files write a row without a point."""
MISSING: Final = -100.0
"""What the evaluator compares in place of every negative column."""
MAX_RUN_TIME_MS: Final = 200.0
MAX_EXTRA_LINES: Final = 2
COUNTED_LINES: Final = 4
"""Labelled lines that the denominators count at most."""


class ImageScore(NamedTuple):
    """What one image scores.

    Attributes:
        accuracy: 0 to 1, the higher the better.
        fp: Share of predicted lines that found no label; negative where one found two.
        fn: Share of labelled lines that were not found.
    """

    accuracy: float
    fp: float
    fn: float


class TusimpleMetric:
    """Means of the benchmark's scores over images, in the order in which they came."""

    def __init__(self) -> None:
        """Start empty."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        # Kept one by one: sums of floats depend on their order, and merging must not change them.
        self._scores: list[ImageScore] = []

    def update(
        self,
        predicted: Sequence[ArrayLike],
        truth: Sequence[ArrayLike],
        h_samples: ArrayLike,
        run_time_ms: float = 0.0,
    ) -> None:
        """Add one image; arguments and errors as of ``score_image``."""
        self._scores.append(score_image(predicted, truth, h_samples, run_time_ms))

    def merge(self, other: TusimpleMetric) -> None:
        """Append the images of another metric."""
        self._scores += other._scores

    def compute(self) -> dict[str, float]:
        """Return ``accuracy``, ``fp``, ``fn``, ``f1`` and ``images``.

        ``f1`` is what papers print: of the mean rates, ``P = 1 - fp`` and ``R = 1 - fn``. All are
        NaN without images.
        """
        return _means(self._scores, len(self._scores))


def score_image(
    predicted: Sequence[ArrayLike],
    truth: Sequence[ArrayLike],
    h_samples: ArrayLike,
    run_time_ms: float = 0.0,
) -> ImageScore:
    """Score one image.

    Args:
        predicted: Lines, each (N,) columns in pixels at ``h_samples``, negative where not there.
        truth: Labelled lines, likewise.
        h_samples: (N,) rows in pixels.
        run_time_ms: What the prediction took.

    Raises:
        ValueError: A line has not one column per row, or there are no rows.
    """
    rows = np.asarray(h_samples, np.float64)
    said = [_columns(line, rows, "predicted") for line in predicted]
    labels = [_columns(line, rows, "labelled") for line in truth]
    if run_time_ms > MAX_RUN_TIME_MS or len(said) > len(labels) + MAX_EXTRA_LINES:
        return ImageScore(0.0, 0.0, 1.0)
    best = [
        max((line_accuracy(line, label, rows) for line in said), default=0.0) for label in labels
    ]
    found = sum(accuracy >= MATCH_ACCURACY for accuracy in best)
    missed, total = len(labels) - found, 0.0
    for accuracy in best:  # one after the other, as the evaluator adds them
        total += accuracy
    if len(labels) > COUNTED_LINES:
        missed = max(missed - 1, 0)
        total -= min(best)
    counted = max(min(len(labels), COUNTED_LINES), 1)
    return ImageScore(
        accuracy=total / counted,
        fp=(len(said) - found) / len(said) if said else 0.0,
        fn=missed / counted,
    )


def line_accuracy(predicted: ArrayLike, truth: ArrayLike, h_samples: ArrayLike) -> float:
    """Return the share of all rows, empty ones included, in which two lines agree.

    Args:
        predicted: (N,) columns in pixels, negative where not there.
        truth: (N,) labelled columns, likewise; their slope sets the tolerance.
        h_samples: (N,) rows in pixels.

    Raises:
        ValueError: A line has not one column per row.
    """
    rows = np.asarray(h_samples, np.float64)
    said, label = _columns(predicted, rows, "predicted"), _columns(truth, rows, "labelled")
    there = label >= 0
    theta = np.arctan(_slope(rows[there], label[there]))
    distance = np.abs(np.where(said >= 0, said, MISSING) - np.where(there, label, MISSING))
    return float((distance < ROW_TOLERANCE_PX / np.cos(theta)).sum() / len(rows))


def line_at_rows(line: LaneLine, h_samples: ArrayLike) -> NDArray[np.float64]:
    """Write a line as the benchmark does.

    Args:
        line: Points in pixels of the benchmark's images, 1280 x 720.
        h_samples: (N,) rows in pixels.

    Returns:
        (N,) columns in pixels, -2 at rows that the line does not reach.
    """
    rows = np.asarray(h_samples, np.float64)
    if not line.detected:
        return np.full(len(rows), NOT_THERE)
    far_to_near = line.points_px[::-1].astype(np.float64)
    x, y = far_to_near.T
    columns = np.interp(rows, y, x, left=NOT_THERE, right=NOT_THERE)
    return np.asarray(columns, np.float64)


def score_submission(
    predictions: Iterable[Mapping[str, Any]], labels: Iterable[Mapping[str, Any]]
) -> dict[str, float]:
    """Score a whole submission, as the evaluator reads it from two files of JSON lines.

    Args:
        predictions: Each with ``raw_file``, ``lanes`` and ``run_time`` (ms), one for each label.
        labels: Each with ``raw_file``, ``lanes`` and ``h_samples``.

    Returns:
        As ``TusimpleMetric.compute``; ``images`` are the different ``raw_file`` of the labels, by
        which the evaluator divides.

    Raises:
        ValueError: Predictions are missing, incomplete, of unknown images, or of the wrong length.
    """
    said, known = list(predictions), list(labels)
    if len(said) != len(known):
        raise ValueError(f"{len(said)} predictions for {len(known)} labels, expected one for each")
    truths = {label["raw_file"]: label for label in known}
    scores = []
    for number, prediction in enumerate(said):
        missing = {"raw_file", "lanes", "run_time"} - prediction.keys()
        if missing:
            raise ValueError(f"prediction {number} lacks {', '.join(sorted(missing))}")
        name = prediction["raw_file"]
        if name not in truths:
            raise ValueError(f"prediction {number} is of {name}, which no label is of")
        truth = truths[name]
        run_time = float(prediction["run_time"])
        try:
            score = score_image(prediction["lanes"], truth["lanes"], truth["h_samples"], run_time)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        scores.append(score)
    return _means(scores, len(truths))


def _columns(line: ArrayLike, rows: NDArray[np.float64], what: str) -> NDArray[np.float64]:
    """Return the line as an array, if it fits the rows."""
    columns = np.asarray(line, np.float64)
    if rows.ndim != 1 or not len(rows):
        raise ValueError(f"h_samples have shape {rows.shape}, expected (N >= 1,) rows")
    if columns.shape != rows.shape:
        raise ValueError(
            f"{what} line has shape {columns.shape}, expected a column for each of the "
            f"h_samples, {rows.shape}"
        )
    return columns


def _slope(rows: NDArray[np.float64], columns: NDArray[np.float64]) -> float:
    """Return columns per row of the fitted straight line; 0 for less than two points.

    The evaluator's regression takes the means off and solves by singular values; the same steps
    here give the same last bit, which decides where a distance equals the tolerance.
    """
    if len(rows) < 2:
        return 0.0
    centred = (rows - np.average(rows))[:, np.newaxis]
    return float(np.linalg.lstsq(centred, columns - np.average(columns), rcond=None)[0][0])


def _means(scores: Sequence[ImageScore], images: int) -> dict[str, float]:
    """Divide the sums by the number of images."""
    nan = float("nan")
    if not images:
        return {"accuracy": nan, "fp": nan, "fn": nan, "f1": nan, "images": 0.0}
    total = [0.0, 0.0, 0.0]
    for score in scores:
        total = [before + value for before, value in zip(total, score, strict=True)]
    accuracy, fp, fn = (value / images for value in total)
    both = (1 - fp) + (1 - fn)
    f1 = 2 * (1 - fp) * (1 - fn) / both if both > 0 else 0.0
    return {"accuracy": accuracy, "fp": fp, "fn": fn, "f1": f1, "images": float(images)}
