# SPDX-License-Identifier: Apache-2.0
"""What lines to believe: learned from what an uncalibrated network says about labelled frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES, LaneId, Lanes
from shared_encoder_perception.tasks.lanes.decode import Decoder, Options
from shared_encoder_perception.tasks.lanes.isotonic import fit_lane_calibration
from shared_encoder_perception.tasks.lanes.labels import Label, inside
from shared_encoder_perception.tasks.lanes.metrics.confidence import line_is_right
from shared_encoder_perception.tasks.lanes.spec import Block

KEYPOINT_THRESHOLDS: Final = (0.1, 0.15, 0.2, 0.3, 0.4)
"""Tried when the decoder is calibrated."""
MIN_PRECISION: Final = 0.5
"""Of the lines that a threshold lets pass."""
MIN_REAL_EVENTS: Final = 20
"""Lines on real frames that show their lane; from there on real frames weigh as much as worlds."""
CANDIDATES: Final = np.round(np.linspace(0.02, 0.9, 89), 3)


def uncalibrated(block: Block) -> Block:
    """Return the block with raw scores as confidence."""
    return replace(block, lane_calibration=(), confidence_calibrated=False)


@dataclass(frozen=True, eq=False)
class Said:
    """What one way of decoding said about N labelled frames, with lane thresholds at 0.

    Attributes:
        real: (N,) bool, whether a frame is a photograph, not a rendered world.
        labelled: (N, lanes) bool, whether the lane is known to be there or not to be.
        present: (N, lanes) bool, whether it is there.
        score: (N, lanes) raw score of its line, 0 to 1; -1 where there is no line.
        right: (N, lanes) bool, whether it is there and the line right.
    """

    real: NDArray[np.bool_]
    labelled: NDArray[np.bool_]
    present: NDArray[np.bool_]
    score: NDArray[np.float64]
    right: NDArray[np.bool_]

    @property
    def line(self) -> NDArray[np.bool_]:
        """(N, lanes), whether there is a line of a labelled lane."""
        return self.labelled & (self.score >= 0.0)


class Events:
    """What an uncalibrated model said about labelled frames, in several ways of decoding."""

    def __init__(
        self, block: Block, input_size: Size, thresholds: Sequence[float] = KEYPOINT_THRESHOLDS
    ) -> None:
        """Start empty.

        Args:
            block: Uncalibrated.
            input_size: ``(height, width)`` of the network's input.
            thresholds: For keypoints: ways to decode what the network answers.
        """
        self._block, self._decode = block, Decoder(block, input_size)
        self._options = [Options(value, (0.0,) * len(LANE_NAMES)) for value in thresholds]
        self._rows: list[list[NDArray[np.float64]]] = [[] for _ in thresholds]
        self._real: list[bool] = []

    def update(
        self,
        source: str,
        real: bool,
        outputs: Mapping[str, NDArray],
        transform: ImageTransform,
        label: Label,
    ) -> None:
        """Add a frame; see ``contract.training.Events``."""
        seen, width = inside(label, transform.crop), transform.image_size[1]
        self._real.append(real)
        for options, rows in zip(self._options, self._rows, strict=True):
            rows.append(_judge(self._decode(outputs, transform, options), seen, width))

    def said(self) -> dict[float, Said]:
        """Return what came of each keypoint threshold."""
        found = {}
        for options, rows in zip(self._options, self._rows, strict=True):
            table = np.array(rows).reshape(-1, 4, len(LaneId))
            labelled, present, right = (table[:, column] > 0.0 for column in (0, 1, 3))
            found[options.keypoint_threshold] = Said(
                np.array(self._real, np.bool_), labelled, present, table[:, 2], right
            )
        return found

    def fit(self) -> Block:
        """Return the block with calibration and thresholds; see ``fitted``."""
        return fitted(self._block, self.said())

    def lines(self, block: Block) -> list[str]:
        """Say what confidence was learned from."""
        said = self.said()[block.keypoint_threshold]
        real = said.real[:, None]
        columns = (
            (said.line & real).sum(axis=0),
            (said.line & ~real).sum(axis=0),
            said.right.sum(axis=0),
            block.lane_thresholds,
        )
        lines = [
            f"{name:<18}{on_real:>5} lines on real frames,{on_worlds:>5} on worlds, "
            f"{right:>5} right; accepted from {threshold:.2f}"
            for name, on_real, on_worlds, right, threshold in zip(
                block.lane_names, *columns, strict=True
            )
        ]
        return [*lines, f"keypoints from {block.keypoint_threshold}"]


def _judge(lanes: Lanes, label: Label, image_width: int) -> NDArray[np.float64]:
    """Return (4, lanes) of one frame: ``labelled``, ``present``, ``score`` and ``right``."""
    row = np.zeros((4, len(LaneId)))
    row[2] = -1.0
    for lane, truth in label.lines.items():
        line = lanes[lane]
        row[0, lane], row[1, lane] = True, truth is not None
        if line.detected:
            row[2:, lane] = line.confidence, line_is_right(line, truth, image_width)
    return row


def fitted(block: Block, said: Mapping[float, Said]) -> Block:
    """Return the block with the calibration that frames teach.

    Lane thresholds are those of the best F1 on the calibrated scale. Of several keypoint thresholds
    the one is kept whose best F1, mean over the lanes, is highest.

    Args:
        block: Of the uncalibrated model.
        said: By keypoint threshold.
    """
    each = [_fitted(block, threshold, found) for threshold, found in said.items()]
    return max(each, key=lambda one: one[1])[0]


def _fitted(block: Block, keypoint_threshold: float, said: Said) -> tuple[Block, float]:
    """Fit one way of decoding; return it with the mean over the lanes of its best F1."""
    maps, thresholds, scores = [], [], []
    for lane in LaneId:
        labelled, score = said.labelled[:, lane], said.score[:, lane]
        right, present, line = said.right[:, lane], said.present[:, lane], said.line[:, lane]
        weight = event_weights(said, lane)
        maps.append(fit_lane_calibration(score[line], right[line], weight[line]))
        probability = np.interp(score, maps[-1].score, maps[-1].probability)
        threshold, f1 = best_threshold(
            np.where(line, probability, -1.0)[labelled],
            right[labelled],
            float(weight[present].sum()),
            weight[labelled],
        )
        thresholds.append(threshold)
        scores.append(f1)
    calibrated = replace(
        block,
        keypoint_threshold=keypoint_threshold,
        lane_calibration=tuple(maps),
        lane_thresholds=tuple(thresholds),
        confidence_calibrated=True,
    )
    return calibrated, float(np.mean(scores))


def event_weights(said: Said, lane: LaneId) -> NDArray[np.float64]:
    """Return (N,) what each frame counts for one lane.

    Real frames weigh as much as the worlds in total where ``MIN_REAL_EVENTS`` of them show the lane
    and have a line: that many are statistics, and a vehicle drives on real roads. Otherwise every
    frame counts the same.
    """
    real, line = said.real, said.line[:, lane]
    counts = int((line & real).sum()), int((line & ~real).sum())
    if (line & real & said.present[:, lane]).sum() < MIN_REAL_EVENTS or 0 in counts:
        return np.ones(len(real))
    share = sum(counts) / 2.0
    return np.where(real, share / counts[0], share / counts[1])


def best_threshold(
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
