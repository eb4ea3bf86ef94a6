# SPDX-License-Identifier: Apache-2.0
"""The images on which two models are compared: labelled ones, rendered ones, or any others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from shared_encoder_perception import tasks
from shared_encoder_perception.evaluation.labelled_images import (
    LabelledSet,
    open_set,
    render_worlds,
)
from shared_encoder_perception.files.typed_json import parse_json
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.images.sources import FolderSource, JsonlSource, open_source
from shared_encoder_perception.images.spread import evenly
from shared_encoder_perception.labels.native import labels_file
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.tasks.label_files import FILE_NAME

UNLABELLED_SOURCE: Final = "images"
DRIVE_BLOCK: Final = 30
"""Frames of a video or a bag that are drawn together: about a second."""


@dataclass(frozen=True, eq=False)
class DiffFrame:
    """One image.

    Attributes:
        source: Name of its group.
        name: Inside its source.
        sample: The image; with its labels where there are any.
        crop: What the models are to see; ``None`` for their default.
    """

    source: str
    name: str
    sample: Sample
    crop: Crop | None


@dataclass(frozen=True, eq=False)
class DiffInput:
    """What two models are compared on.

    Attributes:
        conditions: What it is, in words that are the same on every machine.
        labelled: Whether it has labels.
        total: Number of images; 0 where only reading tells.
        block: Frames that are drawn together unless the user says otherwise.
        read: Yields the images.
        problems: What could not be read so far, one line each.
    """

    conditions: Mapping[str, str]
    labelled: bool
    total: int
    block: int
    read: Callable[[], Iterator[DiffFrame]]
    problems: Sequence[str] = ()


def open_input(
    path: Path, topic: str | None, limit: int, answered: Collection[str] = ()
) -> DiffInput:
    """Open whatever ``--input`` names.

    Args:
        path: A native data set, an image folder, a video or a bag.
        topic: Of a bag's images.
        limit: Most images, 0 for all: of a labelled set spread evenly, else the first.
        answered: Tasks of the models, as of ``open_set``.

    Raises:
        ValueError: It cannot be read, with the reason.
    """
    try:
        labels = labels_file(path)
    except FileNotFoundError:
        if not path.is_dir():
            raise
        labels = path  # a folder of pictures, or a bag
    jsonl = labels.suffix == Path(FILE_NAME).suffix and labels.is_file()
    if jsonl and topic is None and _has_labels(labels):
        return labelled_input(open_set(path, answered), limit)
    source = open_source(labels if jsonl else path, topic)
    total = min(len(source), limit or len(source))

    def read() -> Iterator[DiffFrame]:
        for frame in islice(source, limit or None):
            sample = Sample(frame.image, name=frame.name)
            yield DiffFrame(UNLABELLED_SOURCE, frame.name, sample, frame.crop)

    single = isinstance(source, (FolderSource, JsonlSource))
    conditions = {"data": f"{path.resolve().name}{f', {topic}' if topic else ''}, no labels"}
    return DiffInput(conditions, False, total, 1 if single else DRIVE_BLOCK, read, source.problems)


def rendered_input(count: int, answered: Collection[str]) -> DiffInput:
    """Return ``count`` rendered worlds; see ``render_worlds``."""
    return labelled_input(render_worlds(count, answered), 0)


def labelled_input(labelled: LabelledSet, limit: int) -> DiffInput:
    """Return a labelled set, or so many of its images."""

    def read() -> Iterator[DiffFrame]:
        for image in evenly(labelled.read(), labelled.total, limit):
            yield DiffFrame(image.source, image.name, image.sample, image.crop)

    conditions = {key: labelled.conditions[key] for key in ("data", "labelled")}
    return DiffInput(conditions, True, min(labelled.total, limit or labelled.total), 1, read)


def _has_labels(path: Path) -> bool:
    """Whether any line of a ``frames.jsonl`` has labels, right or wrong; else it is a mere list."""
    keys = [key for room in tasks.parts("labels").values() for key in room.KEYS]
    with path.open("rb") as lines:
        for line in lines:
            try:
                record = parse_json(line, "it")
            except ValueError:
                return True  # whoever reads labels says what is wrong
            if isinstance(record, dict) and any(record.get(key) for key in keys):
                return True
    return False
