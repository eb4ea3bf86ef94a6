# SPDX-License-Identifier: Apache-2.0
"""The best, the middle and the worst frames of each source, as pictures.

Memory does not grow with the set.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappush, heappushpop
from typing import Final

import cv2
import numpy as np

from shared_encoder_perception import tasks
from shared_encoder_perception.drawing.overlay import (
    answered,
    draw_beside_labels,
    draw_panels,
    outline_labels,
)
from shared_encoder_perception.evaluation.frame_record import FrameRecord
from shared_encoder_perception.images.preprocess import Crop, ImageTransform
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.labels.view import moved
from shared_encoder_perception.structures import Perception

KEPT: Final = 4
"""Of each source, and of each kind."""
WIDTH_PX: Final = 720
JPEG_QUALITY: Final = 82
SAMPLED: Final = 40
"""Frames of each source among which the one in the middle is looked for."""


@dataclass(frozen=True)
class Picked:
    """One frame to look at.

    Attributes:
        faults: As of its record.
        caption: Its name and what it scored.
        jpeg: The picture, encoded.
    """

    faults: float
    caption: str
    jpeg: bytes


class PickedFrames:
    """Keeps the frames with the most and with the fewest faults."""

    def __init__(self, kept: int = KEPT) -> None:
        """Keep ``kept`` of each source and kind."""
        self._kept = kept
        # Source -> heap of (rank, minus the place in the set, frame), its root the first to go.
        self._worst: dict[str, list[tuple[float, int, Picked]]] = {}
        self._best: dict[str, list[tuple[float, int, Picked]]] = {}
        self._some: dict[str, list[Picked]] = {}
        self._faults: dict[str, list[float]] = {}
        self._count = 0
        self._random = np.random.default_rng(0)

    def update(
        self, record: FrameRecord, perception: Perception, sample: Sample, crop: Crop
    ) -> None:
        """Look at one image; frames without anything to score are passed over.

        Args:
            record: What it scored.
            perception: The answer.
            sample: Image and labels.
            crop: What the network saw.
        """
        self._count += 1
        if not record.scored:
            return
        worst = self._worst.setdefault(record.source, [])
        best = self._best.setdefault(record.source, [])
        wanted = [
            (heap, rank)
            for heap, rank in ((worst, record.faults), (best, -record.faults))
            if len(heap) < self._kept or rank > heap[0][0]
        ]
        place = self._drawn(record)
        if not wanted and place is None:
            return
        frame = Picked(record.faults, caption(record), draw_answer(perception, sample, crop))
        if place is not None:
            self._some[record.source][place : place + 1] = [frame]
        for heap, rank in wanted:
            push = heappush if len(heap) < self._kept else heappushpop
            push(heap, (rank, -self._count, frame))

    def _drawn(self, record: FrameRecord) -> int | None:
        """Return where a frame goes among ``SAMPLED`` of its source, each as likely as another."""
        some = self._some.setdefault(record.source, [])
        faults = self._faults.setdefault(record.source, [])
        faults.append(record.faults)
        if len(some) < SAMPLED:
            return len(some)
        place = int(self._random.integers(len(faults)))
        return place if place < SAMPLED else None

    def middle(self) -> dict[str, list[Picked]]:
        """Return frames of each source about whose faults half of its frames lie, near first.

        Without those that are among the worst or the best.
        """
        found, others = {}, (self._worst, self._best)
        shown = {frame.caption for one in others for heap in one.values() for *_, frame in heap}
        for source, some in sorted(self._some.items()):
            median = float(np.median(self._faults[source]))
            new = [frame for frame in some if frame.caption not in shown]
            found[source] = sorted(new, key=lambda one: abs(one.faults - median))[: self._kept]
        return found

    def worst(self) -> dict[str, list[Picked]]:
        """Return the frames with the most faults of each source, the worst first."""
        return _sorted(self._worst)

    def best(self) -> dict[str, list[Picked]]:
        """Return the frames with the fewest faults, the best first, without the worst ones."""
        shown = {frame.caption for heap in self._worst.values() for *_, frame in heap}
        ranked = _sorted(self._best)
        return {
            source: [frame for frame in frames if frame.caption not in shown]
            for source, frames in ranked.items()
        }


def caption(record: FrameRecord) -> str:
    """Name an image and say what it scored, in one line; in the order in which tasks are drawn."""
    rooms = tasks.parts("draw", record.scores)
    layers = {name: rooms[name].LAYER if name in rooms else 0 for name in record.scores}
    words = [record.image]
    for name in sorted(layers, key=lambda name: layers[name]):
        words += record.scores[name].words
    return " · ".join(words)


def _sorted(heaps: dict[str, list[tuple[float, int, Picked]]]) -> dict[str, list[Picked]]:
    """Sort each source's frames by rank, then by place in the set."""
    return {
        source: [frame for *_, frame in sorted(heap, key=lambda one: (-one[0], -one[1]))]
        for source, heap in sorted(heaps.items())
    }


def draw_answer(perception: Perception, sample: Sample, crop: Crop) -> bytes:
    """Draw the answer in colour and the labels in white; return it as JPEG."""
    picture = draw_beside_labels(sample.image, perception, {}, crop)
    scale = WIDTH_PX / crop.width
    size = (round(crop.height * scale), WIDTH_PX)
    shrink = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    picture = np.asarray(cv2.resize(picture, size[::-1], interpolation=shrink))
    # Now, since thin lines do not survive being shrunk.
    transform = ImageTransform.fit(perception.image_size, size, crop)
    labels = answered(sample.labels, perception)
    outline_labels(picture, moved(labels, lambda room, label: room.view(label, transform)))
    rows = draw_panels(perception, sample.labels, crop, WIDTH_PX)
    picture = np.concatenate([picture, *rows])
    _, data = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
    return bytes(data.tobytes())
