"""Drives with known truth for tests of tracking: lanes on a flat road, noise like a network's.

Run as a program it prints the table of docs/tracking.md: ``python test/tracking_world.py``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import ground_world as world
import numpy as np

from shared_encoder_perception.structures import LaneId, LaneLine, LaneStatus, Perception
from shared_encoder_perception.tracking.options import TrackingOptions
from shared_encoder_perception.tracking.tracker import LaneTracker

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
Lanes = dict[LaneId, Curve]


def scene(**changes):
    """Return the projector of the camera, which is calibrated exactly unless told otherwise."""
    return world.projector(**{**world.EXACT, **changes})


def pixels(curve: Curve, rows: np.ndarray = ROWS, pitch_deg: float = 3.0) -> np.ndarray:
    """Return (N, 2) where a line on the road is in the image at the rows, inside of it."""
    where = world.options(pitch_deg=pitch_deg)
    ahead = np.geomspace(3.0, 200.0, 400)
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
) -> Perception:
    """Return what a network sees of lines on the road, in the image only."""
    lines = {}
    for lane, curve in lanes.items():
        points = pixels(curve, pitch_deg=pitch_deg)
        error, std = np.zeros(len(points)), np.full(len(points), 0.5)
        if noise is not None:
            error, std = noise(lane, len(points))
        line = world.line(lane, points + np.stack((error, np.zeros(len(error))), axis=1), std)
        lines[lane] = replace(line, confidence=confidence)
    return world.perception(lines)


def without(perception: Perception, *lost: LaneId, confidence: float = 0.1) -> Perception:
    """Return a perception in which some lanes were not detected."""
    lanes = (
        LaneLine(line.lane_id, confidence=confidence) if line.lane_id in lost else line
        for line in perception.lanes
    )
    return replace(perception, lanes=tuple(lanes))


def parallel(offset_m=0.0, heading=0.0, curvature=0.0, change=0.0) -> Lanes:
    """Return the lanes beside a vehicle that is ``offset_m`` left of the middle of one.

    ``curvature`` in 1/m at the vehicle, ``change`` its increase ahead in 1/m^2.
    """

    def lane(beside: float) -> Curve:
        return lambda x: beside - offset_m + heading * x + curvature * x**2 / 2 + change * x**3 / 6

    return {name: lane(beside) for name, beside in BESIDE.items()}


def straight(seconds: float) -> Lanes:
    return parallel(0.1, 0.005)


def winding(seconds: float) -> Lanes:
    """A drive that is never straight: wander, turning, bends."""
    return parallel(
        0.4 * np.sin(2 * np.pi * seconds / 7.0),
        0.015 * np.sin(2 * np.pi * seconds / 5.0),
        0.002 * np.sin(2 * np.pi * seconds / 11.0),
    )


def curve_entry(seconds: float, speed: float = 20.0, radius: float = 300.0) -> Lanes:
    """From straight into a bend: after 4 s curvature grows over 40 m; the driver cuts it a bit."""
    along = speed * np.clip(seconds - 4.0, 0.0, 2.0)
    change = 1 / radius / 40.0 if 0.0 < along < 40.0 else 0.0
    cut = 0.3 * np.sin(np.pi * np.clip((seconds - 4.0) / 4.0, 0, 1)) ** 2
    return parallel(cut, 0.0, along / 40.0 / radius, change)


def lane_change(seconds: float, side: int = 1) -> Lanes:
    """One lane to the left (``side`` 1) or right from 4 s to 8 s; heads swap in the middle."""
    part = np.clip((seconds - 4.0) / 4.0, 0.0, 1.0)
    moved = LANE_M * part**3 * (10 - 15 * part + 6 * part**2)
    rate = LANE_M * 30 * part**2 * (1 - part) ** 2 / 4.0
    return parallel(side * (moved - LANE_M * (moved > LANE_M / 2)), -side * rate / 20.0)


@dataclass(frozen=True)
class Drive:
    """What happens in ten seconds.

    Attributes:
        motion: Returns the lanes at each time.
        pitch_deg: Amplitude of the camera's pitching at 1.5 Hz, of which the calibration is unaware.
        lost: Share of lines that are not detected, each by itself; and all for 0.3 s after 6 s.
        unsure: Confidence wanders around 0.5 instead of being high.
    """

    motion: Callable[[float], Lanes]
    pitch_deg: float = 0.0
    lost: float = 0.0
    unsure: bool = False


SECONDS = 10.0
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
        seen: One perception for each image, on the road; lines of any confidence from 0.3.
        columns: (images, 3, COMPARED) true columns of the lanes of ``BESIDE``, px.
        lateral: (images, 3, AHEAD) true positions on the road, m.
    """

    seen: list[Perception]
    columns: np.ndarray
    lateral: np.ndarray


def record(drive: Drive, noise: Noise, seed: int = 0) -> Recording:
    """Drive once."""
    rng, projector = np.random.default_rng(seed + 1000), scene()
    recording, doubt = Recording([], [], []), 0.0
    for second in np.arange(0.0, SECONDS, 1 / HZ):
        pitch = 3.0 + drive.pitch_deg * np.sin(2 * np.pi * 1.5 * second)
        lanes = drive.motion(second)
        doubt += -0.1 * doubt + rng.normal(0, 0.03)
        confidence = float(np.clip(0.5 + doubt, 0, 1)) if drive.unsure else 0.9
        hole = confidence < ON.off_confidence or (drive.lost > 0.0 and 6.0 <= second < 6.3)
        lost = [lane for lane in LaneId if hole or rng.random() < drive.lost]
        seen = projector.project(perceive(lanes, noise, confidence, pitch))
        recording.seen.append(without(seen, *lost))
        true = perceive(lanes, pitch_deg=pitch).lanes
        recording.columns.append([columns(true[lane]) for lane in BESIDE])
        recording.lateral.append([lanes[lane](AHEAD) for lane in BESIDE])
    return Recording(recording.seen, np.array(recording.columns), np.array(recording.lateral))


def stamps(count: int) -> Iterator[float]:
    """Yield the times of images."""
    return (START_S + index / HZ for index in range(count))


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


def track(perceptions, options=ON, tracker=None) -> list[Perception]:
    """Run successive images through a tracker."""
    tracker = tracker or LaneTracker(options)
    perceptions = list(perceptions)
    return [
        tracker.update(seen, stamp)
        for seen, stamp in zip(perceptions, stamps(len(perceptions)), strict=True)
    ]


def rms(values) -> float:
    values = np.asarray(values)
    return float(np.sqrt(np.nanmean(values**2)))


def jitter(errors) -> float:
    """Return the RMS second difference of (images, ...) errors."""
    return rms(np.diff(errors, 2, axis=0))


def lag_s(errors, truth) -> float:
    """Return by how much (images, ...) errors are those of a delay: regressed on the velocity.

    NaN where nothing moves. Jumps, where lanes change their names, do not count.
    """
    speed = np.gradient(truth, axis=0) * HZ
    usual = np.nanquantile(np.abs(speed), 0.9)
    known = np.isfinite(errors) & np.isfinite(speed) & (np.abs(speed) <= 10.0 * usual)
    if usual < 1e-6:
        return np.nan
    return float(-(errors * speed)[known].sum() / (speed**2)[known].sum())


def sampled(perceptions, sample) -> np.ndarray:
    """Return (images, 3, ...) of ``columns`` or ``lateral``."""
    return np.array([[sample(seen.lanes[lane]) for lane in BESIDE] for seen in perceptions])


def surely(perceptions, least: float = 0.5) -> list[Perception]:
    """Return what goes out without tracking: every line of that confidence."""
    return [
        without(seen, *(line.lane_id for line in seen.lanes if line.confidence < least))
        for seen in perceptions
    ]


def interruptions(perceptions) -> int:
    """Return how often a lane went from there to not there."""
    there = np.array([[seen.lanes[lane].detected for lane in BESIDE] for seen in perceptions])
    return int((there[:-1] & ~there[1:]).sum())


def compare(
    drive: Drive, seeds: int, slow_px: float, options: TrackingOptions = ON
) -> dict[str, tuple[float, float]]:
    """Return numbers of the raw and of the tracked lines of a drive, averaged over seeds.

    Jitter and errors are those of images in which both are there.
    """
    found: dict[str, list] = {}
    for seed in range(seeds):
        recording = record(drive, Noise(1.5, slow_px, seed), seed)
        begin = time.perf_counter()
        tracked = track(recording.seen, options)
        found.setdefault("ms", []).append([(time.perf_counter() - begin) / len(tracked) * 1e3] * 2)
        both = (surely(recording.seen), tracked)
        for name, sample in (("columns", columns), ("lateral", lateral)):
            truth = getattr(recording, name)
            errors = np.array([sampled(each, sample) for each in both]) - truth
            common = np.where(np.isfinite(errors).all(axis=0), errors, np.nan)
            found.setdefault(f"{name} jitter", []).append([jitter(one) for one in common])
            found.setdefault(f"{name} error", []).append([rms(one) for one in common])
            found.setdefault(f"{name} lag", []).append([lag_s(one, truth) * 1e3 for one in common])
        found.setdefault("lost", []).append([interruptions(each) for each in both])
        ids = {line.track_id for seen in tracked for line in seen.lanes} - {0}
        found.setdefault("ids", []).append([len(ids)] * 2)
    return {name: tuple(np.mean(values, axis=0)) for name, values in found.items()}


def table(rows: Mapping[str, Mapping[str, tuple[float, float]]]) -> str:
    """Return a table in Markdown: raw and tracked numbers of each drive."""
    lines = [
        "| drive | jitter px | error px | lag ms | jitter cm | error cm | lag ms | lost | ids |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, of in rows.items():
        cells = [name]
        for kind, scale, digits in (("columns", 1.0, 2), ("lateral", 100.0, 1)):
            for what in ("jitter", "error"):
                raw, tracked = (scale * value for value in of[f"{kind} {what}"])
                cells.append(f"{raw:.{digits}f} -> {tracked:.{digits}f}")
            added = of[f"{kind} lag"][1] - of[f"{kind} lag"][0]
            cells.append(f"{added:+.1f}" if np.isfinite(added) else "-")
        cells += ["{:.0f} -> {:.0f}".format(*of["lost"]), f"{of['ids'][0]:.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main(seeds: int) -> None:
    """Print the tables."""
    for slow_px in (0.0, 3.0):
        rows = {name: compare(drive, seeds, slow_px) for name, drive in DRIVES.items()}
        print(f"\nNew in every image: 1.5 px; wandering: {slow_px:g} px\n\n{table(rows)}")
        print(f"\n{np.median([of['ms'][0] for of in rows.values()]):.2f} ms per image")
    for agility in (0.3, 3.0):
        names = ("curve entry", "pitch bounce")
        options = replace(ON, agility=agility)
        rows = {name: compare(DRIVES[name], seeds, 0.0, options) for name in names}
        print(f"\nAgility {agility:g}, 1.5 px\n\n{table(rows)}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
