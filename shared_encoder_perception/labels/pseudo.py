# SPDX-License-Identifier: Apache-2.0
"""Labels by a teacher: what a model is sure of becomes a label, the rest stays unknown.

A teacher's positives are usually right, its negatives are not; each task says what it believes
(``teacher.py`` of its room). How sure the teacher was is kept beside each label, as its weight in
training. ``teacher_masks`` does the same with masks that any other network made.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from shared_encoder_perception import tasks as table
from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.images.sources import Frame, open_source
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.frame import LabelledFrame, constant
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.label_files import FILE_NAME, LabelError

Doubts = Mapping[str, Any]
"""By the name of the task, ``Doubt`` of its room's ``teacher.py``: when a teacher is believed."""


def default_doubts() -> dict[str, Any]:
    """Return the doubts of those who label without people."""
    return {task: room.Doubt() for task, room in table.parts("teacher").items()}


def pre_label_doubts() -> dict[str, Any]:
    """Return the doubts of labels that people will correct."""
    return {task: room.PRE_LABELS for task, room in table.parts("teacher").items()}


def label(
    predictor: Predictor, path: Path, doubts: Doubts
) -> Iterator[tuple[LabelledFrame | LabelError, bytes | None]]:
    """Label pictures with a model.

    Args:
        predictor: The teacher; its own thresholds apply too.
        path: A native set, where labels by people are kept and those of other teachers replaced;
            or a folder of images, a video, a rosbag2.
        doubts: When the teacher is believed.

    Yields:
        Each frame, and its encoded picture where it is not a file of its own; and what is wrong
        with images that cannot be read, or do not fit their labels or their crop.

    Raises:
        ValueError: A faulty line of a set, a crop that does not fit the images of a source, or
            nothing of it can be read.
    """
    if path.name == FILE_NAME or (path / FILE_NAME).exists():
        for frame in native.read(path):
            try:
                complete = _complete(predictor, frame, doubts)
            except ValueError as error:
                reason = str(error).removeprefix(f"{frame.where}: ")
                yield LabelError(frame.image_path, None, reason), None
            else:
                yield complete, None
        return
    source, told = open_source(path), 0
    for found in source:
        for problem in source.problems[told:]:
            yield LabelError(path, None, problem), None
        told = len(source.problems)
        perception = predictor(found.image, found.crop)
        labelled = with_labels(predictor, plain_frame(found, source_of(path)), perception, doubts)
        yield labelled, native.encode_picture(found.image)
    for problem in source.problems[told:]:
        yield LabelError(path, None, problem), None


def plain_frame(found: Frame, source: str) -> LabelledFrame:
    """Describe an image of which nothing is known, and which is to be written as JPEG.

    Args:
        found: The image.
        source: Short name of where it comes from.
    """
    # The suffix stays in the name: a.jpg and a.png of one folder are two pictures.
    name = found.name if found.name.endswith(".jpg") else f"{found.name}.jpg"
    return LabelledFrame(
        name=name,
        image_path=Path(),
        size=(found.image.shape[0], found.image.shape[1]),
        crop=found.crop,
        source=source,
    )


def source_of(path: Path) -> str:
    """Return the name of the source that a folder, a video or a file of images is."""
    return Path(os.path.abspath(path)).stem  # ``..`` has a name


def by_people(frame: LabelledFrame) -> LabelledFrame:
    """Return a frame with those of its labels that people have made."""
    return frame.without(*frame.pseudo)


def can_teach(predictor: Predictor) -> set[str]:
    """Return the tasks that a model can label."""
    return set(table.parts("teacher", predictor.spec.tasks))


def _complete(predictor: Predictor, frame: LabelledFrame, doubts: Doubts) -> LabelledFrame:
    """Add what people have not labelled."""
    people = by_people(frame)
    if can_teach(predictor) <= set(people.known()):
        return people
    return with_labels(predictor, people, predictor(people.read_image(), frame.crop), doubts)


def with_labels(
    predictor: Predictor, frame: LabelledFrame, perception: Perception, doubts: Doubts
) -> LabelledFrame:
    """Fill in labels where nothing is known.

    Args:
        predictor: The teacher.
        frame: What people have labelled.
        perception: What the teacher says of its picture.
        doubts: When it is believed.
    """
    crop = ImageTransform.fit(frame.size, predictor.spec.input_size, frame.crop).crop
    known, pseudo = frame.known(), []
    for task, room in table.parts("teacher", perception.answers).items():
        if task in known:
            continue
        had = frame.labels[task]() if task in frame.labels else None
        answer, doubt = perception.answers[task], doubts[task]
        found = room.of_answer(answer, doubt, frame.size, crop, had)
        if found is not None:
            frame = frame.with_label(task, constant(found))
            pseudo.append(task)
    return replace(frame, pseudo=tuple(pseudo))
