# SPDX-License-Identifier: Apache-2.0
"""What a data set holds: counts by source, and for each task what its labels hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks as table_of_tasks
from shared_encoder_perception.files.safe_text import printable
from shared_encoder_perception.labels.frame import LabelledFrame
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.labels import Panel, Read

PANELS_IN_ROW: Final = 4
NARROW: Final = 8
WIDE: Final = 18
"""Characters of a column with plain numbers, and of one with a note or a long name."""
MOST_COMMON: Final = 12


@dataclass
class Labelled:
    """How many labels there are: what is told of a task that tells nothing itself.

    Attributes:
        name: Of the task.
        there: Frames with a label.
        unknown: Frames without one.
    """

    name: str
    there: int = 0
    unknown: int = 0

    def add(self, read: Read | None, size: Size, *, files: bool) -> None:
        """Count one frame."""
        self.there += read is not None
        self.unknown += read is None

    def columns(self) -> list[tuple[str, str]]:
        """Return the number of labels."""
        return [(self.name, str(self.there))]

    def bars(self) -> dict[str, tuple[int, int, int]]:
        """Return how often there is a label."""
        return {self.name: (self.there, 0, self.unknown)}


def _room(task: str) -> Any | None:
    """``statistics.py`` of a task, if it has any."""
    return table_of_tasks.find_part(task, "statistics")


def _counts() -> dict[str, Any]:
    """Empty counts of every task."""
    rooms = {task: _room(task) for task in table_of_tasks.parts("labels")}
    return {task: Labelled(task) if room is None else room.Counts() for task, room in rooms.items()}


@dataclass
class SourceStatistics:
    """Counts of one source.

    Attributes:
        frames: Number of frames.
        labels: By task, ``Counts`` of what its labels hold.
        pseudo: Task -> frames whose label comes from a teacher.
        sizes: ``WxH`` -> frames.
        attributes: ``key=value`` -> frames.
        notes: Why labels were left out -> frames.
    """

    frames: int = 0
    labels: dict[str, Any] = field(default_factory=_counts)
    pseudo: Counter[str] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)
    attributes: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)


@dataclass
class Statistics:
    """Counts of a whole set; its size does not grow with the set.

    Attributes:
        sources: By source.
        labelled: Tasks of which any frame has a label.
    """

    sources: dict[str, SourceStatistics] = field(default_factory=dict)
    labelled: set[str] = field(default_factory=set)

    def told(self) -> dict[str, Any]:
        """Return empty counts of the tasks that are told of: those with labels, else all."""
        counts = _counts()
        return {task: one for task, one in counts.items() if task in self.labelled} or counts

    def add(self, frame: LabelledFrame, *, pictures: bool) -> None:
        """Count one frame; ``pictures``: read files of labels too."""
        counts = self.sources.setdefault(frame.source or "images", SourceStatistics())
        counts.frames += 1
        self.labelled.update(
            task for task, read in frame.labels.items() if not getattr(read, "nothing_known", False)
        )
        counts.sizes[f"{frame.size[1]}x{frame.size[0]}"] += 1
        counts.pseudo.update(pseudo_words(frame))
        counts.notes.update(frame.notes)
        counts.attributes.update(f"{key}={value}" for key, value in frame.attributes.items())
        for task, labels in counts.labels.items():
            labels.add(frame.labels.get(task), frame.size, files=pictures)


def pseudo_words(frame: LabelledFrame) -> list[str]:
    """Return what the file calls those labels of a frame that a teacher made."""
    return [room.KEYS[0] for room in table_of_tasks.parts("labels", frame.pseudo).values()]


def count(frames: Iterable[LabelledFrame], *, pictures: bool = True) -> Statistics:
    """Count all frames of a set."""
    statistics = Statistics()
    for frame in frames:
        statistics.add(frame, pictures=pictures)
    return statistics


def table(statistics: Statistics) -> str:
    """Render the counts for a terminal; columns of plain numbers come first."""
    empty, sources = statistics.told(), sorted(statistics.sources.items())
    notes = {task: getattr(_room(task), "NOTE", "") for task in empty}
    widths = {task: _width(counts, notes[task]) for task, counts in empty.items()}
    tasks = sorted(empty, key=lambda task: widths[task])

    def line(first: str, frames: str, cells: Iterable[tuple[str, str]]) -> str:
        columns = "".join(f"{text:>{widths[task]}}" for task, text in cells)
        return f"{printable(first):<20}{frames:>8}{columns}"

    names = [(task, name) for task in tasks for name, _ in empty[task].columns()]
    lines = [line("source", "frames", names)]
    if any(notes.values()):
        lines.append(line("", "", [(t, notes[t]) for t, _ in names]))
    for source, counts in sources:
        cells = ((task, text) for task in tasks for _, text in counts.labels[task].columns())
        lines.append(line(source, str(counts.frames), cells))
    for source, counts in sources:
        for what in ("sizes", "pseudo", "attributes", "notes"):
            found = getattr(counts, what).most_common(MOST_COMMON)
            if found:
                lines.append(
                    printable(f"{source}, {what}: " + ", ".join(f"{k} {n}" for k, n in found))
                )
    return "\n".join(lines)


def _width(counts: Any, note: str) -> int:
    """Characters of each of a task's columns."""
    fits = all(len(name) < NARROW for name, _ in counts.columns())
    return NARROW if fits and not note else WIDE


def plot(statistics: Statistics) -> NDArray[np.uint8]:
    """Draw how many labels there are, and what the tasks show of theirs.

    Returns:
        (H, W, 3) uint8 BGR.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = [Panel("labels", lambda axis: _plot_bars(axis, statistics)), *_panels(statistics)]
    rows = -(-len(panels) // PANELS_IN_ROW)
    figure = Figure(figsize=(14, 4 * rows), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots(rows, PANELS_IN_ROW, squeeze=False).ravel()
    for axis, panel in zip(axes, panels, strict=False):
        panel.draw(axis)
        axis.set(title=panel.title)
    for axis in axes[len(panels) :]:
        axis.axis("off")
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[:, :, 2::-1])


def _panels(statistics: Statistics) -> list[Panel]:
    """What the tasks show."""
    found: list[Panel] = []
    for task, room in table_of_tasks.parts("statistics", statistics.told()).items():
        sources = sorted(statistics.sources.items())
        found += room.panels({source: counts.labels[task] for source, counts in sources})
    return found


def _plot_bars(axis: Any, statistics: Statistics) -> None:
    """Stacked bars: how often each thing is present, absent, unknown."""
    told = statistics.told()
    totals: dict[str, NDArray[np.int64]] = {
        name: np.zeros(3, np.int64) for counts in told.values() for name in counts.bars()
    }
    for source in statistics.sources.values():
        for task in told:
            for name, numbers in source.labels[task].bars().items():
                totals[name] += numbers
    left = np.zeros(len(totals))
    for label, values, colour in zip(
        ("present", "absent", "unknown"),
        np.array(list(totals.values())).T,
        ("#0072b2", "#e69f00", "#bbbbbb"),
        strict=True,
    ):
        axis.barh(list(totals), values, left=left, label=label, color=colour)
        left += values
    axis.invert_yaxis()
    axis.set(xlabel="frames")
    axis.legend(fontsize=8)
