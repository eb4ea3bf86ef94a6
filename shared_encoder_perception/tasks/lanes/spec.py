# SPDX-License-Identifier: Apache-2.0
"""The lanes' block of a ModelSpec, and the tensor that it promises."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from shared_encoder_perception.spec import LARGEST_PX, Tensor, expect
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES

FINEST: Final = 4
"""Input pixels per cell: the least that lines are drawn in."""
LANE_MAPS: Final = ("hm", "off1x", "off1y", "off2x", "off2y")
"""Maps of each lane head, in order: heat map in [0, 1]; vector from the cell to the lane's start
(its nearest, lowest point); position of the keypoint relative to the cell. All in cells."""

OUTPUT_LANES: Final = "lanes"
"""Output tensor: float32 (N, 5 lanes, 5 maps, H / stride, W / stride)."""

HORIZON: Final = 27 / 320
"""Of the input's height: where the horizon usually stands."""

SMALLEST_SIGMA: Final = 1e-6
"""Cells. Below it, a vote that misses a start by a hair would weigh nothing at all."""

IN_VERSION_1: Final = (
    *("lane_names", "lane_maps", "stride", "keypoint_threshold", "lane_thresholds"),
    *("horizon_row_px", "start_priors", "lane_calibration", "confidence_calibrated"),
)
"""Keys of the block that stood in a spec of version 1."""
ADDED: Final = ("holds_to_evidence",)
"""Keys of the block that specs of version 2 had not from its beginning."""


@dataclass(frozen=True)
class StartPrior:
    """Where a lane's start usually lies, in cells of the lane maps, learned from training data.

    Attributes:
        u: Median column.
        v: Median row.
        sigma_u: Robust standard deviation of the column, above 0.
        sigma_v: Robust standard deviation of the row, above 0.
    """

    u: float
    v: float
    sigma_u: float
    sigma_v: float

    def __post_init__(self) -> None:
        """Refuse what lies nowhere near a picture, and a spread that would divide by zero."""
        for key in ("u", "v"):
            value = getattr(self, key)
            expect(
                abs(value) <= LARGEST_PX,
                f"start_priors' {key}",
                value,
                f"a number from -{LARGEST_PX} to {LARGEST_PX}",
            )
        for key in ("sigma_u", "sigma_v"):
            value = getattr(self, key)
            expect(
                SMALLEST_SIGMA <= value <= LARGEST_PX,
                f"start_priors' {key}",
                value,
                f"a number from {SMALLEST_SIGMA:g} to {LARGEST_PX}",
            )


@dataclass(frozen=True)
class LaneCalibration:
    """How likely a lane line is right, by its raw score: linear between knots, constant beyond.

    Attributes:
        score: Raw scores of the knots, 0 to 1, strictly increasing.
        probability: Share of lines with that score that are there and right, 0 to 1, never
            decreasing; as many as ``score``.
    """

    score: tuple[float, ...]
    probability: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse what is no map from score to probability."""
        expect(
            len(self.score) == len(self.probability) > 0,
            "lane_calibration",
            f"{len(self.score)} scores and {len(self.probability)} probabilities",
            "equally many, at least one",
        )
        for key in ("score", "probability"):
            values = getattr(self, key)
            rises = [b - a for a, b in pairwise(values)]
            expect(
                all(0.0 <= value <= 1.0 for value in values)
                and all(rise > 0.0 if key == "score" else rise >= 0.0 for rise in rises),
                f"lane_calibration's {key}",
                values,
                "increasing numbers from 0 to 1",
            )


@dataclass(frozen=True)
class Block:
    """What a model says of its lanes.

    Attributes:
        lane_names: Lanes in head order.
        lane_maps: Maps of each lane head, in order.
        stride: Input pixels per cell of the lane maps.
        keypoint_threshold: Lowest heat-map value of a keypoint, 0 to 1.
        lane_thresholds: Per lane, lowest confidence (calibrated, if the model is) that counts as
            detected, 0 to 1.
        horizon_row_px: Typical horizon row in input pixels, above the picture if negative; steers
            the curve basis only.
        start_priors: Per lane, where it usually starts; empty to do without.
        lane_calibration: Per lane, what its raw score means; empty when uncalibrated.
        holds_to_evidence: Whether lines go straight on beyond their outermost keypoints, as far as
            the picture's border where they come near it, and a split that never leaves ego is none.
            Lines of models up to 0.5.0 follow the curve, whatever it does there, and end at the
            last of 72 points inside.
        confidence_calibrated: Whether lane confidence is a calibrated probability: that the line is
            there and right, as the lanes' calibration metric counts it. Needs ``lane_calibration``.
    """

    lane_names: tuple[str, ...] = LANE_NAMES
    lane_maps: tuple[str, ...] = LANE_MAPS
    stride: int = 8
    keypoint_threshold: float = 0.3
    lane_thresholds: tuple[float, ...] = (0.4,) * len(LANE_NAMES)
    horizon_row_px: float = 27.0
    start_priors: tuple[StartPrior, ...] = ()
    lane_calibration: tuple[LaneCalibration, ...] = ()
    holds_to_evidence: bool = False
    confidence_calibrated: bool = False

    def __post_init__(self) -> None:
        """Refuse a block that the decoder could not honour."""
        expect(self.lane_names == LANE_NAMES, "lane_names", self.lane_names, LANE_NAMES)
        expect(self.lane_maps == LANE_MAPS, "lane_maps", self.lane_maps, LANE_MAPS)
        expect(self.stride in (FINEST, 8, 16, 32), "stride", self.stride, "4, 8, 16 or 32")
        expect(
            0.0 < self.keypoint_threshold < 1.0,
            "keypoint_threshold",
            self.keypoint_threshold,
            "between 0 and 1",
        )
        expect(
            len(self.lane_thresholds) == len(LANE_NAMES)
            and all(0.0 <= value <= 1.0 for value in self.lane_thresholds),
            "lane_thresholds",
            self.lane_thresholds,
            f"{len(LANE_NAMES)} numbers from 0 to 1",
        )
        expect(
            abs(self.horizon_row_px) <= LARGEST_PX,  # false for NaN, too
            "horizon_row_px",
            self.horizon_row_px,
            f"a row from -{LARGEST_PX} to {LARGEST_PX}",
        )
        for key in ("start_priors", "lane_calibration"):
            count = len(getattr(self, key))
            expect(
                count in (0, len(LANE_NAMES)), key, f"{count} entries", f"none or {len(LANE_NAMES)}"
            )
        expect(
            bool(self.lane_calibration) or not self.confidence_calibrated,
            "confidence_calibrated",
            self.confidence_calibrated,
            "False without a lane_calibration",
        )

    def map_size(self, input_size: Size) -> Size:
        """Return ``(rows, columns)`` of the lane maps."""
        return input_size[0] // self.stride, input_size[1] // self.stride

    def outputs(self, input_size: Size) -> dict[str, Tensor]:
        """Return the tensor of the maps."""
        shape = (len(LANE_NAMES), len(LANE_MAPS), *self.map_size(input_size))
        return {OUTPUT_LANES: Tensor("float32", shape)}

    def inputs(self, input_size: Size) -> dict[str, Tensor]:
        """Return nothing: the image is enough."""
        return {}


def block_at(stride: int, input_size: Size) -> Block:
    """Return the block of lane maps of that stride, or of the finest that lines need."""
    horizon = round(HORIZON * input_size[0], 1)
    return Block(stride=max(stride, FINEST), horizon_row_px=horizon, holds_to_evidence=True)
