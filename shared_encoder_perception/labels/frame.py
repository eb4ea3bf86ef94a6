# SPDX-License-Identifier: Apache-2.0
"""One labelled picture of a data set, before the picture and the files of its labels are read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks as table
from shared_encoder_perception.images.picture_bytes import PictureError
from shared_encoder_perception.images.picture_file import read_picture
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.labels import Read


@dataclass(frozen=True, eq=False)
class LabelledFrame:
    """What a data set says about one picture. Pixels are read on demand, so sets can be streamed.

    Attributes:
        name: Name of the picture inside its set, relative, with suffix: ``clips/a/20.jpg``.
        image_path: The picture; it may be missing (labels alone have their uses).
        size: ``(height, width)`` of the picture.
        labels: By the name of the task, what reads its label; a task that is missing is unknown.
        crop: Suggested crop around the road.
        source: Which data set, a short name.
        licence: In a few words; empty when unknown.
        pseudo: Tasks whose labels come from a teacher network.
        attributes: What else is known, e.g. ``{"timeofday": "night"}``.
        notes: Why labels were left out, for statistics: ``("ego: too wide",)``.
        where: File and line, for messages.
    """

    name: str
    image_path: Path
    size: Size
    labels: Mapping[str, Read] = field(default_factory=dict)
    crop: Crop | None = None
    source: str = ""
    licence: str = ""
    pseudo: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    where: str = ""

    def known(self) -> tuple[str, ...]:
        """Return the tasks of which something is known to train on or to score by.

        Labels in files are not read: they are there to be used, unless what reads them says no.
        """
        return tuple(
            task
            for task, read in self.labels.items()
            if not getattr(read, "nothing_known", False)
            and (_in_files(task) or _is_known(task, read()))
        )

    def read_image(self) -> NDArray[np.uint8]:
        """Read the picture as people see it: (H, W, 3) uint8 BGR.

        Raises:
            ValueError: It is missing, unreadable or of another size than the labels say.
        """
        try:
            image = read_picture(self.image_path)
        except PictureError as error:
            raise ValueError(
                f"{self.where}: cannot read the picture {self.image_path}: it {error}"
            ) from None
        if image.shape[:2] != tuple(self.size):
            raise ValueError(
                f"{self.where}: {self.image_path} is {image.shape[1]}x{image.shape[0]}, "
                f"the labels are for {self.size[1]}x{self.size[0]}"
            )
        return image

    def load(self, tasks: Collection[str] | None = None) -> Sample:
        """Read the picture and the labels, of some tasks or of all.

        Raises:
            ValueError: A file that is missing, unreadable or of another size than the labels say.
        """
        image = self.read_image()
        wanted = self.labels if tasks is None else tasks
        labels = {task: read() for task, read in self.labels.items() if task in wanted}
        known = {task: label for task, label in labels.items() if _is_known(task, label)}
        return Sample(image, known, self.where or self.name)

    def without(self, *tasks: str) -> LabelledFrame:
        """Return the same frame, some tasks unknown; what is for people alone stays."""
        labels = dict(self.labels)
        for task in set(tasks) & set(labels):
            read, room = labels.pop(task), table.part(task, "labels")
            rest = room.for_people(read()) if hasattr(room, "for_people") else None
            if rest is not None:
                labels[task] = constant(rest)
        pseudo = tuple(task for task in self.pseudo if task not in tasks)
        return replace(self, labels=labels, pseudo=pseudo)

    def to_score(self) -> LabelledFrame:
        """Return the same frame without labels that a teacher made and that are no truth."""
        rooms = table.parts("labels", self.pseudo)
        doubtful = (t for t, r in rooms.items() if not getattr(r, "SCORED_FROM_TEACHER", False))
        return self.without(*doubtful)

    def with_label(self, task: str, read: Read) -> LabelledFrame:
        """Return the same frame with the label of a task."""
        return replace(self, labels=in_order({**self.labels, task: read}))


def constant(label: Any) -> Read:
    """Return what returns a label that is there already."""
    return lambda: label


def in_order(labels: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is kept by task in the order of the table."""
    return {task: labels[task] for task in table.ROOMS if task in labels}


def _in_files(task: str) -> bool:
    """Whether labels of a task are files of their own."""
    return getattr(table.part(task, "labels"), "IN_FILES", False)


def _is_known(task: str, label: Any) -> bool:
    """Whether a label says anything to train on or to score by."""
    room = table.part(task, "labels")
    return room.known(label) if hasattr(room, "known") else True
