# SPDX-License-Identifier: Apache-2.0
"""Where images come from without ROS: a folder, a native data set, a video, a rosbag2.

Every source is an iterable of ``Frame`` that reads as it goes: memory does not grow with length.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.files.data_paths import PathError, inside
from shared_encoder_perception.files.plain_file import plain
from shared_encoder_perception.images.bag_source import BagSource
from shared_encoder_perception.images.bags import is_bag
from shared_encoder_perception.images.frames import Frame, Source, SourceError
from shared_encoder_perception.images.listing import (
    FILE_NAME,
    IMAGE_SUFFIXES,
    counting,
    has_image_suffix,
    pictures_in,
)
from shared_encoder_perception.images.picture_bytes import PictureError
from shared_encoder_perception.images.picture_file import read_picture
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.images.video_source import VideoSource

__all__ = [
    "BagSource",
    "FolderSource",
    "Frame",
    "JsonlSource",
    "Source",
    "SourceError",
    "VideoSource",
    "open_source",
    "parse_crop",
    "read_image",
]


def open_source(path: Path, topic: str | None = None) -> Source:
    """Choose the reader for ``path`` by what is there; a folder may be a native data set.

    Raises:
        SourceError: Nothing there, empty, or of no known kind.
        BagError: A bag that cannot be used.
    """
    if not path.exists():
        raise SourceError(
            f"there is no {path}: give a folder of images, a frames.jsonl, a video or a rosbag2"
        )
    if not path.is_relative_to("/dev") or path.is_fifo():  # a camera, /dev/video0, is a source
        plain(path)
    if is_bag(path):
        return BagSource(path, topic)
    if topic is not None:
        raise SourceError(f"--topic is for bags, and {path} is none")
    if path.is_dir():
        listing = path / FILE_NAME  # its masks and depth maps are pictures, too, and no input
        return JsonlSource(listing) if listing.is_file() else FolderSource(path)
    if path.suffix == ".jsonl":
        return JsonlSource(path)
    if has_image_suffix(path):
        return FolderSource(path.parent, [path])
    return VideoSource(path)


class FolderSource(Source):
    """All images below a folder, by path with numbers as numbers: ``2.png`` before ``10.png``.

    What systems left behind is no image.
    """

    def __init__(self, folder: Path, files: list[Path] | None = None) -> None:
        """List the images; ``files`` limits them."""
        super().__init__(folder)
        self._files = files or sorted(
            pictures_in(folder, below=True), key=lambda path: counting(path.relative_to(folder))
        )
        if not self._files:
            raise SourceError(
                f"{folder} holds no images: expected files ending in {', '.join(IMAGE_SUFFIXES)}; "
                "hidden files, and what systems leave behind, do not count"
            )

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._files)

    def _read(self) -> Iterator[Frame | str]:
        """Read the images in the order of their paths."""
        for path in self._files:
            try:
                image = read_image(path)
            except SourceError as error:
                yield str(error)
            else:
                yield Frame(path.relative_to(self.path).as_posix(), image)


class JsonlSource(Source):
    """The images that a native data set's ``frames.jsonl`` lists, with their crops.

    A line may name pictures beside its image, such as a ``background``, by their paths.
    """

    names_pictures = True

    def __init__(self, path: Path) -> None:
        """Count the lines; they are parsed as they are read."""
        super().__init__(path)
        with path.open("rb") as lines:
            self._count = sum(1 for line in lines if line.strip())
        if not self._count:
            raise SourceError(f"{path} is empty: expected one JSON object per line")

    def __len__(self) -> int:
        """Return the number of frames."""
        return self._count

    def names(self, key: str) -> bool:
        """Whether any line names a picture by that key; damaged lines are told when read."""
        with self.path.open("rb") as lines:
            return any(f'"{key}"'.encode() in line and _value(line, key) for line in lines)

    def _read(self) -> Iterator[Frame | str]:
        """Read the images in the order of the lines.

        Raises:
            SourceError: A line lists no image, or one that was listed before.
        """
        first: dict[Path, int] = {}
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                where = f"{self.path}, line {number}"
                record, crop, camera = _parse(line, where)
                name = record["image"]
                # Results are kept by name: a second one would overwrite the first one's mask.
                if (before := first.setdefault(Path(name), number)) != number:
                    raise SourceError(
                        f"{where}: {name} is on line {before} already: list every image once"
                    )
                try:
                    path = inside(self.path.parent, name, "image")
                    others = {key: self._named(record, key) for key in self.beside if key in record}
                except PathError as error:
                    raise SourceError(f"{where}: {error}") from None
                if lacking := [key for key in self.beside if not others.get(key)]:
                    yield (
                        f"{where}: {name} has no picture {lacking[0]!r} to be compared with: name "
                        f'one by the key "{lacking[0]}"{self.cure}'
                    )
                    continue
                try:
                    image = read_image(path)
                    beside = {key: _kept_image(one) for key, one in others.items() if one}
                    focal_px, height_m = camera
                    yield Frame(name, image, crop, None, focal_px, height_m, beside)
                except SourceError as error:
                    yield f"{where}: {error}"

    def _named(self, record: Mapping[str, Any], key: str) -> Path | None:
        """Return the path of a picture that a line names beside its image; ``None`` for null.

        Raises:
            PathError: It leaves the set.
        """
        return None if record[key] is None else inside(self.path.parent, record[key], key)


def _value(line: bytes, key: str) -> Any:
    """Return what a line has by a key; ``None`` where it is damaged."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record.get(key) if isinstance(record, dict) else None


def _parse(
    line: bytes, where: str
) -> tuple[Mapping[str, Any], Crop | None, tuple[float | None, float | None]]:
    """Return a line as it is, with ``image``; its crop, and focal length and height of its camera.

    Raises:
        SourceError: The line names no image.
    """
    try:
        record: Any = json.loads(line)
        name, crop = record["image"], _crop(record.get("crop"))
        focal_px, height_m = (
            None if record.get(key) is None else float(record[key])
            for key in ("focal_px", "camera_height_m")
        )
        wrong = [one for one in (focal_px, height_m) if not (one is None or 0 < one < math.inf)]
        if not isinstance(name, str) or wrong:
            raise TypeError
    except json.JSONDecodeError as error:
        raise SourceError(f"{where}: not valid JSON: {error}") from None
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError, RecursionError):
        raise SourceError(
            f'{where}: expected {{"image": path, "crop": [x, y, width, height]}} with whole '
            f'pixels, and perhaps a "focal_px" or a "camera_height_m" above 0, found '
            f"{line.strip()[:120]!r}"
        ) from None
    return record, crop, (focal_px, height_m)


def _crop(values: Any) -> Crop | None:
    """Read the crop of a jsonl line.

    Raises:
        TypeError, ValueError, OverflowError: It is not four whole numbers.
    """
    if values is None:
        return None
    if any(int(value) != value for value in values):
        raise ValueError
    return Crop(*(int(value) for value in values))


def parse_crop(text: str) -> Crop:
    """Parse ``x,y,width,height``, as options have it."""
    try:
        x, y, width, height = (int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not x,y,width,height in pixels") from None
    return Crop(x, y, width, height)


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image file as people see it, turned as its EXIF data ask for.

    Returns:
        (H, W, 3) uint8 BGR.

    Raises:
        SourceError: Missing, not an image, too large, damaged, or cut off.
    """
    if not path.is_file():
        raise SourceError(f"there is no image {path}")
    try:
        return read_picture(path)
    except PictureError as error:
        raise SourceError(f"{path} {error}") from None


def _kept_image(path: Path) -> NDArray[np.uint8]:
    """Read a picture that one line after the other names once, unless it was written again.

    Raises:
        SourceError: See ``read_image``.
    """
    return _read_once(path, path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=2)
def _read_once(path: Path, _written_ns: int) -> NDArray[np.uint8]:
    """Read a picture as it was at that time; nobody may write to it."""
    picture = read_image(path)
    picture.flags.writeable = False
    return picture
