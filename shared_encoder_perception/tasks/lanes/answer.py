# SPDX-License-Identifier: Apache-2.0
"""The lanes' answer: five centre lines of one image, validated once.

Points are ``(x, y)`` in pixels of the image *as received*, pixel centres at integers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size, frozen


class LaneId(IntEnum):
    """The five lanes, in head order. Values equal the constants of ``LaneLine.msg``."""

    EGO = 0
    LEFT_EGO = 1
    RIGHT_EGO = 2
    LEFT_SPLIT_EGO = 3
    RIGHT_SPLIT_EGO = 4

    @property
    def label(self) -> str:
        """Lower-case name, as used in topics, files and metadata: ``"left_split_ego"``."""
        return self.name.lower()

    @property
    def is_split(self) -> bool:
        """Whether this lane is an alternative path that leaves the ego lane."""
        return self in (LaneId.LEFT_SPLIT_EGO, LaneId.RIGHT_SPLIT_EGO)


LANE_NAMES: tuple[str, ...] = tuple(lane.label for lane in LaneId)
"""Lane names in head order."""


class LaneStatus(IntEnum):
    """How a lane line came about. Values equal the constants of ``LaneLine.msg``."""

    NOT_DETECTED = 0
    DETECTED = 1
    PREDICTED = 2


@dataclass(frozen=True, eq=False)
class GroundLine:
    """A lane line on the road surface, in the vehicle frame: x forward, y left, z up, metres.

    Attributes:
        frame_id: Name of that frame, e.g. ``"base_link"``.
        points_m: (N, 3) float32 ``(x, y, z)``, one for each point of the line in the image, in the
            same order; NaN where that one does not meet the road surface in front of the vehicle.
        y_std_m: (N,) float32 standard deviation of ``y``; NaN where unknown.
        polynomial: (n,) float64, ascending: ``y(x) = sum_i polynomial[i] * x**i``. Empty when too
            few points lie on the ground.
        covariance: (n, n) float64 of ``polynomial``.
        x_range_m: Lowest and highest ``x`` for which the polynomial holds; NaN without one.
        rmse_m: Root mean square of ``y - y(x)`` over the points; NaN without a polynomial.
    """

    frame_id: str
    points_m: NDArray[np.float32]
    y_std_m: NDArray[np.float32]
    polynomial: NDArray[np.float64]
    covariance: NDArray[np.float64]
    x_range_m: tuple[float, float] = (np.nan, np.nan)
    rmse_m: float = np.nan

    def __post_init__(self) -> None:
        """Freeze the arrays and check that their shapes belong together."""
        for name in ("points_m", "y_std_m"):
            object.__setattr__(self, name, frozen(getattr(self, name), np.float32))
        for name in ("polynomial", "covariance"):
            object.__setattr__(self, name, frozen(getattr(self, name), np.float64))
        count, order = len(self.points_m), len(self.polynomial)
        shapes = {
            "points_m": (count, 3),
            "y_std_m": (count,),
            "polynomial": (order,),
            "covariance": (order, order),
        }
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} has shape {getattr(self, name).shape}, expected {shape}")
        if not self.frame_id:
            raise ValueError("frame_id is empty, expected the name of the vehicle's frame")


@dataclass(frozen=True, eq=False)
class LaneLine:
    """The centre line of one lane in the source image.

    Attributes:
        lane_id: Which of the five lanes.
        status: ``NOT_DETECTED`` has no points; the other states have at least two.
        confidence: In [0, 1]; kept also below the acceptance threshold. A probability where the
            model is calibrated, see ``ModelSpec.confidence_calibrated``; otherwise a score.
        points_px: (N, 2) float32, ``(x, y)`` pixels of the source image, near to far
            (``y`` strictly decreasing).
        x_std_px: (N,) float32 standard deviation of ``x`` in pixels; NaN where unknown.
        branch_index: For split lanes, index of the first point that has left the ego centre line;
            -1 where unknown or not a split.
        ground: The line on the road surface; ``None`` without calibration.
        track_id: 0 = not tracked; otherwise constant while one physical lane is followed.
        coasting_s: Seconds since the lane was last seen, 0 when it is seen; NaN where unknown.
    """

    lane_id: LaneId
    status: LaneStatus = LaneStatus.NOT_DETECTED
    confidence: float = 0.0
    points_px: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    x_std_px: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    branch_index: int = -1
    ground: GroundLine | None = None
    track_id: int = 0
    coasting_s: float = np.nan

    def __post_init__(self) -> None:
        """Freeze the arrays and reject what no consumer could use."""
        object.__setattr__(self, "points_px", frozen(self.points_px, np.float32))
        object.__setattr__(self, "x_std_px", frozen(self.x_std_px, np.float32))
        points, name = self.points_px, self.lane_id.label
        if points.ndim != 2 or points.shape[1] != 2:
            raise ValueError(f"{name}: points_px has shape {points.shape}, expected (N, 2)")
        if self.x_std_px.shape != points.shape[:1]:
            raise ValueError(
                f"{name}: x_std_px has shape {self.x_std_px.shape}, expected ({len(points)},) "
                "to match points_px"
            )
        if not 0.0 <= self.confidence <= 1.0:
            raise ValueError(f"{name}: confidence is {self.confidence}, expected 0 to 1")
        if not np.isfinite(points).all():
            raise ValueError(f"{name}: points_px holds NaN or infinity, expected pixels")
        if self.status is LaneStatus.NOT_DETECTED:
            if len(points):
                raise ValueError(f"{name}: NOT_DETECTED with {len(points)} points, expected none")
        elif len(points) < 2:
            raise ValueError(f"{name}: {self.status.name} with {len(points)} points, expected >= 2")
        if (points[1:, 1] >= points[:-1, 1]).any():
            raise ValueError(f"{name}: points_px must run near to far (y strictly decreasing)")
        if not -1 <= self.branch_index < max(len(points), 1):
            raise ValueError(
                f"{name}: branch_index is {self.branch_index}, expected -1 or an index into "
                f"{len(points)} points"
            )
        if self.ground is not None and len(self.ground.points_m) != len(points):
            raise ValueError(
                f"{name}: {len(self.ground.points_m)} points on the ground, expected {len(points)} "
                "as in the image"
            )

    @property
    def detected(self) -> bool:
        """Whether the line carries points."""
        return self.status is not LaneStatus.NOT_DETECTED


@dataclass(frozen=True, eq=False)
class Lanes:
    """All five lanes of one image.

    Attributes:
        lines: In the order of ``LaneId``, those that were not detected included.
    """

    lines: tuple[LaneLine, ...]

    def __post_init__(self) -> None:
        """Check that each lane is there, in its place."""
        found = tuple(line.lane_id for line in self.lines)
        if found != tuple(LaneId):
            raise ValueError(f"lanes are {[i.label for i in found]}, expected {list(LANE_NAMES)}")

    @classmethod
    def nothing(cls) -> Lanes:
        """No lane is detected."""
        return cls(tuple(LaneLine(lane) for lane in LaneId))

    def __getitem__(self, lane: LaneId) -> LaneLine:
        """Return the line of a lane."""
        return self.lines[lane]

    def __iter__(self) -> Iterator[LaneLine]:
        """Yield the lines in head order."""
        return iter(self.lines)

    def check(self, image_size: Size) -> None:
        """Lines may end anywhere near an image of any ``image_size``."""


Answer = Lanes
