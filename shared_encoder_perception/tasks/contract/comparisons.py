# SPDX-License-Identifier: Apache-2.0
"""Engines, versions and frames compared: ``differences``, ``drift``, ``recorded``, ``reasons``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.runtime import Outputs

# ---- engines: compare, export -------------------------------------------------------------------


class Quantity(NamedTuple):
    """Something that output tensors hold, compared between two engines.

    Attributes:
        title: Heading of its column, with the unit: ``"start, cells"``.
        most: Precision -> largest error that ``compare`` tolerates by default; what is missing is
            not checked.
        rounding: Largest error that float32 operations in another order explain, of a network with
            any weights; what ``export`` tolerates between torch and the exported graph.
    """

    title: str
    most: Mapping[str, float]
    rounding: float


class ShownScore(NamedTuple):
    """A headline score that ``compare`` shows.

    Attributes:
        title: Heading of its column.
        loss: How much lower than the reference's it may be by default; ``None`` for any.
    """

    title: str
    loss: float | None


class Differences(Protocol):
    """``differences.py`` (optional): how far an engine's output tensors are from another's.

    Without it the largest difference of each output tensor is shown, by the tensor's name; and the
    scores of ``metric.SCORE``. Ask through ``evaluation.deviations``, which knows about that.
    """

    QUANTITIES: Mapping[str, Quantity]
    """In the order of their columns; names are keys of files of tolerances."""
    SCORES: Mapping[str, ShownScore]
    """Keys of ``metric.headline``; a file of tolerances calls them ``..._loss``."""

    def errors(self, outputs: Outputs, reference: Outputs) -> Mapping[str, NDArray]:
        """Return the absolute error of each of ``QUANTITIES``, arrays of any shape.

        Args:
            outputs: Of all tasks, for one image, without the batch axis.
            reference: The same tensors of the engine that is taken for right.
        """


# ---- versions: diff -----------------------------------------------------------------------------

HIGHER, LOWER, NEITHER = 1, -1, 0
"""Which is better; of ``NEITHER`` any change is a loss."""
AGREEMENT: Final = "agreement/"
"""Begins the names of scores that hold version B against version A."""
FRAMES: Final = "frames"
"""A column that every task has: so many images were answered."""

Values = NDArray[np.float64]
"""A number for each sum: (R,)."""
Counts = Mapping[str, float]
"""Column -> number; what is not named is 0."""


class Sums(Protocol):
    """Summed counts of one task, by the names of its columns and ``FRAMES``."""

    def __getitem__(self, name: str) -> Values:
        """Return a column, all sources together."""

    def each(self, name: str) -> Sequence[Values]:
        """Return a column of every source."""


class Limit(NamedTuple):
    """What a score may lose.

    Attributes:
        loss: The largest loss that is allowed.
        significant: Whether a loss that chance may explain is allowed, however large.
    """

    loss: float
    significant: bool = False


@dataclass(frozen=True)
class SummedScore:
    """One score, a function of summed counts.

    Attributes:
        name: In files; no two tasks share one.
        better: ``HIGHER``, ``LOWER`` or ``NEITHER``.
        value: Its values, of sums; NaN where nothing was counted.
        perfect: What a model scores against itself, for scores of B against A.
        limit: What it may lose by default; ``None`` for anything.
        place: Among the scores of all tasks, low first; of those in one place the table's order
            decides. The headline is at 0, agreement from 90 on.
        part: Whether it is of a part of the answer only, such as one lane.
        glance: Whether it is one of the few that tell most.
    """

    name: str
    better: int
    value: Callable[[Any], Values]
    perfect: float | None = None
    limit: Limit | None = None
    place: int = 0
    part: bool = False
    glance: bool = False


class Things(NamedTuple):
    """What a model finds or does not find in an image, such as lanes.

    Attributes:
        noun: Of one of them.
        names: Of each, as ``record.DETECTABLE``; it has a column ``NAME/detected``, 1 where it was
            found.
        agreed: Last part of the names ``agreement/NAME/...`` of scores -> heading and decimals.
        text: What the headings mean.
    """

    noun: str
    names: Sequence[str]
    agreed: Mapping[str, tuple[str, int]]
    text: str


class DriftTexts(NamedTuple):
    """A task in the words of the report.

    Attributes:
        whole: What the answer is of: ``"all lanes"``.
        faults: What is a fault of a frame.
        apart: What is counted where two answers differ.
        note: A sentence about the scores; may be empty.
    """

    whole: str
    faults: str
    apart: str
    note: str = ""


class Drift(Protocol):
    """``drift.py`` (optional): what is counted of an image so that two models can be compared.

    Every score is computed from sums of such counts, over all images or over those that the
    bootstrap drew. A task without it is left out of ``diff``.
    """

    COLUMNS: Sequence[str]
    SCORES: Sequence[SummedScore]
    THINGS: Things | None
    TEXTS: DriftTexts

    def answer_counts(self, answer: Any, crop: Crop) -> Counts:
        """Count what an answer says, right or not."""

    def label_counts(self, metric: Any, full: Any, shares: Mapping[str, float]) -> Counts:
        """Take the counts from the room's ``Metric`` and ``FullMetric`` that saw one image alone.

        ``shares`` are those of its ``FrameScores``.
        """

    def agreement_counts(self, one: Any, other: Any, crop: Crop) -> Counts:
        """Count how far two answers to one image agree, whoever is right.

        What has a place in ``one`` is measured there.
        """

    def apart(self, one: Any, other: Any, image_size: Size, crop: Crop) -> Mapping[str, float]:
        """Return how far two answers are apart, as if ``one`` were right: part -> 0 to 1."""

    def words(self, answer: Any) -> Sequence[str]:
        """Say for people what was found, e.g. ``("left 0.93", "right 0.88")``."""


class Seen(NamedTuple):
    """What a file tells of one answer.

    Attributes:
        counts: As far as known.
        words: For people.
        faults: As of ``FrameScores``; 0 without a label.
    """

    counts: Counts
    words: Sequence[str] = ()
    faults: float = 0.0


class Apart(NamedTuple):
    """What files tell of two answers to one image.

    Attributes:
        counts: As of ``Drift.agreement_counts``.
        amount: How far they are apart, 0 for not at all.
    """

    counts: Counts
    amount: float = 0.0


class Held(NamedTuple):
    """What a kind of file holds of an answer, in words.

    Attributes:
        has: Such as ``"shares of each image"``.
        lacks: Why scores are missing: ``"counts of rows"``.
    """

    has: Sequence[str]
    lacks: Sequence[str]


class Recorded(Protocol):
    """``recorded.py`` (optional): what the results of ``evaluate`` and ``replay`` tell ``diff``.

    They hold less than answers do. A task without it is left out where results are compared.
    """

    CELLS: Held
    """Of lines of ``frames.csv``."""
    LINES: Held
    """Of lines of ``results.jsonl``."""

    def of_cells(self, cells: Mapping[str, str]) -> Seen:
        """Count a line of ``frames.csv``, which has ``metric.COLUMNS``."""

    def cells_apart(self, one: Seen, other: Seen) -> Apart:
        """Compare two such lines."""

    def of_line(self, line: Mapping[str, Any]) -> Seen | None:
        """Count a line of ``results.jsonl``; ``None`` where the model does not answer the task.

        Raises:
            KeyError, TypeError, ValueError: The line is damaged.
        """

    def lines_apart(self, one: Mapping[str, Any], other: Mapping[str, Any]) -> Apart:
        """Compare two such lines, both with an answer."""


# ---- frames: mine -------------------------------------------------------------------------------


class Reason(NamedTuple):
    """Why a frame may be worth labelling.

    Attributes:
        score: 0 for not at all, about 1 for much.
        note: What it is about, for people: ``"ego 0.52"``.
    """

    score: float
    note: str


class Reasons(Protocol):
    """``reasons.py`` (optional): what ``mine`` asks about an answer; no label is needed."""

    REASONS: Mapping[str, str]
    """Name of a reason -> what it means, a few words."""
    NOTHING: str
    """What people call an image in which none of ``record.DETECTABLE`` was found: ``"no lane"``.
    Empty where there is no such thing."""

    def reasons(self, answer: Any, crop: Crop) -> Mapping[str, Reason]:
        """Return each of ``REASONS``."""

    def planes(self, answer: Any, crop: Crop) -> Sequence[NDArray[np.uint8]]:
        """Return pictures (H, W), 0 to 255, by which frames are told apart beside their image."""
