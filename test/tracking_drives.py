# SPDX-License-Identifier: Apache-2.0
"""Drives with known truth for tests of tracking: lanes on a flat road, noise like a network's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache

import ground_world as world
import numpy as np

from shared_encoder_perception.tasks.lanes.answer import LaneId, LaneLine, Lanes
from shared_encoder_perception.tasks.lanes.tracking.options import TrackingOptions

HZ = 30.0
START_S = 100.0
LANE_M = 3.5
ON = TrackingOptions(enabled=True)
ROWS = np.linspace(719.0, 340.0, 72)
"""Image rows of every line, near to far: about 6 to 60 m ahead."""
COMPARED = ROWS[5:-5:4]
"""Rows in which lines are compared: about 7 to 40 m ahead."""
AHEAD = np.array([8.0, 12.0, 20.0, 30.0])
"""Distances at which polynomials are compared."""
BESIDE = {LaneId.EGO: 0.0, LaneId.LEFT_EGO: LANE_M, LaneId.RIGHT_EGO: -LANE_M}
MEMORY_S = 1.0
"""Time in which the slow part of the noise forgets."""

Curve = Callable[[np.ndarray], np.ndarray]
Road = dict[LaneId, Curve]


def scene(**changes):
    """Return the projector of the camera, which is calibrated exactly unless told otherwise."""
    return world.projector(**{**world.EXACT, **changes})


def pixels(curve: Curve, rows: np.ndarray = ROWS, pitch_deg: float = 3.0) -> np.ndarray:
    """Return (N, 2) where a line on the road is in the image at the rows, inside of it."""
    where = world.options(pitch_deg=pitch_deg)
    ahead = np.geomspace(3.0, 200.0, 200)
    seen = world.opencv_pixels(world.road_points(curve, ahead), world.camera_info(), where)
    kept = np.r_[True, np.diff(seen[:, 1]) < -1e-6]
    rising = seen[kept][::-1]
    columns = np.interp(rows, rising[:, 1], rising[:, 0], left=np.nan, right=np.nan)
    inside = (columns >= 0) & (columns <= world.SIZE[1] - 1)
    return np.stack((columns, rows), axis=1)[inside]


class Noise:
    """The error of a fitted cubic: a part that is new in every image, and one that wanders.

    Both are four independent terms, of the standard deviations ``std_px`` and ``slow_px``. Only the
    former is reported in ``x_std_px``, as by a network whose bias nobody knows.
    """

    def __init__(self, std_px: float, slow_px: float = 0.0, seed: int = 0) -> None:
        self.std_px, self.slow_px = std_px, slow_px
        self._rng = np.random.default_rng(seed)
        self._slow = {lane: self._rng.normal(0, slow_px, 4) for lane in LaneId}

    def __call__(self, lane: LaneId, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the error of the next image's ``count`` points, and its standard deviation."""
        basis = np.polynomial.legendre.legvander(np.linspace(-1, 1, count), 3)
        keep = np.exp(-1 / HZ / MEMORY_S)
        fresh = self._rng.normal(0, self.slow_px, 4)
        self._slow[lane] = keep * self._slow[lane] + np.sqrt(1 - keep**2) * fresh
        error = basis @ (self._slow[lane] + self._rng.normal(0, self.std_px, 4))
        return error, np.maximum(self.std_px, 0.05) * np.sqrt((basis**2).sum(axis=1))


def perceive(
    lanes: Mapping[LaneId, Curve],
    noise: Noise | None = None,
    confidence: float = 0.9,
    pitch_deg: float = 3.0,
) -> Lanes:
    """Return what a network sees of lines on the road, in the image only."""
    lines = {
        lane: world.line(lane, pixels(curve, pitch_deg=pitch_deg), 0.5)
        for lane, curve in lanes.items()
    }
    true = world.lanes_of(lines)
    return true if noise is None and confidence == 0.9 else disturbed(true, noise, confidence)


def disturbed(true: Lanes, noise: Noise | None, confidence: float) -> Lanes:
    """Return lanes with noise, of another confidence."""
    lanes = []
    for line in true:
        if line.detected:
            points, std = line.points_px.astype(np.float64), line.x_std_px
            if noise is not None:
                error, std = noise(line.lane_id, len(points))
                points[:, 0] += error
            line = replace(line, points_px=points, x_std_px=std, confidence=confidence)
        lanes.append(line)
    return Lanes(tuple(lanes))


def without(seen: Lanes, *lost: LaneId, confidence: float = 0.1) -> Lanes:
    """Return lanes of which some lanes were not detected."""
    lanes = (
        LaneLine(line.lane_id, confidence=confidence) if line.lane_id in lost else line
        for line in seen
    )
    return Lanes(tuple(lanes))


def stripped(seen: Lanes) -> Lanes:
    """Return lanes without ground geometry."""
    return Lanes(tuple(replace(line, ground=None) for line in seen))


def parallel(offset_m=0.0, heading=0.0, curvature=0.0) -> Road:
    """Return the lanes beside a vehicle that is ``offset_m`` left of the middle of one."""

    def lane(beside: float) -> Curve:
        return lambda x: beside - offset_m + heading * x + 0.5 * curvature * x**2

    return {name: lane(beside) for name, beside in BESIDE.items()}


def straight(seconds: float) -> Road:
    return parallel(0.1, 0.005)


def winding(seconds: float) -> Road:
    """A drive that is never straight: wander, turning, bends."""
    return parallel(
        0.4 * np.sin(2 * np.pi * seconds / 7.0),
        0.015 * np.sin(2 * np.pi * seconds / 5.0),
        0.002 * np.sin(2 * np.pi * seconds / 11.0),
    )


def curve_entry(seconds: float, speed: float = 20.0) -> Road:
    """From straight into a bend of 300 m: curvature grows over 40 m, reached after 4 s."""
    here = speed * (seconds - 4.0)
    slope = (_bend(here + 1e-3) - _bend(here - 1e-3)) / 2e-3

    def lane(beside: float) -> Curve:
        return lambda x: beside + _bend(here + x) - _bend(here) - slope * x

    return {name: lane(beside) for name, beside in BESIDE.items()}


def _bend(along, radius: float = 300.0, length: float = 40.0):
    """Return how far a road is off its first direction, ``along`` metres after its bend begins."""
    grows, round_ = np.clip(along, 0.0, length), np.maximum(along - length, 0.0)
    return (grows**3 / length / 6 + length / 2 * round_ + round_**2 / 2) / radius


def lane_change(seconds: float, side: int = 1) -> Road:
    """One lane to the left (``side`` 1) or right from 4 s to 8 s; heads swap in the middle."""
    part = np.clip((seconds - 4.0) / 4.0, 0.0, 1.0)
    moved = LANE_M * part**3 * (10 - 15 * part + 6 * part**2)
    rate = LANE_M * 30 * part**2 * (1 - part) ** 2 / 4.0
    return parallel(side * (moved - LANE_M * (moved > LANE_M / 2)), -side * rate / 20.0)


@dataclass(frozen=True)
class Drive:
    """What happens in ``SECONDS``.

    Attributes:
        motion: Returns the lanes at each time.
        pitch_deg: Amplitude of the camera's pitching at 1.5 Hz; the calibration stays as it is.
        lost: Share of lines that are not detected, each by itself; and all for 0.3 s after 6 s.
        unsure: Confidence wanders around 0.5 instead of being high.
    """

    motion: Callable[[float], Road]
    pitch_deg: float = 0.0
    lost: float = 0.0
    unsure: bool = False


SECONDS = 8.5
DRIVES = {
    "straight": Drive(straight),
    "winding": Drive(winding),
    "curve entry": Drive(curve_entry),
    "lane change": Drive(lane_change),
    "pitch bounce": Drive(straight, pitch_deg=0.3),
    "dropouts": Drive(winding, lost=0.15),
    "unsure": Drive(winding, unsure=True),
}


@dataclass(frozen=True)
class Recording:
    """A drive as a network sees it, and the truth.

    Attributes:
        seen: The lanes of each image, on the road; lines of any confidence from 0.3.
        columns: (images, 3, COMPARED) true columns of the lanes of ``BESIDE``, px.
        lateral: (images, 3, AHEAD) true positions on the road, m.
    """

    seen: list[Lanes]
    columns: np.ndarray
    lateral: np.ndarray


@cache
def record(drive: Drive, std_px: float, slow_px: float = 0.0, seed: int = 0) -> Recording:
    """Drive once, with noise."""
    noise, rng, projector = Noise(std_px, slow_px, seed), np.random.default_rng(seed), scene()
    recording, doubt = Recording([], [], []), 0.0
    for second in np.arange(0.0, SECONDS, 1 / HZ):
        pitch = 3.0 + drive.pitch_deg * np.sin(2 * np.pi * 1.5 * second)
        lanes = drive.motion(second)
        doubt += -0.1 * doubt + rng.normal(0, 0.03)
        confidence = float(np.clip(0.5 + doubt, 0, 1)) if drive.unsure else 0.9
        hole = confidence < ON.off_confidence or (drive.lost > 0.0 and 6.0 <= second < 6.3)
        lost = [lane for lane in LaneId if hole or rng.random() < drive.lost]
        true = perceive(lanes, pitch_deg=pitch)
        seen = projector.project(disturbed(true, noise, confidence))
        recording.seen.append(without(seen, *lost))
        recording.columns.append([columns(true[lane]) for lane in BESIDE])
        recording.lateral.append([lanes[lane](AHEAD) for lane in BESIDE])
    return Recording(recording.seen, np.array(recording.columns), np.array(recording.lateral))


def lateral(line: LaneLine) -> np.ndarray:
    """Return where a line's polynomial is at ``AHEAD``; NaN where it does not hold."""
    if line.ground is None or not len(line.ground.polynomial):
        return np.full(len(AHEAD), np.nan)
    low, high = line.ground.x_range_m
    y = np.polyval(line.ground.polynomial[::-1], AHEAD)
    return np.where((low <= AHEAD) & (high >= AHEAD), y, np.nan)


def columns(line: LaneLine, rows: np.ndarray = COMPARED) -> np.ndarray:
    """Return the columns of a line at image rows; NaN where it does not reach."""
    if not line.detected:
        return np.full(len(rows), np.nan)
    x, y = line.points_px[::-1].astype(float).T
    return np.interp(rows, y, x, left=np.nan, right=np.nan)
