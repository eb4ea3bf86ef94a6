"""Pictures that a network compares an image with, such as one of the empty place.

Which are of use to which image, and what commands are told of them; for files, bags and node alike.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.frames import Frame, Source
from shared_encoder_perception.images.image_msg import ImageMsgError, to_bgr
from shared_encoder_perception.images.picture_bytes import PictureError
from shared_encoder_perception.images.picture_file import read_picture
from shared_encoder_perception.images.stamps import stamp_ns
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.tasks.contract.refining import CompanionState
from shared_encoder_perception.tasks.status import Level

BACKGROUND: Final = "background"
"""The one that options and parameters can name: a model may take others, by lists and topics."""
OPTION: Final = "--background"
GREY: Final = ("mono", "8UC1")
"""How encodings without colours begin."""


# ---- which pictures are of use ------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Taken:
    """A picture that a camera took, or what came instead of one.

    Attributes:
        source: Where it came from, for people.
        picture: (H, W, 3) uint8 BGR; ``None`` where it cannot be read.
        fault: Why it cannot.
        stamp_ns: When it was taken; 0 = not known.
        frame_id: Frame of the camera; empty = not known.
        encoding: Of its message; empty where there was none, or one that does not tell.
    """

    source: str
    picture: NDArray[np.uint8] | None
    fault: str = ""
    stamp_ns: int = 0
    frame_id: str = ""
    encoding: str = ""


def of_message(message: Any, source: str, picture: NDArray[np.uint8] | None = None) -> Taken:
    """Take the picture of an Image or a CompressedImage, of rclpy or rosbags.

    Args:
        message: The message.
        source: Where it came from, for people.
        picture: Its pixels, where they are known.
    """
    fault = ""
    try:
        picture = to_bgr(message) if picture is None else picture
    except ImageMsgError as error:
        fault = str(error)
    header, encoding = message.header, str(getattr(message, "encoding", ""))
    return Taken(source, picture, fault, stamp_ns(header), str(header.frame_id), encoding)


def of_file(file: Path, source: str) -> Taken:
    """Take the picture of a file: taken when it was written, by a camera that nobody names."""
    try:
        written_ns = file.stat().st_mtime_ns if file.is_file() else 0
        return Taken(source, read_picture(file), stamp_ns=written_ns)
    except (PictureError, OSError) as error:
        return Taken(source, None, str(error))


@dataclass(frozen=True)
class Demands:
    """What is asked of a picture to compare with, whichever it is.

    Attributes:
        name: Of the network's input.
        missing: What to say while there is none.
        cure: What to do where there is one that is of no use.
        max_age_s: Most seconds between it and an image; 0 = any.
    """

    name: str
    missing: str
    cure: str
    max_age_s: float = 0.0


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
    stamped = companion.stamp_ns and image.stamp_ns
    age_s = (image.stamp_ns - companion.stamp_ns) * 1e-9 if stamped else nan
    picture = companion.picture
    size = None if picture is None else (picture.shape[0], picture.shape[1])
    level, problem = _problem(companion, image, age_s, demands)
    if problem:
        problem = f"the {demands.name} from {companion.source} {problem}: {demands.cure}"
    state = CompanionState(problem, level, companion.source, age_s, size)
    return (image.picture if problem or picture is None else picture), state


def _problem(companion: Taken, image: Taken, age_s: float, demands: Demands) -> tuple[Level, str]:
    """Say what keeps a picture from being of use, and how bad that is."""
    if companion.picture is None or image.picture is None:
        return Level.ERROR, f"is of no use ({companion.fault})"
    (height, width), (rows, columns) = companion.picture.shape[:2], image.picture.shape[:2]
    if (height, width) != (rows, columns):
        return Level.ERROR, f"is {width}x{height}, the image {columns}x{rows}"
    cameras = companion.frame_id, image.frame_id
    if all(cameras) and cameras[0] != cameras[1]:
        return Level.ERROR, "is by the camera {!r}, the image by {!r}".format(*cameras)
    encodings = companion.encoding, image.encoding
    if all(encodings) and len({one.startswith(GREY) for one in encodings}) == 2:
        return Level.ERROR, "is {}, the image {}: one has colours, one has none".format(*encodings)
    limit = f"{demands.name}.max_age_s is {demands.max_age_s:g}"
    if demands.max_age_s and isnan(age_s):
        return Level.WARN, f"is of unknown age, as it or the image has no stamp, and {limit}"
    if demands.max_age_s and age_s > demands.max_age_s:
        return Level.WARN, f"is {age_s:.1f} s old, {limit}"
    return Level.OK, ""


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
        self._given = dict(given)
        self._wanted = [name for name in names if name not in given]
        if self._wanted and not source.names_pictures:
            raise ValueError(_missing(self._wanted, str(source.path)))
        source.beside = self._wanted

    def of(self, frame: Frame) -> dict[str, NDArray[np.uint8]]:
        """Return the pictures that belong to an image, by their names.

        Raises:
            ValueError: The source names none.
        """
        if missing := [name for name in self._wanted if name not in frame.beside]:
            raise ValueError(_missing(missing, frame.name))
        return {**self._given, **frame.beside}


def _missing(names: Sequence[str], where: str) -> str:
    """Say what lacks, and how to give it."""
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
