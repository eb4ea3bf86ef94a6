# SPDX-License-Identifier: Apache-2.0
"""What is known about pictures, and from where: ``labels``, ``teacher``, ``statistics``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import Crop, ImageTransform
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.runtime import Label

Read = Callable[[], Label]
"""Reads or makes a label when it is asked for: labels may be files, and sets are streamed.

One with an attribute ``nothing_known`` that is true reads what ``Labels.known`` says no to: of
labels in files this is to be seen without reading them.
"""


class UsualLane(NamedTuple):
    """How wide a lane usually looks to a set's camera.

    At row ``y`` it is ``width_slope * (y - horizon_row_px)`` pixels.

    Attributes:
        width_slope: Pixels of width for each row below the horizon.
        horizon_row_px: Row of the horizon.
        centre_column_px: Column of the vehicle's own middle.
    """

    width_slope: float
    horizon_row_px: float
    centre_column_px: float


class Labels(Protocol):
    """``labels.py``: what a label is, in files and in pictures that are cropped or turned.

    ``Label`` is a frozen dataclass with ``check(image_size)``, which raises a ``ValueError``.
    """

    Label: Any
    KEYS: Sequence[str]
    """Keys of a line of ``frames.jsonl`` that belong to this task. The first one names the task's
    labels where the file says which of them a teacher made."""
    LAST: Sequence[str]
    """(optional) Those of ``KEYS`` that are written behind the keys of all tasks."""
    OF_WORLD: Sequence[str]
    """(optional) What ``of_world`` needs of a ``Rendered`` that is only painted where somebody asks
    for it: ``"classes"``, ``"distances"``, ``"empty"``."""
    MEANING: str
    """(optional) That of ``KEYS`` which names the file, JSON, that says what labels mean."""
    IN_FILES: bool
    """(optional) Whether labels are files beside the line, which take time to read."""
    FILE_KEYS: Sequence[str]
    """(optional) Those of ``KEYS`` that name such files; all of them, where this is not said."""
    SCORED_FROM_TEACHER: bool
    """(optional) Whether labels by a teacher network may be scored against, not only trained on."""

    def faults(self, record: Mapping[str, Any], size: Size) -> Iterator[str]:
        """Say what is wrong with the task's keys of a line, files not looked at."""

    def read(self, record: Mapping[str, Any], folder: Path, size: Size) -> Read | None:
        """Return what reads the label of a line that has no faults; ``None`` where there is none.

        What is returned raises a ``tasks.label_files.LabelError`` for a file that cannot be used.

        Args:
            record: The line.
            folder: Where the set is.
            size: ``(height, width)`` of the picture.
        """

    def write(self, label: Label, folder: Path, picture: Path) -> dict[str, Any]:
        """Return the keys of a line for a label; write its files below ``folder``.

        ``picture`` is where the picture is below ``folder/images``; files take its name.
        """

    def merge(self, first: Label, second: Label) -> tuple[Label, Sequence[tuple[str, Any]]]:
        """Join two labels of one picture: what only the second knows is added, else the first wins.

        Returns:
            The label, ``first`` itself where nothing is added; and what was not kept of the second:
            a name, and JSON of it.
        """

    def known(self, label: Label) -> bool:
        """(optional) Whether there is anything to train on or to score by, not only for people."""

    def for_people(self, label: Label) -> Label | None:
        """(optional) Return what of a label is for people alone, and outlives the rest of it."""

    def rare(self, record: Mapping[str, Any]) -> bool:
        """(optional) Whether a line, which may have faults, shows what training sees too seldom."""

    def complete(self, record: Mapping[str, Any]) -> bool:
        """(optional) Whether a line, which may have faults, shows all that the task can answer.

        By default: whether it has one of ``KEYS``.
        """

    def of_world(self, rendered: Any) -> Label | None:
        """Return the exact label of a rendered world (``world.rendered.Rendered``)."""

    def of_set(self, said: Any) -> tuple[Read | None, Sequence[str]]:
        """(optional) Return the label of what another data set says (``labels.said.Said``).

        Returns:
            What makes the label, or ``None``; and notes: why something was left out.
        """

    def horizon_px(self, label: Label) -> float | None:
        """(optional) Return the row of the horizon as far as a label tells, ``None`` if not."""

    def view(self, label: Label, transform: ImageTransform) -> Label:
        """Return the label of the network's input, in its pixels; nothing is cut off."""

    def mirror(self, label: Label, width: int) -> Label:
        """Return the label of the mirrored picture: left things become right ones."""

    def warp(self, label: Label, matrix: NDArray[np.float64], size: Size) -> Label:
        """Return the label of a picture moved by a (2, 3) affine matrix, pixels to pixels.

        What comes in from outside is not labelled.
        """

    def shows_new(self, label: Label) -> NDArray[np.bool_]:
        """(optional) Return (H, W) bool: what of its picture can be cut out, and put elsewhere."""

    def companions(self, label: Label) -> Mapping[str, NDArray[np.uint8]]:
        """(optional) Return the pictures that a network compares the label's picture with.

        By the name of the input, (H, W, 3) uint8 BGR, moved as the label was.
        """

    def with_companions(self, label: Label, pictures: Mapping[str, NDArray[np.uint8]]) -> Label:
        """Return the label with such pictures changed (where there is ``companions``)."""

    def inside(self, label: Label, crop: Crop) -> Label:
        """Return what of the label a network that saw only ``crop`` can be held to.

        In pixels of the whole picture.
        """

    def still_true(self, label: Label, size: Size) -> bool:
        """Whether a label that was moved still means what it says, such as "own lane"."""


class Option(NamedTuple):
    """One option of ``dataset label``; numbers only.

    Attributes:
        name: With its dashes, e.g. ``"--lane"``.
        field: Of the dataclass that takes its value; the field's default is the option's.
        metavar: What to call the number.
        help: One line.
    """

    name: str
    field: str
    metavar: str
    help: str


class Teacher(Protocol):
    """``teacher.py`` (optional): labels by a network; only what it is sure of.

    ``Doubt()`` is a frozen dataclass of numbers: when a teacher is believed. Its
    ``__post_init__`` raises a ``ValueError``.
    """

    Doubt: Any
    PRE_LABELS: Any
    """The ``Doubt`` of labels that people will correct."""
    OPTIONS: Sequence[Option]
    """For ``Doubt``."""

    def of_answer(
        self, answer: Any, doubt: Any, size: Size, crop: Crop, had: Label | None
    ) -> Label | None:
        """Return what an answer that was made from ``crop`` of a picture is sure of.

        ``had`` is what people said of the picture that is for people alone, and is kept.
        """

    def names(self, label: Label) -> Sequence[str]:
        """(optional) Return names of the things that a label knows, to be counted."""


class MaskTeacher(Protocol):
    """``mask_teacher.py`` (optional): labels by probabilities that any other network painted.

    A mask is (H, W) uint8 of its picture's size, 0 to 255 for a probability of 0 to 1.
    """

    MASK: str
    """Name of the masks that this task is labelled by, and of their option without its dashes."""
    HELP: str
    """What they show."""
    ALSO: Sequence[str]
    """Names of other masks that are taken into account where there are any."""
    Config: Any
    """Frozen dataclass of numbers, or ``None``, that have options of their own."""
    OPTIONS: Sequence[Option]
    """For ``Config``."""

    def of_masks(
        self, masks: Mapping[str, NDArray[np.uint8]], doubt: Any, config: Any, had: Label | None
    ) -> tuple[Label | None, Sequence[str] | None]:
        """Return the label of a picture, and notes: why something was left out.

        The notes are ``None`` where the task never has any.

        Args:
            masks: By name; that of ``MASK`` is there.
            doubt: As in ``teacher.py``.
            config: See ``Config``.
            had: As in ``Teacher.of_answer``.
        """


class Panel(NamedTuple):
    """One small diagram.

    Attributes:
        title: Above it.
        draw: Draws on a matplotlib ``Axes``.
    """

    title: str
    draw: Callable[[Any], None]


class Counts(Protocol):
    """``statistics.Counts``: what the labels of one source hold; its size does not grow."""

    def add(self, read: Read | None, size: Size, *, files: bool) -> None:
        """Count one picture; files are only read if ``files``."""

    def columns(self) -> Sequence[tuple[str, str]]:
        """Return the cells of a table: a column's name, and its text."""

    def bars(self) -> Mapping[str, tuple[int, int, int]]:
        """Return how often each thing is there, known to be absent, and unknown."""


class LabelStatistics(Protocol):
    """``statistics.py`` (optional): what a set's labels hold. Without it they are only counted."""

    Counts: type[Counts]
    NOTE: str
    """Stands below the names of the columns, e.g. ``"yes / no / ?"``; empty for plain numbers."""

    def panels(self, by_source: Mapping[str, Any]) -> Sequence[Panel]:
        """Return diagrams of the ``Counts`` of all sources."""
