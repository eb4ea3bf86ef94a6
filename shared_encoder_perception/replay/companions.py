# SPDX-License-Identifier: Apache-2.0
"""What a replay's images are compared with: the newest such picture of the bag, or a file's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.taken import Taken
from shared_encoder_perception.replay.reading import BagFrame
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.tasks.companions import (
    BACKGROUND,
    OPTION,
    Demands,
    chosen,
    read_given,
)
from shared_encoder_perception.tasks.contract.refining import CompanionState

Pictures = dict[str, NDArray[np.uint8]]
States = dict[str, CompanionState]


class Companions:
    """Gives a model what it compares each image with; tells of images that had nothing of use.

    Attributes:
        wanted: Names of the pictures that the bag is to give: all but the file's.
        counts: Problem -> images of which nothing is known for it; "" -> the others.
    """

    def __init__(self, spec: ModelSpec, file: Path | None) -> None:
        """Read the file.

        Args:
            spec: Of the model.
            file: Of the background; ``None`` where the bag is to have one.

        Raises:
            ValueError: It cannot be read, or is of no use to the model.
        """
        self._file, self._names = file, spec.companions()
        given = read_given(spec, file)
        self._given = {name: Taken(str(file), picture) for name, picture in given.items()}
        self.wanted = [name for name in self._names if name not in given]
        self._topics: Mapping[str, str] = {}
        self.counts: Counter[str] = Counter()

    def found(self, topics: Mapping[str, str]) -> None:
        """Learn on which topics the bag has those that are wanted."""
        self._topics = topics

    def conditions(self) -> dict[str, str]:
        """Return where each comes from: a topic, a file's hash, or nothing."""
        told = {name: self._topics.get(name, "") for name in self._names}
        if self._file is not None:
            told[BACKGROUND] = f"sha256 {sha256(self._file.read_bytes()).hexdigest()}"
        return told

    def of(self, frame: BagFrame) -> tuple[Pictures, States]:
        """Return what an image is compared with, and what is known of that."""
        if not self._names:
            return {}, {}
        frame_id = "" if frame.header is None else str(frame.header.frame_id)
        image = Taken("", frame.image, "", frame.stamp_ns, frame_id, frame.encoding)
        pictures: Pictures = {}
        states: States = {}
        for name in self._names:
            taken = self._given.get(name) or frame.beside.get(name)
            pictures[name], states[name] = chosen(taken, image, self._demands(name))
        return pictures, states

    def count(self, states: States) -> None:
        """Count an image that was perceived."""
        problems = [state.problem for state in states.values() if state.problem]
        self.counts.update(problems or ([""] if states else []))

    def warnings(self) -> Iterator[str]:
        """Yield of how many images nothing is known that needs a picture, and why."""
        for problem, count in self.counts.items():
            if problem:
                yield f"{count} images were compared with nothing: {problem}"

    def faults(self) -> list[str]:
        """Say so if no image at all had what it is to be compared with."""
        if not self.counts or self.counts[""]:
            return []
        return ["no image could be compared with anything: what needs that is not known of any"]

    def _demands(self, name: str) -> Demands:
        """Return what is asked of a picture."""
        cure = f"give {OPTION} FILE" if name == BACKGROUND else "record a bag that has one"
        if name in self._given:
            cure = f"give {OPTION} a picture by the same camera, of its size"
        topic = self._topics.get(name)
        where = f"on {topic} before them" if topic else f"on a topic {name!r}"
        return Demands(name, f"the bag has no {name} {where}: {cure}", cure)
