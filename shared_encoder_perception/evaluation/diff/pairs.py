"""Two answers to every frame, counted side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared_encoder_perception.drawing.visualize import LEGEND
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
from shared_encoder_perception.evaluation.diff.counts import (
    IMAGE_SHARES,
    agreement_counts,
    answer_counts,
    image_counts,
    label_counts,
    to_row,
)
from shared_encoder_perception.evaluation.diff.frames import DiffFrame
from shared_encoder_perception.evaluation.diff.metrics import Change, changes
from shared_encoder_perception.evaluation.frame_counts import FullCounts
from shared_encoder_perception.evaluation.frame_record import SLICES, FrameRecord, record_of
from shared_encoder_perception.evaluation.picked_frames import caption, draw_answer
from shared_encoder_perception.images.preprocess import Crop, default_crop
from shared_encoder_perception.structures import Perception, Size
from shared_encoder_perception.tasks.lanes.answer import LANE_NAMES

FOUND: Final = ("both", "only A", "only B", "neither")


class Pairs:
    """Everything that is counted of two answers to the same frames.

    Attributes:
        changed: The frames that changed most.
        frames: So many were compared.
        block: Frames that the bootstrap draws together.
        found: Lane -> frames in which both, only one or neither found it; as ``FOUND``.
    """

    def __init__(self, block: int) -> None:
        """Start empty."""
        self.block = block
        self.changed = ChangedFrames()
        self.frames = 0
        self.found = {name: dict.fromkeys(FOUND, 0) for name in LANE_NAMES}
        self._a, self._b = BlockSums(block), BlockSums(block)

    def add(self, source: str, a: Mapping[str, float], b: Mapping[str, float]) -> None:
        """Add the counts of one frame; those of B hold its agreement with A."""
        self.frames += 1
        for name, kinds in self.found.items():
            said = a[f"{name}/detected"], b[f"{name}/detected"]
            kinds[FOUND[0 if all(said) else 1 if said[0] else 2 if said[1] else 3]] += 1
        self._a.add(source, to_row(a))
        self._b.add(source, to_row(b))

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
        return changes(self._a.groups(), self._b.groups(), **options)


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
    counts = [answer_counts(answer, crop) for answer in answers]
    counts[1] |= agreement_counts(a, b, crop)
    if labelled:
        records = []
        for answer, row in zip(answers, counts, strict=True):
            record, scored = _score(frame, answer, crop)
            row |= scored
            records.append(record)
        texts = [caption(record).removeprefix(record.image) for record in records]
        worse = records[1].faults - records[0].faults
        ranks = [(WORSE, worse), (BETTER, -worse)]
    else:
        texts = [lanes_text(answer) for answer in answers]
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


def _score(
    frame: DiffFrame, answer: Perception, crop: Crop
) -> tuple[FrameRecord, dict[str, float]]:
    """Score an answer to one frame against its labels."""
    counted = FullCounts()
    counted.update(answer, frame.sample, crop)
    slices = dict.fromkeys(SLICES, "")  # what kind of image it is, is the same for both
    record = record_of(frame.name, frame.source, slices, answer, counted)
    shares = {name: getattr(record, name) for name in IMAGE_SHARES}
    return record, {**label_counts(counted), **image_counts(shares)}


def lanes_text(answer: Perception) -> str:
    """Name the lanes that an answer found."""
    lanes = [
        f"{LEGEND[line.lane_id]} {line.confidence:.2f}" for line in answer.lanes if line.detected
    ]
    return SEPARATOR.join(lanes) or "no lane"
