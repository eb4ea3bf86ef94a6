# SPDX-License-Identifier: Apache-2.0
"""Masks of others, as files: planes of probabilities, or class maps and what their ids mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.listing import pictures_in
from shared_encoder_perception.images.picture_bytes import PictureError
from shared_encoder_perception.images.picture_file import read_values
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.label_files import LabelError
from shared_encoder_perception.tasks.probability_planes import (
    Histogram,
    described,
    histogram,
    shows_probabilities,
    why_no_probabilities,
)

SAME_SHAPE: Final = 0.01
"""By how much the aspect ratio of a mask may differ from its image's, relatively."""
UNKNOWN: Final = 127
"""Of a plane of probabilities: neither."""
MASKS_SEEN: Final = 32
"""Of a folder, evenly spread, where one mask may hold class ids."""


@dataclass(frozen=True)
class ClassIds:
    """Which ids of a teacher's class maps mean what a mask is of.

    Attributes:
        meant: 0 to 255, at least one.
        unknown: Ids of pixels of which the teacher was not sure; all others are something else.
    """

    meant: tuple[int, ...]
    unknown: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no byte holds, and what would mean two things."""
        wrong = [one for one in (*self.meant, *self.unknown) if not 0 <= one <= 255]
        if wrong or not self.meant:
            raise ValueError(f"class ids are {wrong or 'missing'}, expected some of 0 to 255")
        if both := sorted(set(self.meant) & set(self.unknown)):
            raise ValueError(f"the class id {both[0]} cannot be meant and unknown")

    def plane(self, ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return 255 where an id is meant, 127 where it is unknown, 0 elsewhere."""
        table = np.zeros(256, np.uint8)
        table[list(self.unknown)] = UNKNOWN
        table[list(self.meant)] = 255
        return np.asarray(cv2.LUT(ids, table), np.uint8)


@dataclass
class MaskValues:
    """Reads masks, and counts their values: only the user knows whether those can be right.

    Attributes:
        counts: By the folder of the masks, (256,) pixels of each value.
        are_probabilities: Of folders that were looked into.
        class_maps: Folders whose values are class ids.
    """

    counts: dict[Path, Histogram] = field(default_factory=dict)
    are_probabilities: dict[Path, bool] = field(default_factory=dict)
    class_maps: set[Path] = field(default_factory=set)

    def read(
        self, path: Path, size: Size, folder: Path, ids: ClassIds | None = None
    ) -> NDArray[np.uint8]:
        """Read a mask of a folder; see ``_Finder.read``."""
        plane = _read_plane(path)
        counts = histogram(plane)
        why = "" if ids else why_no_probabilities(plane, counts)
        if why and (counts[2:].sum() == 0 or not self._holds_probabilities(folder)):
            raise LabelError(path, None, f"the mask {why}")
        if ids:
            self.class_maps.add(folder)
        self.counts[folder] = self.counts.get(folder, np.zeros(256, np.int64)) + counts
        return _sized(ids.plane(plane) if ids else plane, path, size)

    def _holds_probabilities(self, folder: Path) -> bool:
        """Whether the masks of a folder, taken together, can only be probabilities."""
        if folder not in self.are_probabilities:
            masks = pictures_in(folder, below=True)
            chosen = masks[:: max(len(masks) // MASKS_SEEN, 1)]
            self.are_probabilities[folder] = shows_probabilities(_histograms(chosen))
        return self.are_probabilities[folder]

    def lines(self) -> Iterator[str]:
        """Say of each folder what its masks hold."""
        for folder, counts in self.counts.items():
            if folder in self.class_maps:
                shares = (counts / counts.sum())[np.flatnonzero(counts)]
                ids = zip(np.flatnonzero(counts), shares, strict=True)
                listed = ", ".join(f"{number} ({share:.0%})" for number, share in ids)
                yield f"class maps of {folder}: ids {listed}"
            else:
                yield f"masks of {folder}: {described(counts)}"


def _histograms(paths: list[Path]) -> Iterator[Histogram]:
    """Count the values of masks; those that cannot be read show nothing."""
    for path in paths:
        try:
            yield histogram(_read_plane(path))
        except LabelError:
            continue


def _read_plane(path: Path) -> NDArray[np.uint8]:
    """Read a mask as it is stored."""
    try:
        plane = read_values(path)
    except PictureError as error:
        raise LabelError(path, None, f"cannot read the mask, which {error}") from None
    if plane.dtype != np.uint8 or plane.ndim != 2:
        raise LabelError(
            path,
            None,
            f"the mask is {plane.dtype} {plane.shape}, expected one channel of 8 bits: "
            "probability 0 to 255, or 0 and 255",
        )
    return np.asarray(plane, np.uint8)


def _sized(plane: NDArray[np.uint8], path: Path, size: Size) -> NDArray[np.uint8]:
    """Return a mask in the size of its image; refuse another shape."""
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
