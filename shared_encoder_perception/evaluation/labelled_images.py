# SPDX-License-Identifier: Apache-2.0
"""Labelled images to score on: a native data set, or rendered worlds; each read in its turn.

    images = open_set(Path("DATA/val"))      # or render_worlds(200)
    for image in images.read(): ...

What a set holds is counted before anything is scored: a line that cannot be read, a picture that is
missing or a set without any label ends the work before it begins, not in its last minute.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final

from shared_encoder_perception import tasks
from shared_encoder_perception.files.plain_file import plain
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.frame import LabelledFrame, constant
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.contract.labels import Read
from shared_encoder_perception.world.choice import ANY, Choice
from shared_encoder_perception.world.synthetic import (
    CALIBRATION_SEED,
    PICTURE,
    VALIDATION_SEED,
    render_sample,
)

SYNTHETIC: Final = "synthetic"
"""Source name of rendered worlds."""
LEARNED_WORLDS: Final = 60
"""Other worlds, of which a baseline learns what is usual."""
FIRST, SECOND = 0, 1
"""Halves of a source: what is usual in one is the baseline of the other."""


@dataclass(frozen=True, eq=False)
class LabelledImage:
    """One image to score.

    Attributes:
        source: Name of the group whose scores it counts for.
        name: Name inside the set, such as the picture's relative path.
        sample: Image and labels.
        crop: What the network is to see; ``None`` for its default.
        half: ``FIRST`` or ``SECOND`` half of its source.
        attributes: What else is known, e.g. ``{"timeofday": "night"}``.
    """

    source: str
    name: str
    sample: Sample
    crop: Crop | None
    half: int
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Labels:
    """The labels of an image, without its pixels.

    Attributes:
        source: As of ``LabelledImage``.
        half: Of its source, for which this image tells what is usual.
        labels: What reads the label of each task of which something is known, by its name.
        size: ``(height, width)`` of the image.
    """

    source: str
    half: int
    labels: Mapping[str, Read]
    size: Size


@dataclass(frozen=True, eq=False)
class LabelledSet:
    """What is scored.

    Attributes:
        conditions: What the set is, in words that are the same on every machine.
        counts: Source -> images.
        labelled: Task -> images in which it is labelled, for each task that has labels.
        read: Yields the images, in an order that never changes.
        learn: Yields labels by which to know what is usual; never those that it is scored on.
    """

    conditions: Mapping[str, str]
    counts: Mapping[str, int]
    labelled: Mapping[str, int]
    read: Callable[[], Iterator[LabelledImage]]
    learn: Callable[[], Iterator[Labels]]

    @property
    def total(self) -> int:
        """Number of images."""
        return sum(self.counts.values())


def open_set(path: Path, answered: Collection[str] = tasks.DEFAULT) -> LabelledSet:
    """Open a native data set.

    Args:
        path: Its folder, or its ``frames.jsonl``.
        answered: Tasks of the model that is to be scored: how many images are labelled for them is
            said though it be none.

    Raises:
        ValueError: A line that is faulty, a picture that is missing, or nothing to score against;
            with the file, and the line where there is one.
        FileNotFoundError: There is no such set.
    """
    path = native.labels_file(path)
    counts: Counter[str] = Counter()
    labelled = dict.fromkeys(label_words(), 0)
    for frame in native.read(path):
        if not frame.image_path.is_file():
            raise ValueError(f"{frame.where}: there is no picture {frame.image_path}")
        counts[frame.source] += 1
        for task in frame.to_score().known():
            labelled[task] += 1
    if not any(labelled.values()):
        what = "has no frames" if not counts else f"has {counts.total()} frames and no label"
        raise ValueError(
            f"{path} {what} to score against: {' or '.join(label_words().values())}, and not only "
            "by a teacher (pseudo)"
        )

    def read() -> Iterator[LabelledImage]:
        for frame, half in _halves(path, counts):
            sample = frame.to_score().load()
            yield LabelledImage(
                frame.source, frame.name, sample, frame.crop, half, frame.attributes
            )

    def learn() -> Iterator[Labels]:
        for frame, half in _halves(path, counts):
            seen = frame.to_score()
            known = {task: seen.labels[task] for task in seen.known()}
            yield Labels(frame.source, 1 - half, known, frame.size)

    words = ", ".join(
        f"{word} in {labelled[task]}"
        for task, word in label_words().items()
        if labelled[task] or task in answered
    )
    conditions = {
        "data": f"{path.name}, sha256 {_digest(path)}",
        "labelled": f"{words} of {counts.total()} images",
        "constant baseline": "learned from the other half of each source",
    }
    return LabelledSet(conditions, dict(sorted(counts.items())), labelled, read, learn)


def render_worlds(
    count: int, answered: Collection[str], traffic: float | None = None, choice: Choice = ANY
) -> LabelledSet:
    """Return ``count`` validation worlds as a set.

    Args:
        count: At least 1.
        answered: Tasks of the models; labels of others are not made.
        traffic: Chance that somebody is seen near by; ``None``: as the dice fall.
        choice: What the worlds are to be like.

    Raises:
        ValueError: There is to be no world, or what is no chance.
    """
    if count < 1:
        raise ValueError(f"--synthetic is {count}, expected 1 or more")
    if traffic is not None and not 0 <= traffic <= 1:
        raise ValueError(f"--traffic is {traffic:g}, expected 0 to 1")
    render = partial(render_sample, tasks=answered, traffic_probability=traffic, choice=choice)

    def read() -> Iterator[LabelledImage]:
        for seed in range(VALIDATION_SEED, VALIDATION_SEED + count):
            sample = render(seed)
            yield LabelledImage(SYNTHETIC, f"world {seed}", sample, None, FIRST)

    def learn() -> Iterator[Labels]:
        for seed in range(CALIBRATION_SEED, CALIBRATION_SEED + min(count, LEARNED_WORLDS)):
            labels = render(seed).labels
            yield Labels(
                SYNTHETIC, FIRST, {t: constant(label) for t, label in labels.items()}, PICTURE
            )

    shown = render(VALIDATION_SEED).labels  # of one world as of all
    words = [word for task, word in label_words().items() if task in shown]
    conditions = {
        "data": f"{count} rendered worlds, seeds from {VALIDATION_SEED}{words_of(traffic, choice)}",
        "labelled": f"{' and '.join(words)} in all {count}",
        "constant baseline": f"learned from {min(count, LEARNED_WORLDS)} other worlds",
    }
    labelled = dict.fromkeys(shown, count)
    return LabelledSet(conditions, {SYNTHETIC: count}, labelled, read, learn)


def words_of(traffic: float | None, choice: Choice = ANY) -> str:
    """Say what worlds are like, and how often somebody is near by, where not as the dice fall."""
    like = "".join(f", {what}: {names}" for what, names in choice.said().items())
    return like if traffic is None else f"{like}, somebody near by in {traffic:.0%}"


def label_words() -> dict[str, str]:
    """Return what people call the labels of each task that has them, by its name."""
    return {task: room.KEYS[0] for task, room in tasks.parts("labels").items()}


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file of any size."""
    digest = sha256()
    with plain(path).open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def _halves(path: Path, counts: Mapping[str, int]) -> Iterator[tuple[LabelledFrame, int]]:
    """Yield frames with the half of their source that they are in.

    Halves are not mixed: neighbours in a recording look alike, and would tell of one another.
    """
    seen: Counter[str] = Counter()
    for frame in native.read(path):
        half = SECOND if 2 * seen[frame.source] >= counts[frame.source] else FIRST
        seen[frame.source] += 1
        yield frame, half
