"""What the decoder learns from samples after training: where lanes start, and when to believe."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.evaluation.metrics import MATCH_ACCURACY, rows_within_tolerance
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.spec import ModelSpec, StartPrior
from shared_encoder_perception.structures import LANE_NAMES, LaneId
from shared_encoder_perception.training.sample import Sample

MIN_STARTS: Final = 20
"""Fewer observations of a lane's start are no statistics."""
MIN_SIGMA: Final = 3.0
"""Cells: a prior narrower than this would claim more than a few hundred samples can show."""
MIN_PRECISION: Final = 0.5
"""Of the lines that a threshold lets pass."""
CANDIDATES: Final = np.round(np.linspace(0.02, 0.9, 89), 3)


def learn_start_priors(spec: ModelSpec, samples: Iterable[Sample]) -> tuple[StartPrior, ...]:
    """Measure where each lane starts.

    Args:
        spec: Gives the stride; the samples have its input size.
        samples: Labelled images; each lane must show in at least ``MIN_STARTS``.

    Raises:
        ValueError: A lane shows too seldom.
    """
    starts: dict[LaneId, list[NDArray[np.float32]]] = {lane: [] for lane in LaneId}
    for sample in samples:
        for lane, points in sample.lanes.items():
            if points is not None:
                starts[lane].append(points[0] / spec.stride)
    priors = []
    for lane in LaneId:
        if len(starts[lane]) < MIN_STARTS:
            raise ValueError(
                f"only {len(starts[lane])} samples show {lane.label}, expected at least "
                f"{MIN_STARTS}: use more samples"
            )
        points = np.array(starts[lane])
        median = np.median(points, axis=0)
        spread = np.maximum(1.4826 * np.median(np.abs(points - median), axis=0), MIN_SIGMA)
        priors.append(StartPrior(*(round(float(value), 2) for value in (*median, *spread))))
    return tuple(priors)


def fit_lane_thresholds(predictor: Predictor, samples: Iterable[Sample]) -> tuple[float, ...]:
    """Choose each lane's acceptance threshold by its detection F1 on ``samples``.

    A line counts as found when at least ``MATCH_ACCURACY`` of its labelled rows are right.
    """
    lenient = replace(predictor.options, lane_thresholds=(0.0,) * len(LANE_NAMES))
    kept, predictor.options = predictor.options, lenient
    confidence: list[list[float]] = [[] for _ in LaneId]
    found: list[list[bool]] = [[] for _ in LaneId]
    labelled = np.zeros(len(LaneId), np.int64)
    for sample in samples:
        perception = predictor(sample.image)
        for lane, truth in sample.lanes.items():
            line = perception.lane(lane)
            labelled[lane] += truth is not None
            right = truth is not None and bool(
                rows_within_tolerance(line, truth, sample.image.shape[1]).mean() >= MATCH_ACCURACY
            )
            confidence[lane].append(line.confidence if line.detected else -1.0)
            found[lane].append(right)
    predictor.options = kept
    return tuple(
        _best_threshold(np.array(confidence[lane]), np.array(found[lane]), int(labelled[lane]))
        for lane in LaneId
    )


def _best_threshold(
    confidence: NDArray[np.float64], found: NDArray[np.bool_], labelled: int
) -> float:
    """Return the candidate with the best F1 among those whose lines are mostly right.

    The highest of equals, so that noise stays out. Where none is mostly right the highest of all:
    a lane that is not there misleads a vehicle more than one that was missed.
    """
    accepted = confidence[None, :] >= CANDIDATES[:, None]
    true_positives = (accepted & found).sum(axis=1)
    count = accepted.sum(axis=1)
    f1 = 2 * true_positives / np.maximum(count + labelled, 1)
    f1[true_positives < MIN_PRECISION * count] = -1.0
    return float(CANDIDATES[len(f1) - 1 - int(np.argmax(f1[::-1]))])
