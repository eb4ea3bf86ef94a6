# SPDX-License-Identifier: Apache-2.0
"""What every source of images gives: frames, and word of what it could not give."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.files.safe_text import printable
from shared_encoder_perception.images.preprocess import Crop, ImageError

TOLD: Final = 20
"""Problems that are printed; of more, only how many there are."""


class SourceError(ValueError):
    """Images that cannot be read; the message says what and what to do."""


class CompanionError(ImageError):
    """A picture that an image is to be compared with, and that cannot be by the same camera."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One image.

    Attributes:
        name: As the source calls it: a path relative to the source, or ``frame_000001``.
        image: (H, W, 3) uint8 BGR.
        crop: Part to use, where the source says so.
        stamp_ns: When it was taken, where the source says so: a bag's header stamp.
        focal_px: Focal length of the camera in pixels of the image, where the source says so.
        camera_height_m: Of the camera above the road, likewise.
        beside: Pictures that the source names beside it, by their names, (H, W, 3) uint8 BGR: of
            those in ``Source.beside``.
    """

    name: str
    image: NDArray[np.uint8]
    crop: Crop | None = None
    stamp_ns: int | None = None
    focal_px: float | None = None
    camera_height_m: float | None = None
    beside: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)


class Source(ABC):
    """Frames, and how many were promised where that is known.

    What cannot be read is left out and told. Reading begins anew with every iteration.

    Attributes:
        path: Where the images are.
        names_pictures: Whether it can name pictures that belong to an image.
        beside: Names of those that are wanted: an image without one of them is left out.
        cure: What else can be done about such an image, to end the sentence that tells of it.
        problems: What was left out so far, one line each.
    """

    names_pictures = False

    def __init__(self, path: Path) -> None:
        """Begin."""
        self.path = path
        self.beside: Sequence[str] = ()
        self.cure = ""
        self.problems: list[str] = []

    @abstractmethod
    def __len__(self) -> int:
        """Return how many frames there should be, 0 where only reading would tell."""

    def rate_hz(self) -> float | None:
        """Return how many frames a second there are; ``None`` where the source does not say."""
        return None

    def names(self, _key: str) -> bool:
        """Whether any image has a picture of that name beside it."""
        return False

    @abstractmethod
    def _read(self) -> Iterator[Frame | str]:
        """Yield frames, and what is wrong with those that cannot be read, in their order."""

    def __iter__(self) -> Iterator[Frame]:
        """Read the frames in order.

        Raises:
            SourceError: Nothing can be read.
        """
        self.problems.clear()
        count = 0
        for found in self._read():
            if isinstance(found, str):
                self.problems.append(found)
                continue
            count += 1
            yield found
        if not count:
            why = f": {self.problems[0]}" if self.problems else ""
            raise SourceError(f"no image of {self.path} can be read{why}")


def tell(problems: Sequence[str]) -> int:
    """Print what sources left out.

    Returns:
        Exit status of a command: 0 for nothing, 1 for something.
    """
    for problem in problems[:TOLD]:
        print(f"problem: {printable(problem)}", file=sys.stderr)
    if len(problems) > TOLD:
        print(f"problem: {len(problems) - TOLD} more of the kind", file=sys.stderr)
    return int(bool(problems))
