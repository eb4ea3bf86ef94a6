# SPDX-License-Identifier: Apache-2.0
"""Lines of JSON, drives, bags, the node's work: ``record`` and what a drive shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.structures import Size

Cell = str | float | int | None
"""Of a report's table; ``None`` and NaN are shown as not known."""


class Record(Protocol):
    """``record.py``: what stands of an answer in lines of JSON, under keys of the task's own."""

    FILES: Mapping[str, str]
    """Keys of a prediction that name a file of its own -> the folder of such files."""
    DETECTABLE: Sequence[str]
    """Names of what may be there or not, whose share of all images summaries tell."""

    def detected(self, answer: Any) -> Sequence[str]:
        """Return those of ``DETECTABLE`` that the answer shows."""

    def prediction(self, answer: Any, out: Path, picture: Path) -> dict[str, Any]:
        """Return the keys of a line of ``predictions.jsonl``; write the files that it names.

        Args:
            answer: Of one image.
            out: Folder of the result.
            picture: Path below one of the folders of ``FILES``, a ``.png``, that no other image
                has.
        """

    def result(self, answer: Any, crop: Crop) -> dict[str, Any]:
        """Return the keys of a line of ``results.jsonl``; ``crop`` is what the network saw."""

    def scores(self, counted: Any) -> dict[str, Any]:
        """Return the keys of a line's ``scores``, of a ``metric.Metric`` that saw this image alone.

        Where it saw nothing, there was no label.
        """

    def different(self, line: Mapping[str, Any], answer: Any, crop: Crop) -> Sequence[str]:
        """Name what of an answer that came in messages is not as a line of ``results.jsonl``."""


class Chart(NamedTuple):
    """Numbers from 0 to 1 that are drawn over a drive.

    Attributes:
        title: Of the chart.
        unit: Of its numbers.
        names: Of its lines.
    """

    title: str
    unit: str
    names: Sequence[str]


class Table(NamedTuple):
    """A table of a report.

    Attributes:
        title: Above it.
        header: Of its columns.
        rows: With a cell for each column.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]


class DriveReport(Protocol):
    """``drive_report.py`` (optional): what the report of a replayed drive shows."""

    CHART: Chart

    def over_time(self, line: Mapping[str, Any]) -> Mapping[str, float]:
        """Return what of ``CHART.names`` is known from a line of ``results.jsonl``."""

    def score_table(self, scores: Mapping[str, Any]) -> Table | None:
        """Return a table of what ``Metric`` computed; ``None`` where nothing was counted."""


class Steadiness(Protocol):
    """``steadiness.py`` (optional): what single images do not tell of a drive.

    ``Metric()`` has ``end_drive()``, ``merge(other)`` and ``compute()`` -> numbers by name.
    """

    Metric: Any

    def update(
        self, metric: Any, stamp_s: float, answer: Any, image_size: Size, label: Any | None
    ) -> None:
        """Add the next image of a drive."""

    def words(self, computed: Mapping[str, float]) -> str:
        """Say the most important in half a line; nothing where none of it is the task's own."""

    def numbers(self, computed: Mapping[str, float]) -> Sequence[tuple[str, Cell, str]]:
        """Return title, number and unit of what a report shows at its beginning."""

    def table(self, computed: Mapping[str, float], detected: Mapping[str, float]) -> Table:
        """Return the table of a report; ``detected`` is the share of images by name."""


class BagLabels(Protocol):
    """``bag_labels.py`` (optional): labels that a bag carries as messages of the task's own types.

    Each has the header of its image.
    """

    KINDS: Sequence[str]
    """Types of such messages."""

    def add(self, label: Any | None, message: Any) -> Any:
        """Return the label of an image with what one more message says of it.

        Raises:
            ValueError: The message makes no sense.
        """


class Progress(NamedTuple):
    """What a message tells of the node's work.

    Attributes:
        sequence: Images perceived so far, this one included.
        received: Images received.
        dropped: Of these, images that gave no answer, and never will.
        replaced: Of these, those that a newer one replaced.
        rejected: Of these, those that could not be used.
        stage_ms: Milliseconds of ``conversion``, ``preprocess``, ``inference``, ``decode`` and
            ``processing``, which is the whole node.
    """

    sequence: int
    received: int
    dropped: int
    replaced: int
    rejected: int
    stage_ms: Mapping[str, float]


class TellsProgress(Protocol):
    """``progress.py`` (optional): a topic whose messages tell of the node's work too."""

    TOPIC: str

    def progress(self, message: Any) -> Progress:
        """Return what a message tells."""

    def crop(self, message: Any) -> Crop | None:
        """Return what the network saw of the image (optional); ``None`` where that is not told."""
