# SPDX-License-Identifier: Apache-2.0
"""Pictures that a network compares an image with, such as one of the empty place.

Which are of use to which image, and what commands are told of them; for files, bags and node alike.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.bags import is_bag
from shared_encoder_perception.images.frames import CompanionError, Frame, Source
from shared_encoder_perception.images.picture_bytes import PictureError
from shared_encoder_perception.images.picture_file import read_picture
from shared_encoder_perception.images.taken import GREY, Taken
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.tasks.contract.refining import CompanionState
from shared_encoder_perception.tasks.status import Level

BACKGROUND: Final = "background"
"""The one that options and parameters can name: a model may take others, by lists and topics."""
OPTION: Final = "--background"
AHEAD_S: Final = 2.0
"""Most that a picture by the same clock is stamped after an image; more is another clock's."""


# ---- which pictures are of use ------------------------------------------------------------------


@dataclass(frozen=True)
class Demands:
    """What is asked of a picture to compare with, whichever it is.

    Attributes:
        name: Of the network's input.
        missing: What to say while there is none.
        cure: What to do where there is one that is of no use.
        max_age_s: Most seconds between it and an image; 0 = any.
        note: What else there is to warn of while there is one that is of use.
    """

    name: str
    missing: str
    cure: str
    max_age_s: float = 0.0
    note: str = ""


def chosen(
    companion: Taken | None, image: Taken, demands: Demands
) -> tuple[NDArray[np.uint8], CompanionState]:
    """Return what to compare an image with, and what is known of that.

    Args:
        companion: The picture that there is; ``None`` where there is none yet.
        image: Which is compared with itself where that one is of no use.
        demands: What is asked.
    """
    assert image.picture is not None
    if companion is None:
        return image.picture, CompanionState(demands.missing, Level.WARN)
    if companion.picture is None:
        return image.picture, unreadable(companion, demands)
    age_s, picture = companion.lead_s(image), companion.picture
    assert picture is not None
    size = picture.shape[0], picture.shape[1]
    level, problem = _problem(companion, image, age_s, demands)
    note = ""
    if problem:
        problem = f"the {demands.name} from {companion.source} {problem}: {demands.cure}"
    elif note := "; ".join(one for one in (_note(age_s, demands), demands.note) if one):
        level = Level.WARN
    state = CompanionState(problem, level, companion.source, age_s, size, note)
    return (image.picture if problem else picture), state


def unreadable(companion: Taken, demands: Demands) -> CompanionState:
    """Return what is known of a picture that cannot be read."""
    problem = f"the {demands.name} from {companion.source} {companion.fault}; {demands.cure}"
    return CompanionState(problem, Level.ERROR, companion.source)


def _problem(companion: Taken, image: Taken, age_s: float, demands: Demands) -> tuple[Level, str]:
    """Say what keeps a picture from being of use, and how bad that is."""
    assert companion.picture is not None and image.picture is not None
    (height, width), (rows, columns) = companion.picture.shape[:2], image.picture.shape[:2]
    if (height, width) != (rows, columns):
        return Level.ERROR, f"is {width}x{height}, the image {columns}x{rows}"
    cameras = companion.frame_id, image.frame_id
    if all(cameras) and cameras[0] != cameras[1]:
        return Level.ERROR, "is by the camera {!r}, the image by {!r}".format(*cameras)
    encodings = companion.encoding, image.encoding
    if all(encodings) and len({one.startswith(GREY) for one in encodings}) == 2:
        return Level.ERROR, "is {}, the image {}: one has colours, one has none".format(*encodings)
    if fault := colour_fault(companion, image):
        return Level.ERROR, fault
    limit = f"{demands.name}.max_age_s is {demands.max_age_s:g}"
    if demands.max_age_s and isnan(age_s):
        return Level.WARN, f"is of unknown age, as it or the image has no stamp, and {limit}"
    if demands.max_age_s and age_s > demands.max_age_s:
        return Level.WARN, f"is {age_s:.1f} s old, {limit}"
    return Level.OK, ""


def colour_fault(companion: Taken, image: Taken) -> str:
    """Say so if of two pictures one has colours and the other, to the last pixel, has none."""
    one = companion.in_colours
    # The image is looked at only where that can matter, which takes the least time.
    if one is None or image.in_colours is not (not one):
        return ""
    return "has colours, the image has none" if one else "has no colours, the image has some"


def _note(age_s: float, demands: Demands) -> str:
    """Say what is odd about the stamp of a picture that is of use."""
    if not demands.max_age_s or not age_s < -AHEAD_S:  # NaN is not
        return ""
    return (
        f"it is stamped {-age_s:.1f} s after the image, so {demands.name}.max_age_s cannot tell "
        "whether it is too old: set the clocks of both alike"
    )


# ---- what commands are told ---------------------------------------------------------------------


def add_companion_option(parser: ArgumentParser) -> None:
    """Declare what a command can be told of pictures to compare with."""
    parser.add_argument(
        OPTION,
        type=Path,
        metavar="FILE",
        help="picture of the empty place by the same camera, for models that compare with one",
    )


def read_given(spec: ModelSpec, file: Path | None) -> dict[str, NDArray[np.uint8]]:
    """Return the picture that a command was given, by its name; nothing where it was given none.

    Raises:
        ValueError: It cannot be read, or the model takes none.
    """
    if file is None:
        return {}
    if BACKGROUND not in spec.companions():
        raise ValueError(
            f"{OPTION} is {file}, but the model compares images with nothing: it answers "
            f"{', '.join(spec.tasks)}; leave the option out"
        )
    try:
        picture = read_picture(file)
    except PictureError as error:
        raise ValueError(f"{OPTION}: {file} {error}") from None
    picture.flags.writeable = False
    return {BACKGROUND: picture}


class Beside:
    """What a network gets beside the images of a source: given once for all, or named with each."""

    def __init__(
        self, names: Sequence[str], given: Mapping[str, NDArray[np.uint8]], source: Source
    ) -> None:
        """Let the source read what was not given.

        Args:
            names: Of what the network takes.
            given: For all images, by name; see ``read_given``.
            source: Of the images.

        Raises:
            ValueError: The source cannot name any.
        """
        self._given, self._last = dict(given), dict[str, Taken]()
        self._wanted = [name for name in names if name not in given]
        if self._wanted and not source.names_pictures:
            raise ValueError(_missing(self._wanted, str(source.path), is_bag(source.path)))
        source.beside = self._wanted
        if BACKGROUND in self._wanted:
            source.cure = f", or give {OPTION} FILE for all images"
        self._source = source

    def notes(self) -> Iterator[str]:
        """Yield what people may not expect: pictures that are named with images, and not used."""
        for name in self._given:
            if self._source.names(name):
                yield (
                    f"note: {OPTION} is for all images; the pictures {name!r} that "
                    f"{self._source.path} names are not used"
                )

    def of(self, frame: Frame) -> dict[str, NDArray[np.uint8]]:
        """Return the pictures that belong to an image, by their names.

        Raises:
            ValueError: The source names none.
            CompanionError: It is grey and the image is not, or the reverse.
        """
        if missing := [name for name in self._wanted if name not in frame.beside]:
            raise ValueError(_missing(missing, frame.name))
        pictures = {**self._given, **frame.beside}
        image = Taken(frame.name, frame.image)
        for name, picture in pictures.items():
            if (last := self._last.get(name)) is None or last.picture is not picture:
                self._last[name] = last = Taken(name, picture)
            if fault := colour_fault(last, image):
                raise CompanionError(
                    f"the picture {name!r} {fault} ({frame.name}): expected two pictures of one "
                    "camera; give one that this camera took"
                )
        return pictures


def _missing(names: Sequence[str], where: str, bag: bool = False) -> str:
    """Say what lacks, and how to give it."""
    if bag:
        cure = f"give {OPTION} FILE for all images, or " if names[0] == BACKGROUND else ""
        return (
            f"the model compares each image with a picture {names[0]!r}, and only `replay` reads "
            f"those that a bag, such as {where}, may hold: {cure}use `replay`"
        )
    ways = [f'a frames.jsonl whose lines name one by the key "{names[0]}"']
    if names[0] == BACKGROUND:
        ways.insert(0, f"{OPTION} FILE for all images")
    return (
        f"the model compares each image with a picture {names[0]!r}, and {where} has none: give "
        f"{', or '.join(ways)}"
    )


def refuse_companions(spec: ModelSpec, what: str, instead: str) -> None:
    """Refuse a model that compares images with others where nobody can give these.

    Args:
        spec: Of the model.
        what: Who cannot.
        instead: What to do.

    Raises:
        ValueError: It does.
    """
    if names := spec.companions():
        raise ValueError(
            f"the model {spec.title} compares each image with a picture {names[0]!r}, which {what} "
            f"cannot give it: {instead}"
        )
