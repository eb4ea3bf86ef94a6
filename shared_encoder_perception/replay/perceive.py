# SPDX-License-Identifier: Apache-2.0
"""The first pass over a bag: every image through the model, results and times to the disk.

Three threads: one reads and decodes the next images, this one runs the model, one writes. Pictures
are drawn in a second pass, see ``pictures``: meanwhile they would take from the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from tqdm import tqdm

from shared_encoder_perception.replay import checkpoint as checkpoints
from shared_encoder_perception.replay.ahead import WriteBehind, read_ahead
from shared_encoder_perception.replay.checkpoint import Checkpoint
from shared_encoder_perception.replay.drive import Drive, Seen
from shared_encoder_perception.replay.reading import BagFrame, BagImages
from shared_encoder_perception.replay.recorder import Recorder

READ_AHEAD, WRITE_BEHIND = 4, 8
"""Images that wait for the model, and for the disk."""
ALONE_IMAGES: Final = 24
"""Images by which the predictor alone is timed, several times in a drive."""


@dataclass(frozen=True)
class FirstPass:
    """Perceives one bag into a folder.

    Attributes:
        folder: Where results go.
        images: The bag's.
        drive: Perceives them.
        recorder: Writes; open in ``folder``.
        conditions: What the results depend on.
        limit: Number of images to stop after; ``None`` for all.
        every: Images between checkpoints.
    """

    folder: Path
    images: BagImages
    drive: Drive
    recorder: Recorder
    conditions: Mapping[str, Any]
    limit: int | None
    every: int

    def run(self, resume: Checkpoint | None) -> Checkpoint:
        """Perceive every image, from the checkpoint on if there is one.

        Returns:
            The checkpoint at the end, which is on the disk too.
        """
        if resume is None:
            self.recorder.begin(dict(self.conditions))
            at = self._save(0, 0.0, (0, 0.0))
        else:
            at = resume
            self.recorder.tallies = resume.tallies
            self.drive.restore(resume.drive)
        return at if at.done else self._perceive(at)

    def _perceive(self, at: Checkpoint) -> Checkpoint:
        """Perceive the images that are left."""
        clock = _Clock(at.elapsed_s, at.alone, self.drive)
        frames, seen = at.frames, 0
        total = min(self.images.total, self.limit or self.images.total)
        source = self.images.frames(frames, self.limit)
        next_timing = ALONE_IMAGES
        with (
            WriteBehind(self.recorder.write, WRITE_BEHIND) as behind,
            tqdm(total=total, initial=frames, desc="perceiving", unit="image") as bar,
        ):
            for frame in read_ahead(source, READ_AHEAD):
                image = self.drive.look(frame)
                behind.put(image)
                clock.remember(image)
                frames, seen = frame.index + 1, seen + 1
                bar.update()
                if seen == next_timing:
                    next_timing *= 2  # often enough to see the same machine, and soon seldom
                    behind.wait()
                    clock.time_alone()
                if frames % self.every == 0:
                    behind.wait()
                    self._save(frames, clock.elapsed_s, clock.alone)
            behind.wait()
            elapsed_s = clock.elapsed_s
            clock.time_alone()
        return self._save(frames, elapsed_s, clock.alone, done=True)

    def _save(
        self, frames: int, elapsed_s: float, alone: tuple[int, float], done: bool = False
    ) -> Checkpoint:
        """Write down where we are; the writer must be idle."""
        checkpoint = Checkpoint(
            conditions=dict(self.conditions),
            frames=frames,
            done=done,
            lengths=self.recorder.lengths(),
            elapsed_s=elapsed_s,
            alone=alone,
            drive=self.drive.state(),
            tallies=self.recorder.tallies,
            problems=tuple(self.images.problems),
            complete=self.images.complete,
        )
        checkpoints.write(self.folder, checkpoint)
        return checkpoint


class _Clock:
    """Measures the pass, and beside it the predictor alone on the same images."""

    def __init__(self, elapsed_s: float, alone: tuple[int, float], drive: Drive) -> None:
        """Go on from earlier measurements."""
        self._start_s, self._drive = perf_counter() - elapsed_s, drive
        self.alone = alone
        self._sample: list[BagFrame] = []

    @property
    def elapsed_s(self) -> float:
        """Seconds of the pass, without those of the predictor alone."""
        return perf_counter() - self._start_s

    def remember(self, image: Seen) -> None:
        """Keep the first images that are perceived, to time the predictor by."""
        if len(self._sample) < ALONE_IMAGES and image.perception is not None:
            self._sample.append(image.frame)

    def time_alone(self) -> None:
        """Time the predictor alone: readers and writers must have nothing to do."""
        before_s = perf_counter()
        images, seconds = self.alone
        self.alone = (
            images + len(self._sample),
            seconds + self._drive.time_alone(self._sample),
        )
        self._start_s += perf_counter() - before_s
