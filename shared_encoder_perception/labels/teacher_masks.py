# SPDX-License-Identifier: Apache-2.0
"""Labels by masks of any other network, such as drivable surface, or paint with lanes between it.

One picture of probabilities for each image, found by name. What a task makes of them, and how far
it believes them, is said in its room (``mask_teacher.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks as table
from shared_encoder_perception.images.listing import pictures_in
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.disk_index import DiskIndex
from shared_encoder_perception.labels.frame import LabelledFrame, constant
from shared_encoder_perception.labels.label_io import image_size
from shared_encoder_perception.labels.mask_files import ClassIds, MaskValues
from shared_encoder_perception.labels.pseudo import Doubts
from shared_encoder_perception.tasks.label_files import FILE_NAME, LabelError


def mask_rooms() -> dict[str, Any]:
    """Return ``mask_teacher.py`` of the tasks that have it, in the order of their masks' names."""
    rooms = table.parts("mask_teacher")
    return dict(sorted(rooms.items(), key=lambda item: item[1].MASK))


@dataclass(frozen=True)
class TeacherMasks:
    """What a teacher said, as folders of masks; at least one.

    A mask is one channel of 8 bits, 0 to 255 for a probability of 0 to 1, of its image's shape. It
    is found by the image's path, ``FOLDER/<path>.png``, or else by its name, ``FOLDER/<stem>.png``.
    Or it holds class ids, and ``ids`` says which of them are meant.

    Attributes:
        folders: By the name of the masks in them, ``MASK`` of a room's ``mask_teacher.py``.
        configs: By the name of the task, ``Config`` of its ``mask_teacher.py``; its own where one
            is missing.
        ids: By the name of the masks, for those that are class maps.
    """

    folders: Mapping[str, Path]
    configs: Mapping[str, Any] = field(default_factory=dict)
    ids: Mapping[str, ClassIds] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what labels nothing."""
        if not self.folders:
            kinds = (f"{room.MASK} ({room.HELP})" for room in mask_rooms().values())
            raise ValueError(f"no masks: give a folder of {', or of '.join(kinds)}")
        for folder in self.folders.values():
            if not folder.is_dir():
                raise ValueError(f"{folder} is no folder: expected one mask for each image in it")

    def rooms(self) -> dict[str, Any]:
        """Return the rooms of the tasks that are labelled."""
        return {task: room for task, room in mask_rooms().items() if room.MASK in self.folders}

    def config(self, task: str, room: Any) -> Any:
        """Return how a task reads its masks."""
        return self.configs[task] if task in self.configs else room.Config and room.Config()


def label_by_masks(
    masks: TeacherMasks, path: Path, doubts: Doubts, found: MaskValues | None = None
) -> Iterator[LabelledFrame | LabelError]:
    """Label pictures by masks.

    Args:
        masks: The teacher's.
        path: A native set, where labels by people are kept, and those of other teachers are
            replaced where this one has a folder for them; or a folder of images.
        doubts: When the teacher is believed.
        found: Is told what values the masks have.

    Yields:
        Each frame, or why it has to be left out: its picture, or a mask, is missing or unusable.

    Raises:
        LabelError: A faulty line of the native set.
        ValueError: ``path`` is neither a native set nor a folder of images.
    """
    found = MaskValues() if found is None else found
    with DiskIndex() as used:
        for number, frame in enumerate(_frames(path, masks), start=1):
            if isinstance(frame, LabelError):
                yield frame
                continue
            try:
                frame.read_image()  # one that is cut off has a header, too
                yield _labelled(frame, masks, doubts, _Finder(used, number, found))
            except LabelError as error:
                yield error
            except ValueError as error:
                reason = str(error).removeprefix(f"{frame.where}: ")
                yield LabelError(frame.image_path, None, reason)


def _frames(path: Path, masks: TeacherMasks) -> Iterator[LabelledFrame | LabelError]:
    """The pictures; one whose size cannot be read is a fault."""
    if path.name == FILE_NAME or (path / FILE_NAME).exists():
        yield from native.read(path)
        return
    files = [
        file
        for file in pictures_in(path, below=True)
        if not set(masks.folders.values()) & set(file.parents[:-1])
    ]
    if not files:
        raise ValueError(
            f"{path} is neither a native set nor a folder of images: masks are found by the names "
            "of image files"
        )
    for file in files:
        try:
            size = image_size(file)
        except LabelError as error:
            yield error
            continue
        name = file.relative_to(path).as_posix()
        yield LabelledFrame(name, file, size, source=path.resolve().name, where=str(file))


@dataclass(frozen=True)
class _Finder:
    """Finds the masks of one image, and remembers whose each mask is.

    Attributes:
        used: Masks of all images so far, with the images' numbers.
        number: Of this image, from 1.
        found: Is told what values the masks have.
    """

    used: DiskIndex
    number: int
    found: MaskValues

    def read(self, folder: Path, frame: LabelledFrame, ids: ClassIds | None) -> NDArray[np.uint8]:
        """Find and read a mask, or what ``ids`` mean of a class map.

        Returns:
            (H, W) uint8 probability of the image's size, 0 to 255 for 0 to 1.

        Raises:
            LabelError: Missing, another image's too, of a wrong type or shape.
        """
        name = Path(frame.name.removeprefix("images/"))
        paths = (folder / name.with_suffix(".png"), folder / f"{name.stem}.png")
        path = next((path for path in paths if path.is_file()), None)
        if path is None:
            raise LabelError(paths[0], None, f"the mask of {frame.name} is missing")
        # Paint and surface may be two classes of one map.
        whose = str(path) if ids is None else f"{path} {ids.meant}"
        before = self.used.add(whose, self.number)
        if before is not None:
            raise LabelError(
                path,
                None,
                f"the mask of image {before} would be that of image {self.number} ({frame.name}) "
                f"too: expected it at {paths[0]}",
            )
        return self.found.read(path, frame.size, folder, ids)


def _labelled(
    frame: LabelledFrame, masks: TeacherMasks, doubts: Doubts, finder: _Finder
) -> LabelledFrame:
    """Add what people have not labelled; only the masks that this takes are read."""
    planes: dict[str, NDArray[np.uint8]] = {}
    known = set(frame.known()) - set(frame.pseudo)
    for task, room in masks.rooms().items():
        if task in known:
            continue
        for name in (*room.ALSO, room.MASK):
            if name in masks.folders and name not in planes:
                planes[name] = finder.read(masks.folders[name], frame, masks.ids.get(name))
        frame = _with_label(frame, task, masks, planes, doubts)
    return frame


def _with_label(
    frame: LabelledFrame,
    task: str,
    masks: TeacherMasks,
    planes: Mapping[str, NDArray[np.uint8]],
    doubts: Doubts,
) -> LabelledFrame:
    """Add the label of a task; what an earlier teacher left goes, its notes too."""
    labels, again = dict(frame.labels), task in frame.pseudo
    read = labels.pop(task, None)
    had = read() if read is not None and not again else None
    room = masks.rooms()[task]
    found, notes = room.of_masks(planes, doubts.get(task), masks.config(task, room), had)
    pseudo = tuple(other for other in frame.pseudo if other != task)
    if notes is not None:
        frame = replace(frame, notes=(*(() if again else frame.notes), *notes))
    if found is None:
        labels = labels if had is None else {**labels, task: constant(had)}
        return replace(frame, labels=labels, pseudo=pseudo)
    return replace(frame, labels=labels, pseudo=(*pseudo, task)).with_label(task, constant(found))
