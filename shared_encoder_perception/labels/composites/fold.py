# SPDX-License-Identifier: Apache-2.0
"""The composites of a fold: each is made of its number alone, when somebody asks for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.files.data_paths import PathError, shown
from shared_encoder_perception.images.picture_bytes import PictureError
from shared_encoder_perception.labels.composites.index import (
    Index,
    PictureFile,
    Pictures,
    index_file,
    path_of,
    read_index,
)
from shared_encoder_perception.labels.composites.pictures import place_of, thing_of
from shared_encoder_perception.labels.frame import LabelledFrame, constant
from shared_encoder_perception.labels.label_io import image_size
from shared_encoder_perception.labels.said import Plane, Said
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.tasks.label_files import LabelError
from shared_encoder_perception.tasks.masks.values import NO, YES
from shared_encoder_perception.world.pair import roll_sensor, taken_before
from shared_encoder_perception.world.paste import Cutout, paste, roll_placement
from shared_encoder_perception.world.sensor import develop

SOURCE: Final = "composites"
AGAIN: Final = "make the index again with dataset compose"
PLACES_KEPT: Final = 12
THINGS_KEPT: Final = 12
"""Decoded pictures that are kept by a process: at most 60 and 80 MB."""
ROUNDS: Final = 4
MIX: Final = 0x9E3779B97F4A7C15
WORD: Final = (1 << 64) - 1


class Parts(NamedTuple):
    """What a composite is made of.

    Attributes:
        background: Index of the fold's background.
        thing: Index of its cut-out.
        mirrored: Whether that is seen mirrored.
        place: Where it is put, 0 to ``places - 1``: seeds the dice, and is no position.
    """

    background: int
    thing: int
    mirrored: bool
    place: int


class Pair(NamedTuple):
    """A composite, and the place without what was put there, taken at another time.

    Attributes:
        image: (H, W, 3) uint8 BGR.
        background: (H, W, 3) uint8 BGR.
        mask: (H, W) uint8, ``YES`` where the thing is; ``NO`` all over if nothing was put there.
    """

    image: NDArray[np.uint8]
    background: NDArray[np.uint8]
    mask: Plane


class Composites:
    """The composites of one fold, by their numbers. It keeps a line for each file, no pixels.

    Attributes:
        path: Of the index.
        index: What it says.
        fold: Name of the fold, empty for all composites.
        backgrounds: Its backgrounds.
        foregrounds: Its cut-outs.
    """

    def __init__(self, path: Path, fold: str = "") -> None:
        """Open an index, and see that its pictures are there.

        Args:
            path: The index, or its folder.
            fold: A key of ``index.FOLDS``; empty for all.

        Raises:
            ValueError: No index, no such fold, one without pictures, or a picture that is missing.
        """
        self.path, self.fold = index_file(path), fold
        self.index: Index = read_index(self.path)
        self.backgrounds, self.foregrounds = self.index.of_fold(fold)
        for pictures in (self.index.backgrounds, self.index.foregrounds):
            for file in pictures.files:
                self._look(file, pictures)

    def __len__(self) -> int:
        """Return how many composites there are."""
        sides = self.index.sides() * self.index.places
        return len(self.backgrounds) * len(self.foregrounds) * sides

    @property
    def source(self) -> str:
        """What scores and sets call where these come from."""
        return f"{SOURCE}_{self.fold}" if self.fold else SOURCE

    def parts(self, number: int) -> Parts:
        """Return what a composite is made of; each digit of the number says one thing.

        Raises:
            IndexError: There is no such number.
        """
        if not 0 <= number < len(self):
            raise IndexError(f"composite {number}, expected 0 to {len(self) - 1}")
        number, place = divmod(number, self.index.places)
        number, side = divmod(number, self.index.sides())
        background, thing = divmod(number, len(self.foregrounds))
        return Parts(background, thing, side == 1, place)

    def number(self, parts: Parts) -> int:
        """Return the number of a composite: ``parts`` turned round."""
        pasted = parts.background * len(self.foregrounds) + parts.thing
        seen = pasted * self.index.sides() + parts.mirrored
        return seen * self.index.places + parts.place

    def spread(self, position: int) -> int:
        """Return the number at a position of an order in which neighbours have nothing in common.

        Every number stands at one position, and nothing has to be remembered for that.
        """
        return shuffled(position, len(self), self.index.seed)

    def pair(self, number: int) -> Pair:
        """Make a composite.

        Its dice are seeded by the contents of its pictures: it stays the same, to the bit, when
        others join the set and its number becomes another one.

        Raises:
            LabelError: A picture that cannot be read, or is not what it was.
        """
        parts = self.parts(number)
        background, thing = self.backgrounds[parts.background], self.foregrounds[parts.thing]
        dice = (background.number(), thing.number(), int(parts.mirrored), parts.place)
        rng = np.random.default_rng((self.index.seed, *dice))
        place = _place(self._path(background, self.index.backgrounds), background)
        scene, mask = place, np.full(place.shape[:2], NO, np.uint8)
        if rng.random() >= self.index.empty:
            cutout = _thing(self._path(thing, self.index.foregrounds), thing)
            size = (place.shape[0], place.shape[1])
            around = (cutout.alpha.shape[0], cutout.alpha.shape[1])
            placement = roll_placement(rng, size, around, parts.mirrored)
            scene, seen = paste(place, cutout, placement)
            mask[seen] = YES
        sensor = roll_sensor(rng)
        before = taken_before(place, sensor, rng)
        return Pair(develop(scene, sensor, rng), before, mask)

    def sample(self, number: int) -> Sample:
        """Make a composite with what tasks make of its mask."""
        pair = self.pair(number)
        labels = {task: read() for task, read in _said(pair).labels.items()}
        fold = f" of {self.fold}" if self.fold else ""
        return Sample(pair.image, labels, f"{self.path}, composite {number}{fold}")

    def _path(self, file: PictureFile, pictures: Pictures) -> Path:
        """Return where a picture lies.

        Raises:
            LabelError: Elsewhere than in its folder.
        """
        try:
            return path_of(file, pictures, self.path)
        except PathError as error:
            raise LabelError(self.path, None, str(error).removeprefix(f"{self.path}: ")) from None

    def _look(self, file: PictureFile, pictures: Pictures) -> None:
        """See that a picture is there, as large as it was.

        Raises:
            LabelError: It is not.
        """
        path = self._path(file, pictures)
        if not path.is_file():
            reason = (
                f"the picture is missing, which {self.path} names. If its folder was moved, "
                f'correct "folder" there, which is {shown(pictures.folder)}; else {AGAIN}'
            )
            raise LabelError(path, None, reason)
        if (found := path.stat().st_size) != file.bytes:
            what = f"has {found} bytes, it had {file.bytes}"
            raise LabelError(path, None, f"the picture {what} when {self.path} was made: {AGAIN}")
        height, width = image_size(path)
        if (height, width) != tuple(file.size):
            reason = (
                f"the picture is {width}x{height} pixels, {self.path} says "
                f"{file.size[1]}x{file.size[0]}: {AGAIN}"
            )
            raise LabelError(path, None, reason)


def labelled_tasks() -> tuple[str, ...]:
    """Return the tasks that have a label in every composite."""
    grey, mask = np.zeros((1, 1, 3), np.uint8), np.zeros((1, 1), np.uint8)
    return tuple(_said(Pair(grey, grey, mask)).labels)


def shuffled(position: int, count: int, key: int) -> int:
    """Return the number at a position of a random order of ``count`` numbers.

    A Feistel network over the next power of four; what falls beyond ``count`` goes round again
    ("cycle walking": Black and Rogaway, Ciphers with Arbitrary Finite Domains, 2002).
    """
    half = max((count - 1).bit_length() + 1, 2) // 2
    low = (1 << half) - 1
    while True:
        left, right = position >> half, position & low
        for turn in range(ROUNDS):
            mixed = ((right + 1) * MIX + (key * ROUNDS + turn + 1) * (MIX >> 1)) & WORD
            mixed = ((mixed ^ (mixed >> 29)) * MIX) & WORD
            left, right = right, left ^ ((mixed >> 32) & low)
        position = left << half | right
        if position < count:
            return position


def _said(pair: Pair) -> LabelledFrame:
    """Return the frame that tells tasks what is new."""
    said = Said(
        (pair.mask.shape[0], pair.mask.shape[1]),
        new=constant(pair.mask),
        background=constant(pair.background),
    )
    return said.frame(name="", image_path=Path())


@lru_cache(maxsize=PLACES_KEPT)
def _place(path: Path, file: PictureFile) -> NDArray[np.uint8]:
    """Read a background."""
    return _decoded(path, file, place_of)


@lru_cache(maxsize=THINGS_KEPT)
def _thing(path: Path, file: PictureFile) -> Cutout:
    """Read a cut-out."""
    return _decoded(path, file, thing_of)


def _decoded(path: Path, file: PictureFile, decode: Callable[[bytes], Any]) -> Any:
    """Read a picture that is what it was when the index was made.

    Raises:
        LabelError: It is not, or cannot be read.
    """
    try:
        content = path.read_bytes()
        if sha256(content).hexdigest() != file.sha256:
            raise PictureError(f"has changed since the index was made: {AGAIN}")
        return decode(content)
    except OSError as error:
        raise LabelError(path, None, f"the picture cannot be read: {error.strerror}") from None
    except PictureError as error:
        raise LabelError(path, None, f"the picture {error}") from None
