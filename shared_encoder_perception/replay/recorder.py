# SPDX-License-Identifier: Apache-2.0
"""Writes what became of each image, and counts it (thread of its own)."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final

from shared_encoder_perception import tasks
from shared_encoder_perception.evaluation.scorer import Counts as Scores
from shared_encoder_perception.evaluation.scorer import Scorer
from shared_encoder_perception.images.preprocess import Crop, default_crop
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.replay.answers import pack
from shared_encoder_perception.replay.drive import Seen
from shared_encoder_perception.replay.results import (
    frame_record,
    score_record,
    timing_record,
    to_line,
)
from shared_encoder_perception.replay.truth import FindTruth, Truth
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.tasks.detections import detectable, detected

RESULTS: Final = "results.jsonl"
TIMINGS: Final = "timings.jsonl"
ANSWERS: Final = "answers.part"
PART: Final = ".part"
"""Suffix of a file that is not complete."""
SOURCE: Final = "bag"
"""Source name of all images, for the scorer."""


@dataclass
class Tallies:
    """All that is counted over a drive; its size does not depend on the length of the drive.

    Attributes:
        scorer: Scores of the images with labels.
        steadiness: Task -> ``Metric`` of its room's ``steadiness``, where it has one.
        perceived: Images that gave a perception.
        skipped: Reason -> images that gave none.
        examples: Reason -> what was said of the first of them.
        detected: Name of what may be there or not -> images in which it was detected.
        labelled: Images with labels.
        first_ns: First stamp that is not 0; 0 = none yet.
        last_ns: Last such stamp.
    """

    scorer: Scorer
    steadiness: dict[str, Any] = field(default_factory=dict)
    perceived: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    detected: Counter[str] = field(default_factory=Counter)
    labelled: int = 0
    first_ns: int = 0
    last_ns: int = 0


class Recorder:
    """Appends to the files of a replay; use as a context manager.

    Attributes:
        tallies: What was counted so far.
    """

    def __init__(
        self,
        folder: Path,
        spec: ModelSpec,
        truth: FindTruth | None,
        crop: Crop | None,
        keep_answers: bool,
    ) -> None:
        """Open the files where they end.

        Args:
            folder: Where they are.
            spec: Of the model.
            truth: Finds labels; ``None`` for none.
            crop: As given to the predictor.
            keep_answers: Whether pictures are to be drawn afterwards.
        """
        self._spec, self._truth, self._crop = spec, truth, crop
        names = [RESULTS + PART, TIMINGS + PART, *([ANSWERS] if keep_answers else [])]
        self._files: dict[str, BinaryIO] = {name: (folder / name).open("ab") for name in names}
        self._results, self._timings = self._files[names[0]], self._files[names[1]]
        self._answers = self._files.get(ANSWERS)
        self._steadiness = tasks.parts("steadiness", spec.tasks)
        self.tallies = Tallies(
            Scorer(spec.input_size),
            {name: part.Metric() for name, part in self._steadiness.items()},
            detected=Counter(dict.fromkeys(detectable(spec.tasks), 0)),
        )

    def __enter__(self) -> Recorder:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()

    def begin(self, conditions: dict[str, Any]) -> None:
        """Write the first line."""
        self._results.write(to_line({"conditions": conditions}))

    def lengths(self) -> dict[str, int]:
        """Bring everything to the disk and return how long the files are."""
        for file in self._files.values():
            file.flush()
            os.fsync(file.fileno())
        return {name: file.tell() for name, file in self._files.items()}

    def write(self, seen: Seen) -> None:
        """Write down what became of an image."""
        crop, scores, truth = None, None, None
        if seen.perception is None:
            self.tallies.skipped[seen.skipped] += 1
            self.tallies.examples.setdefault(seen.skipped, seen.why)
        else:
            crop = self._crop or default_crop(seen.perception.image_size, self._spec.input_size)
            truth = self._truth(seen.frame) if self._truth else None
            scores = self._score(seen, truth, crop) if truth is not None else None
            self._count(seen, truth)
            self._timings.write(to_line(timing_record(seen)))
            if self._answers:
                self._answers.write(pack(seen, self._spec))
        self._results.write(to_line(frame_record(seen, crop, scores)))

    def _score(self, seen: Seen, truth: Truth, crop: Crop) -> dict[str, Any]:
        """Score an image against its labels."""
        assert seen.perception is not None and seen.frame.image is not None
        name = f"image {seen.frame.index}"
        sample = Sample(seen.frame.image, truth, name)
        scores = Scores()
        scores.update(seen.perception, sample, crop)
        self.tallies.scorer.add(SOURCE, scores)
        self.tallies.labelled += 1
        return score_record(scores)

    def _count(self, seen: Seen, truth: Truth | None) -> None:
        """Count a perceived image, and watch its answers over time where time goes on."""
        tallies, perception, stamp = self.tallies, seen.perception, seen.frame.stamp_ns
        assert perception is not None
        tallies.perceived += 1
        tallies.detected.update(detected(perception))
        if not stamp or not seen.ordered:
            return
        if not tallies.first_ns:
            tallies.first_ns = stamp
        if seen.jumped:
            for metric in tallies.steadiness.values():
                metric.end_drive()
        tallies.last_ns = stamp
        # Relative to the first: a double cannot hold nanoseconds since 1970.
        seconds = (stamp - tallies.first_ns) * 1e-9
        for name, part in self._steadiness.items():
            answer, label = perception.answers[name], (truth or {}).get(name)
            part.update(tallies.steadiness[name], seconds, answer, perception.image_size, label)
