# SPDX-License-Identifier: Apache-2.0
"""Runs the drives of tracking_drives.py through the tracker, and measures what became of them.

Run as a program it prints the tables of docs/tracking.md: ``python test/tracking_world.py``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache

import numpy as np
from ground_world import SIZE
from tracking_drives import (
    BESIDE,
    DRIVES,
    HZ,
    ON,
    START_S,
    Drive,
    columns,
    lateral,
    record,
    stripped,
    without,
)

from shared_encoder_perception.tasks.lanes.answer import Lanes
from shared_encoder_perception.tasks.lanes.tracking.options import TrackingOptions
from shared_encoder_perception.tasks.lanes.tracking.tracker import LaneTracker


def stamps(count: int) -> Iterator[float]:
    """Yield the times of images."""
    return (START_S + index / HZ for index in range(count))


def track(images, options=ON, tracker=None) -> list[Lanes]:
    """Run successive images through a tracker."""
    tracker = tracker or LaneTracker(options)
    images = list(images)
    return [
        tracker.update(seen, SIZE, stamp)
        for seen, stamp in zip(images, stamps(len(images)), strict=True)
    ]


@cache
def followed(drive: Drive, std_px: float, slow_px: float = 0.0, on_road: bool = True):
    """Return a recording, its images with or without the road, and these after tracking."""
    recording = record(drive, std_px, slow_px, 0)
    seen = recording.seen if on_road else [stripped(each) for each in recording.seen]
    return recording, seen, track(seen)


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


def sampled(images, sample) -> np.ndarray:
    """Return (images, 3, ...) of ``columns`` or ``lateral``."""
    return np.array([[sample(seen[lane]) for lane in BESIDE] for seen in images])


def surely(images, least: float = 0.5) -> list[Lanes]:
    """Return what goes out without tracking: every line of that confidence."""
    return [
        without(seen, *(line.lane_id for line in seen if line.confidence < least))
        for seen in images
    ]


def interruptions(images) -> int:
    """Return how often a lane went from there to not there."""
    there = np.array([[seen[lane].detected for lane in BESIDE] for seen in images])
    return int((there[:-1] & ~there[1:]).sum())


def compare(
    drive: Drive, seeds: int, slow_px: float, options: TrackingOptions = ON
) -> dict[str, tuple[float, float]]:
    """Return numbers of the raw and of the tracked lines of a drive, averaged over seeds.

    Jitter and errors are those of images in which both are there.
    """
    found: dict[str, list] = {}
    for seed in range(seeds):
        recording = record(drive, 1.5, slow_px, seed)
        begin = time.thread_time()
        tracked = track(recording.seen, options)
        found.setdefault("ms", []).append([(time.thread_time() - begin) / len(tracked) * 1e3] * 2)
        both = (surely(recording.seen), tracked)
        for name, sample in (("columns", columns), ("lateral", lateral)):
            truth = getattr(recording, name)
            errors = np.array([sampled(each, sample) for each in both]) - truth
            common = np.where(np.isfinite(errors).all(axis=0), errors, np.nan)
            found.setdefault(f"{name} jitter", []).append([jitter(one) for one in common])
            found.setdefault(f"{name} error", []).append([rms(one) for one in common])
            found.setdefault(f"{name} lag", []).append([lag_s(one, truth) * 1e3 for one in common])
        found.setdefault("lost", []).append([interruptions(each) for each in both])
        ids = {line.track_id for seen in tracked for line in seen} - {0}
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
