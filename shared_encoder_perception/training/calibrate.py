"""What the decoder learns from samples after training: where lanes start, and what to believe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.backends import Backend
from shared_encoder_perception.compat import flat, options_of
from shared_encoder_perception.evaluation.calibration import line_is_right, mask_histogram
from shared_encoder_perception.evaluation.evaluate import SYNTHETIC, Frame
from shared_encoder_perception.evaluation.scorer import lanes_inside
from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.predictor import Decoder
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.drivable.calibrate_mask import (
    fit_mask_calibration,
    fit_mask_threshold,
)
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES, LaneId
from shared_encoder_perception.tasks.lanes.isotonic import fit_lane_calibration
from shared_encoder_perception.tasks.lanes.spec import StartPrior

MIN_STARTS: Final = 20
"""Fewer observations of a lane's start are no statistics."""
MIN_SIGMA: Final = 3.0
"""Cells: a prior narrower than this would claim more than a few hundred samples can show."""
MIN_PRECISION: Final = 0.5
"""Of the lines that a threshold lets pass."""
MIN_REAL_EVENTS: Final = 20
"""Lines on real frames that show their lane; from there on real frames weigh as much as worlds."""
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


@dataclass(frozen=True, eq=False)
class Events:
    """What an uncalibrated model said about labelled frames, with thresholds at 0.

    Attributes:
        source: (N,) name of each frame's source.
        labelled: (N, lanes) bool, whether the lane is known to be there or not to be.
        present: (N, lanes) bool, whether it is there.
        score: (N, lanes) raw score of its line, 0 to 1; -1 where there is no line.
        right: (N, lanes) bool, whether it is there and the line right.
        masks: Of each source that has masks, ``mask_histogram`` of all of them.
    """

    source: NDArray[np.str_]
    labelled: NDArray[np.bool_]
    present: NDArray[np.bool_]
    score: NDArray[np.float64]
    right: NDArray[np.bool_]
    masks: Mapping[str, NDArray[np.int64]]


def collect_events(
    backend: Backend, frames: Iterable[Frame], keypoint_thresholds: Sequence[float]
) -> dict[float, Events]:
    """Run a model over labelled frames once, for all that is fitted.

    Args:
        backend: A model without calibration.
        frames: Held out of training; ``synthetic`` is the source of worlds.
        keypoint_thresholds: Ways to decode what it answers.

    Returns:
        What came of each threshold.

    Raises:
        ValueError: The model is calibrated already.
    """
    spec = backend.spec
    if spec.lane_calibration or (spec.mask_temperature, spec.mask_bias) != (1.0, 0.0):
        raise ValueError(
            f"the model {spec.name} is calibrated already, expected raw scores: "
            "give it `uncalibrated` of its spec first"
        )
    decoder = Decoder(spec)
    options = [
        options_of(threshold, (0.0,) * len(LANE_NAMES), spec.mask_threshold)
        for threshold in keypoint_thresholds
    ]
    sources: list[str] = []
    rows: list[list[NDArray[np.float64]]] = [[] for _ in options]
    masks: dict[str, NDArray[np.int64]] = {}
    for source, sample, crop in frames:
        size = (sample.image.shape[0], sample.image.shape[1])
        transform = ImageTransform.fit(size, spec.input_size, crop)
        network_input = transform.image_to_input(sample.image)
        outputs = {
            name: array[0] for name, array in backend.infer(network_input[np.newaxis]).items()
        }
        used, lanes = transform.crop, lanes_inside(sample.lanes, transform.crop)
        sources.append(source)
        for option, judged in zip(options, rows, strict=True):
            perception = decoder(outputs, transform, option)
            judged.append(_judge(perception, lanes))
        if sample.mask is not None and perception.mask is not None:
            part = np.s_[used.y : used.y + used.height, used.x : used.x + used.width]
            counts = mask_histogram(perception.mask.probability[part], sample.mask[part])
            masks[source] = masks.get(source, 0) + counts
    found = {}
    for threshold, judged in zip(keypoint_thresholds, rows, strict=True):
        table = np.array(judged).reshape(-1, 4, len(LaneId))
        labelled, present, right = (table[:, column] > 0.0 for column in (0, 1, 3))
        found[threshold] = Events(
            np.array(sources, np.str_), labelled, present, table[:, 2], right, masks
        )
    return found


def _judge(perception: Perception, lanes: Mapping[LaneId, NDArray | None]) -> NDArray[np.float64]:
    """Return (4, lanes) of one frame: ``labelled``, ``present``, ``score`` and ``right``."""
    row = np.zeros((4, len(LaneId)))
    row[2] = -1.0
    for lane, truth in lanes.items():
        line = perception.lane(lane)
        row[0, lane], row[1, lane] = True, truth is not None
        if line.detected:
            right = line_is_right(line, truth, perception.image_size[1])
            row[2:, lane] = line.confidence, right
    return row


def uncalibrated(spec: ModelSpec) -> ModelSpec:
    """Return ``spec`` without calibration and scores; thresholds stay until they are fitted."""
    raw = ModelSpec(spec.name, spec.version)
    return flat(
        spec,
        lane_calibration=raw.lane_calibration,
        confidence_calibrated=raw.confidence_calibrated,
        mask_temperature=raw.mask_temperature,
        mask_bias=raw.mask_bias,
        scores=raw.scores,
    )


def calibrated(spec: ModelSpec, events: Mapping[float, Events]) -> ModelSpec:
    """Return ``spec`` with the calibration of lanes and mask that ``events`` teach.

    Lane thresholds are those of the best F1 on the calibrated scale. Of several keypoint thresholds
    the one is kept whose best F1, mean over the lanes, is highest.

    Args:
        spec: Of the uncalibrated model.
        events: By keypoint threshold, as ``collect_events`` returns them.
    """
    fitted = [_calibrated(spec, threshold, found) for threshold, found in events.items()]
    return max(fitted, key=lambda one: one[1])[0]


def _calibrated(
    spec: ModelSpec, keypoint_threshold: float, events: Events
) -> tuple[ModelSpec, float]:
    """Fit one way of decoding; return it with the mean over the lanes of its best F1."""
    maps, thresholds, scores = [], [], []
    for lane in LaneId:
        labelled, score = events.labelled[:, lane], events.score[:, lane]
        right, present = events.right[:, lane], events.present[:, lane]
        weight = event_weights(events, lane)
        line = labelled & (score >= 0.0)
        maps.append(fit_lane_calibration(score[line], right[line], weight[line]))
        probability = np.interp(score, maps[-1].score, maps[-1].probability)
        threshold, f1 = _best_threshold(
            np.where(line, probability, -1.0)[labelled],
            right[labelled],
            float(weight[present].sum()),
            weight[labelled],
        )
        thresholds.append(threshold)
        scores.append(f1)
    temperature, bias = fit_mask_calibration(events.masks)
    fitted = flat(
        spec,
        keypoint_threshold=keypoint_threshold,
        lane_calibration=tuple(maps),
        lane_thresholds=tuple(thresholds),
        mask_temperature=temperature,
        mask_bias=bias,
        mask_threshold=fit_mask_threshold(events.masks, temperature, bias),
        confidence_calibrated=True,
    )
    return fitted, float(np.mean(scores))


def event_weights(events: Events, lane: LaneId) -> NDArray[np.float64]:
    """Return (N,) what each frame counts for one lane.

    Real frames weigh as much as the worlds in total where ``MIN_REAL_EVENTS`` of them show the lane
    and have a line: that many are statistics, and a vehicle drives on real roads. Otherwise every
    frame counts the same.
    """
    real = events.source != SYNTHETIC
    line = events.labelled[:, lane] & (events.score[:, lane] >= 0.0)
    counts = int((line & real).sum()), int((line & ~real).sum())
    if (line & real & events.present[:, lane]).sum() < MIN_REAL_EVENTS or 0 in counts:
        return np.ones(len(real))
    share = sum(counts) / 2.0
    return np.where(real, share / counts[0], share / counts[1])


def _best_threshold(
    confidence: NDArray[np.float64],
    found: NDArray[np.bool_],
    labelled: float,
    weight: NDArray[np.float64] | None = None,
) -> tuple[float, float]:
    """Return the candidate with the best F1 among those whose lines are mostly right, and that F1.

    The highest of equals, so that noise stays out. Where none is mostly right the highest of all:
    a lane that is not there misleads a vehicle more than one that was missed. Mostly right means by
    count and by calibrated confidence: a few lucky lines do not make a reliable head.

    Args:
        confidence: (N,) calibrated, of each labelled frame's line; -1 where there is none.
        found: (N,) whether the lane is there and the line right.
        labelled: Weight of the frames that show the lane.
        weight: (N,) of the frames; 1 each by default.
    """
    weight = np.ones(len(confidence)) if weight is None else weight
    accepted = confidence[None, :] >= CANDIDATES[:, None]
    true_positives, count = (accepted & found) @ weight, accepted @ weight
    expected = accepted @ (weight * confidence)
    f1 = 2 * true_positives / np.maximum(count + labelled, 1)
    f1[np.minimum(true_positives, expected) < MIN_PRECISION * count] = -1.0
    best = len(f1) - 1 - int(np.argmax(f1[::-1]))
    return float(CANDIDATES[best]), max(float(f1[best]), 0.0)
