# SPDX-License-Identifier: Apache-2.0
"""Two answers to every frame, counted side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from shared_encoder_perception import tasks
from shared_encoder_perception.evaluation.apart import apart
from shared_encoder_perception.evaluation.diff.bootstrap import BlockSums
from shared_encoder_perception.evaluation.diff.changed import (
    APART,
    BETTER,
    SEPARATOR,
    WORSE,
    ChangedFrames,
    Side,
)
from shared_encoder_perception.evaluation.diff.counts import Columns
from shared_encoder_perception.evaluation.diff.frames import DiffFrame
from shared_encoder_perception.evaluation.diff.metrics import Change, changes
from shared_encoder_perception.evaluation.frame_counts import FullCounts
from shared_encoder_perception.evaluation.frame_record import FrameRecord, scores_of
from shared_encoder_perception.evaluation.picked_frames import caption, draw_answer
from shared_encoder_perception.images.preprocess import Crop, default_crop
from shared_encoder_perception.structures import Perception, Size
from shared_encoder_perception.tasks.contract.comparisons import Counts

FOUND: Final = ("both", "only A", "only B", "neither")

TaskCounts = dict[str, Counts]
"""Counts of a frame by task, for each task that was answered."""


class Pairs:
    """Everything that is counted of two answers to the same frames.

    Attributes:
        changed: The frames that changed most.
        frames: So many were compared.
        block: Frames that the bootstrap draws together.
        answered: Tasks that A or B answered, in the order of the table.
        found: What may be found, such as a lane -> frames in which both, only one or neither found
            it; as ``FOUND``.
    """

    def __init__(self, block: int, names: Iterable[str] = tasks.ROOMS) -> None:
        """Start empty; ``names`` are the tasks that may be answered."""
        self.block = block
        self.changed = ChangedFrames()
        self.frames = 0
        self.found: dict[str, dict[str, int]] = {}
        self._columns = Columns(names)
        things = {
            name: room.THINGS for name, room in tasks.parts("drift", self._columns.places).items()
        }
        self._things = {name: one.names if one else () for name, one in things.items()}
        self._seen: set[str] = set()
        self._a, self._b = BlockSums(block), BlockSums(block)

    @property
    def answered(self) -> list[str]:
        """Return the tasks that were answered, by A or B."""
        return [name for name in self._columns.places if name in self._seen]

    def add(self, source: str, a: Mapping[str, Counts], b: Mapping[str, Counts]) -> None:
        """Add the counts of one frame; those of B hold its agreement with A."""
        self.frames += 1
        self._seen |= {*a, *b}
        for name in self.answered:
            for thing in self._things[name]:
                said = [side.get(name, {}).get(f"{thing}/detected") for side in (a, b)]
                kinds = self.found.setdefault(thing, dict.fromkeys(FOUND, 0))
                kinds[FOUND[0 if all(said) else 1 if said[0] else 2 if said[1] else 3]] += 1
        self._a.add(source, self._columns.row(a))
        self._b.add(source, self._columns.row(b))

    @property
    def units(self) -> int:
        """Frames or blocks that the bootstrap draws from."""
        return sum(map(len, self._a.groups()))

    def compute(self, **options: int) -> dict[str, Change]:
        """Return what changed; ``options`` as of ``metrics.changes``.

        Raises:
            ValueError: There was no frame.
        """
        if not self.frames:
            raise ValueError("there is no frame to compare on")
        return changes(self._columns, self._a.groups(), self._b.groups(), **options)


def compare_frame(
    pairs: Pairs,
    frame: DiffFrame,
    answers: tuple[Perception, Perception],
    input_size: Size,
    labelled: bool,
) -> None:
    """Add one frame that both models have perceived.

    Args:
        pairs: Gets the counts.
        frame: The image, with its labels if ``labelled``.
        answers: Of A and of B.
        input_size: Of A's network, for the crop where the frame has none: both are measured in it.
        labelled: Whether to score against labels.
    """
    a, b = answers
    crop = frame.crop or default_crop(a.image_size, input_size)
    counts = _counts(a, b, crop)
    if labelled:
        records = []
        for answer, row in zip(answers, counts, strict=True):
            record, scored = _score(frame, answer, crop)
            for name in row:
                row[name] = {**row[name], **scored[name]}
            records.append(record)
        texts = [caption(record).removeprefix(record.image) for record in records]
        worse = records[1].faults - records[0].faults
        ranks = [(WORSE, worse), (BETTER, -worse)]
    else:
        texts = [answer_text(answer) for answer in answers]
        ranks = [(APART, sum(apart(a, b, crop).values()))]
    pairs.add(frame.source, *counts)

    def draw() -> tuple[Side, Side]:
        one, other = (
            (text.removeprefix(SEPARATOR), draw_answer(answer, frame.sample, crop))
            for text, answer in zip(texts, answers, strict=True)
        )
        return one, other

    for kind, amount in ranks:
        pairs.changed.update(kind, amount, frame.source, frame.name, draw)


def _counts(a: Perception, b: Perception, crop: Crop) -> tuple[TaskCounts, TaskCounts]:
    """Count what two answers say, and in B's counts how far they agree."""
    rooms = tasks.parts("drift")
    said = tuple(
        {
            name: room.answer_counts(answer.answers[name], crop)
            for name, room in rooms.items()
            if name in answer.answers
        }
        for answer in (a, b)
    )
    for name in said[0].keys() & said[1].keys():
        one, other = a.answers[name], b.answers[name]
        said[1][name] = {**said[1][name], **rooms[name].agreement_counts(one, other, crop)}
    return said[0], said[1]


def _score(frame: DiffFrame, answer: Perception, crop: Crop) -> tuple[FrameRecord, TaskCounts]:
    """Score an answer to one frame against its labels."""
    counted = FullCounts()
    counted.update(answer, frame.sample, crop)
    # What kind of image it is, is the same for both.
    record = FrameRecord(frame.name, frame.source, {}, scores_of(answer, counted), {})
    counts = {
        name: room.label_counts(
            counted.basic.metrics[name], counted.full[name], record.scores[name].shares
        )
        for name, room in tasks.parts("drift", counted.full).items()
    }
    return record, counts


def answer_text(answer: Perception) -> str:
    """Say what an answer found."""
    rooms = tasks.parts("drift", answer.answers)
    return SEPARATOR.join(
        word for name, room in rooms.items() for word in room.words(answer.answers[name])
    )
