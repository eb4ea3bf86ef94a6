"""Labels by masks of any other network: drivable surface, and lanes between its markings.

One picture of probabilities for each image, found by name. A teacher's positives are usually right,
its negatives near the border are not: they are ignored there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.sources import IMAGE_SUFFIXES
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.disk_index import DiskIndex
from shared_encoder_perception.labels.frame import LabelError, LabelledFrame, Mask
from shared_encoder_perception.labels.label_io import image_size
from shared_encoder_perception.labels.pseudo import (
    LANES,
    LEAST_CONFIDENCE,
    MASK,
    Doubt,
    mask_confidence,
    sure_mask,
    without_teachers,
)
from shared_encoder_perception.labels.record_faults import FILE_NAME
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.drivable.labels import (
    MASK_DRIVABLE,
    MASK_IGNORE,
    MASK_NOT_DRIVABLE,
)
from shared_encoder_perception.tasks.lanes.labelling.marking_lanes import lanes_between

BORDER: Final = 0.015
"""Of the image's width: how far from the drivable area a teacher's negatives are ignored."""
SAME_SHAPE: Final = 0.01
"""By how much the aspect ratio of a mask may differ from its image's, relatively."""
ONES: Final = 0.01
"""A mask that goes no further than 1, and has it in more than this share of its pixels, counts to
1 and not to 255."""


@dataclass(frozen=True)
class TeacherMasks:
    """What a teacher said, as folders of masks; at least one.

    A mask is one channel of 8 bits, 0 to 255 for a probability of 0 to 1, of its image's shape. It
    is found by the image's path, ``FOLDER/<path>.png``, or else by its name, ``FOLDER/<stem>.png``.

    Attributes:
        drivable: Folder of the drivable surface.
        markings: Folder of the lane markings.
        border_px: How far from the drivable area, in pixels of the image, what is not drivable is
            ignored; 0 for not at all, ``None`` for a share of the width (``BORDER``).
    """

    drivable: Path | None = None
    markings: Path | None = None
    border_px: float | None = None

    def __post_init__(self) -> None:
        """Refuse what labels nothing."""
        folders = [folder for folder in (self.drivable, self.markings) if folder is not None]
        if not folders:
            raise ValueError("no masks: give a folder of the drivable surface, or of markings")
        for folder in folders:
            if not folder.is_dir():
                raise ValueError(f"{folder} is no folder: expected one mask for each image in it")
        if self.border_px is not None and not self.border_px >= 0:
            raise ValueError(f"the border is {self.border_px} pixels, expected 0 or more")


def label_by_masks(
    masks: TeacherMasks, path: Path, doubt: Doubt
) -> Iterator[LabelledFrame | LabelError]:
    """Label pictures by masks.

    Args:
        masks: The teacher's.
        path: A native set, where labels by people are kept, and those of other teachers are
            replaced where this one has a folder for them; or a folder of images.
        doubt: When the teacher is believed.

    Yields:
        Each frame, or why it has to be left out: a mask that is missing or does not fit.

    Raises:
        LabelError: A faulty line of the native set.
        ValueError: ``path`` is neither a native set nor a folder of images.
    """
    with DiskIndex() as used:
        for number, frame in enumerate(_frames(path, masks), start=1):
            if isinstance(frame, LabelError):
                yield frame
                continue
            try:
                yield _labelled(frame, masks, doubt, _Finder(used, number))
            except LabelError as error:
                yield error


def _frames(path: Path, masks: TeacherMasks) -> Iterator[LabelledFrame | LabelError]:
    """The pictures; one whose size cannot be read is a fault."""
    if path.name == FILE_NAME or (path / FILE_NAME).exists():
        yield from native.read(path)
        return
    files = sorted(
        file
        for file in path.rglob("*")
        if file.suffix.lower() in IMAGE_SUFFIXES
        and not {masks.drivable, masks.markings} & set(file.parents[:-1])
    )
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
        yield LabelledFrame(name, file, size, {}, source=path.resolve().name, where=str(file))


@dataclass(frozen=True)
class _Finder:
    """Finds the masks of one image, and remembers whose each mask is.

    Attributes:
        used: Masks of all images so far, with the images' numbers.
        number: Of this image, from 1.
    """

    used: DiskIndex
    number: int

    def read(self, folder: Path, frame: LabelledFrame) -> NDArray[np.uint8]:
        """Find and read a mask.

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
        before = self.used.add(str(path), self.number)
        if before is not None:
            raise LabelError(
                path,
                None,
                f"the mask of image {before} would be that of image {self.number} ({frame.name}) "
                f"too: expected it at {paths[0]}",
            )
        return _read_probability(path, frame.size)


def _read_probability(path: Path, size: Size) -> NDArray[np.uint8]:
    """See ``_Finder.read``."""
    plane = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if plane is None:
        raise LabelError(path, None, "cannot read the mask: expected a PNG")
    if plane.dtype != np.uint8 or plane.ndim != 2:
        raise LabelError(
            path,
            None,
            f"the mask is {plane.dtype} {plane.shape}, expected one channel of 8 bits: "
            "probability 0 to 255, or 0 and 255",
        )
    if plane.max() == 1 and plane.mean() > ONES:
        raise LabelError(path, None, "the mask has the values 0 and 1, expected 0 to 255")
    (height, width), (rows, columns) = size, plane.shape
    if abs((columns * height) / (rows * width) - 1) > SAME_SHAPE:
        raise LabelError(
            path,
            None,
            f"the mask is {columns}x{rows}, its image {width}x{height}: expected that size, or "
            "another one of the same aspect ratio",
        )
    if (rows, columns) != (height, width):
        plane = cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(plane, np.uint8)


def _labelled(
    frame: LabelledFrame, masks: TeacherMasks, doubt: Doubt, finder: _Finder
) -> LabelledFrame:
    """Add what people have not labelled; only the masks that this takes are read."""
    kinds = [LANES] * (masks.markings is not None) + [MASK] * (masks.drivable is not None)
    had = frame
    frame = without_teachers(frame, kinds)
    lacks_lanes, lacks_mask = not frame.lanes, frame.read_mask is None
    markings = None
    if masks.markings is not None and (lacks_lanes or (lacks_mask and masks.drivable is not None)):
        markings = finder.read(masks.markings, frame)
    if lacks_mask and masks.drivable is not None:
        probability = finder.read(masks.drivable, frame)
        if markings is not None:  # many teachers cut paint out of the surface
            probability = np.maximum(probability, markings)
        border = BORDER * frame.size[1] if masks.border_px is None else masks.border_px
        mask = without_border(sure_mask(probability, doubt), border)
        frame = replace(
            frame,
            read_mask=partial(np.asarray, mask),
            read_mask_confidence=partial(np.asarray, mask_confidence(probability)),
            pseudo=(*frame.pseudo, MASK),
        )
    if lacks_lanes and markings is not None:
        frame = _with_lanes(frame, markings, doubt, LANES in had.pseudo)
    return frame


def _with_lanes(
    frame: LabelledFrame, markings: NDArray[np.uint8], doubt: Doubt, again: bool
) -> LabelledFrame:
    """Add lanes; ``again``: boundaries and notes of the frame are an earlier teacher's."""
    found = lanes_between(markings, max(doubt.lane, LEAST_CONFIDENCE))
    boundaries, notes = ((), ()) if again else (frame.boundaries, frame.notes)
    if found.lanes:
        boundaries = boundaries or found.boundaries
    return replace(
        frame,
        lanes=found.lanes,
        lane_confidence=found.confidence,
        boundaries=boundaries,
        notes=(*notes, *found.notes),
        pseudo=(*frame.pseudo, LANES) if found.lanes else frame.pseudo,
    )


def without_border(mask: Mask, border_px: float) -> Mask:
    """Ignore what is not drivable near the drivable area.

    Args:
        mask: (H, W) uint8 of 255 / 0 / 127.
        border_px: How near, in pixels; 0 changes nothing.
    """
    drivable = mask == MASK_DRIVABLE
    if border_px <= 0 or not drivable.any():
        return mask
    away = cv2.distanceTransform((~drivable).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    near = (mask == MASK_NOT_DRIVABLE) & (away <= border_px)
    return np.where(near, np.uint8(MASK_IGNORE), mask)
