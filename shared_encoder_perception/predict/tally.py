# SPDX-License-Identifier: Apache-2.0
"""The summary of a run: how many, what was found, and how long it took."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np

from shared_encoder_perception import tasks
from shared_encoder_perception.predictor import STAGES
from shared_encoder_perception.rig_predictor import RigPerception
from shared_encoder_perception.structures import Crop, Perception
from shared_encoder_perception.tasks.detections import detectable, detected


class StageTimes:
    """The times of all, in a few bytes each."""

    def __init__(self) -> None:
        """Start at nothing."""
        self._stage_ms = {stage: array("f") for stage in STAGES}

    def add(self, stage_ms: Mapping[str, float]) -> None:
        """Add those of one image or moment."""
        for stage, values in self._stage_ms.items():
            values.append(stage_ms[stage])

    def lines(self) -> list[str]:
        """Return a line of text for each stage."""
        medians = {
            stage: float(np.median(values)) if values else float("nan")
            for stage, values in self._stage_ms.items()
        }
        return [f"  {stage:<16} {median:6.2f} ms (median)" for stage, median in medians.items()]


class Shares:
    """What can be drawn over a drive, of tasks that find nothing that is there or not; the mean."""

    def __init__(self, names: Iterable[str]) -> None:
        """Start at nothing; ``names`` are those of the model's tasks."""
        records = tasks.parts("record", names)
        self._rooms = {
            name: (records[name], room)
            for name, room in tasks.parts("drive_report", names).items()
            if not records[name].DETECTABLE
        }
        self._sums: Counter[tuple[str, str]] = Counter()
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, perception: Perception) -> None:
        """Add those of one image."""
        height, width = perception.image_size
        crop = perception.crop or Crop(0, 0, width, height)
        for task, (record, room) in self._rooms.items():
            said = room.over_time(record.result(perception.answers[task], crop))
            for name, value in said.items():
                if value is not None and math.isfinite(value):
                    self._sums[task, name] += value
                    self._counts[task, name] += 1

    def lines(self) -> list[str]:
        """Return a line of text for each task."""
        found = []
        for task, (_, room) in self._rooms.items():
            told = [
                f"{name.replace('_', ' ')} {self._mean(task, name)}" for name in room.CHART.names
            ]
            found.append(f"  {room.CHART.title.lower()}: {', '.join(told)} (mean)")
        return found

    def _mean(self, task: str, name: str) -> str:
        """Say the mean of the images of which it is known."""
        count = self._counts[task, name]
        return f"{self._sums[task, name] / count:.2f}" if count else "not known"


class ImageTally:
    """What the summary needs of all images.

    Attributes:
        images: How many there were.
    """

    def __init__(self, names: Iterable[str]) -> None:
        """Start at nothing; ``names`` are those of the model's tasks."""
        self.images = 0
        names = tuple(names)
        self._detected = dict.fromkeys(detectable(names), 0)
        self._shares = Shares(names)
        self._times = StageTimes()

    def add(self, perception: Perception) -> None:
        """Count one image."""
        self.images += 1
        for name in detected(perception):
            self._detected[name] += 1
        self._shares.add(perception)
        self._times.add(perception.stage_ms)

    def __str__(self) -> str:
        """Render one screen."""
        lines = [f"{self.images} images"]
        for name, count in self._detected.items():
            lines.append(f"  {name:<16} detected in {count / max(self.images, 1):6.1%}")
        return "\n".join([*lines, *self._shares.lines(), *self._times.lines()])


class MomentTally:
    """What the summary needs of all moments."""

    def __init__(self) -> None:
        """Start at nothing."""
        self._moments = 0
        self._missing: Counter[str] = Counter()
        self._times = StageTimes()

    def add(self, found: RigPerception) -> None:
        """Count one moment."""
        self._moments += 1
        self._missing.update(found.missing)
        self._times.add(found.stage_ms)

    def __str__(self) -> str:
        """Render a few lines."""
        lines = [f"{self._moments} moments"]
        for camera, count in self._missing.items():
            lines.append(f"  camera {camera} gave no picture in {count}")
        return "\n".join([*lines, *self._times.lines()])
