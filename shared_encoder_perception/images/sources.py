"""Where images come from without ROS: a folder, a frames.jsonl, a video, a rosbag2.

Every source is an iterable of ``Frame`` that reads as it goes: memory does not grow with length.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.data_paths import PathError, inside
from shared_encoder_perception.images.bags import image_topic, is_bag, open_bag, read_messages
from shared_encoder_perception.images.image_msg import to_bgr
from shared_encoder_perception.images.listing import IMAGE_SUFFIXES, has_image_suffix, pictures_in
from shared_encoder_perception.images.preprocess import Crop

MAGIC: Final = {b"\xff\xd8": "jpeg", b"\x89PNG": "png"}
"""First bytes of the files that a camera's CompressedImage may hold too -> their format."""
DAMAGED_BELOW: Final = 0.9
"""Containers miscount by a few frames; a video with a smaller share of them broke off."""

_log = logging.getLogger(__name__)


class SourceError(ValueError):
    """Images that cannot be read; the message says what and what to do."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One image.

    Attributes:
        name: As the source calls it: a path relative to the source, or ``frame_000001``.
        image: (H, W, 3) uint8 BGR.
        crop: Part to use, where the source says so.
        stamp_ns: When it was taken, where the source says so: a bag's header stamp.
    """

    name: str
    image: NDArray[np.uint8]
    crop: Crop | None = None
    stamp_ns: int | None = None


class Source(Protocol):
    """Frames, and how many there are where that is known."""

    def __iter__(self) -> Iterator[Frame]:
        """Read the frames in order."""

    def __len__(self) -> int:
        """Return how many frames there are, 0 where only reading would tell."""


def open_source(path: Path, topic: str | None = None) -> Source:
    """Choose the reader for ``path`` by what is there.

    Raises:
        SourceError: Nothing there, empty, or of no known kind.
        BagError: A bag that cannot be used.
    """
    if not path.exists():
        raise SourceError(
            f"there is no {path}: give a folder of images, a frames.jsonl, a video or a rosbag2"
        )
    if is_bag(path):
        return BagSource(path, topic)
    if topic is not None:
        raise SourceError(f"--topic is for bags, and {path} is none")
    if path.is_dir():
        return FolderSource(path)
    if path.suffix == ".jsonl":
        return JsonlSource(path)
    if has_image_suffix(path):
        return FolderSource(path.parent, [path])
    return VideoSource(path)


class FolderSource:
    """All images below a folder, sorted by path; what systems left behind is no image."""

    def __init__(self, folder: Path, files: list[Path] | None = None) -> None:
        """List the images; ``files`` limits them."""
        self._folder = folder
        self._files = files or pictures_in(folder, below=True)
        if not self._files:
            raise SourceError(
                f"{folder} holds no images: expected files ending in {', '.join(IMAGE_SUFFIXES)}"
            )

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._files)

    def __iter__(self) -> Iterator[Frame]:
        """Read the images in the order of their paths."""
        for path in self._files:
            yield Frame(path.relative_to(self._folder).as_posix(), read_image(path))


class JsonlSource:
    """The images that a native data set's ``frames.jsonl`` lists, with their crops."""

    def __init__(self, path: Path) -> None:
        """Count the lines; they are parsed as they are read."""
        self._path = path
        with path.open("rb") as lines:
            self._count = sum(1 for line in lines if line.strip())
        if not self._count:
            raise SourceError(f"{path} is empty: expected one JSON object per line")

    def __len__(self) -> int:
        """Return the number of frames."""
        return self._count

    def __iter__(self) -> Iterator[Frame]:
        """Read the images in the order of the lines."""
        first: dict[Path, int] = {}
        with self._path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                frame = self._frame(line, f"{self._path}, line {number}")
                # Results are kept by name: a second one would overwrite the first one's mask.
                if (before := first.setdefault(Path(frame.name), number)) != number:
                    raise SourceError(
                        f"{self._path}, line {number}: {frame.name} is on line {before} already: "
                        "list every image once"
                    )
                yield frame

    def _frame(self, line: bytes, where: str) -> Frame:
        """Read one line's image."""
        try:
            record: Any = json.loads(line)
            name, crop = record["image"], _crop(record.get("crop"))
            if not isinstance(name, str):
                raise TypeError
        except json.JSONDecodeError as error:
            raise SourceError(f"{where}: not valid JSON: {error}") from None
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError):
            raise SourceError(
                f'{where}: expected {{"image": path, "crop": [x, y, width, height]}} with whole '
                f"pixels, found {line.strip()[:120]!r}"
            ) from None
        try:
            return Frame(name, read_image(inside(self._path.parent, name, "image")), crop)
        except (PathError, SourceError) as error:
            raise SourceError(f"{where}: {error}") from None


class VideoSource:
    """The frames of a video file that OpenCV can decode."""

    def __init__(self, path: Path) -> None:
        """Open the file once, to fail early."""
        self._path = path
        capture = self._open()
        self._count = max(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0)
        readable, _ = capture.read()
        capture.release()
        if not readable:
            raise SourceError(
                f"cannot decode the first frame of {path}: the codec is not supported or the file "
                "is damaged; convert it, for example with `ffmpeg -i IN -c:v libx264 OUT.mp4`"
            )

    def _open(self) -> Any:
        """Open the video."""
        # FFmpeg's own complaints would bury our one line; OpenCV reads this at its first video.
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
        capture = cv2.VideoCapture(str(self._path))
        if not capture.isOpened():
            raise SourceError(
                f"{self._path} is not a video that OpenCV can open, nor an image folder, a "
                "frames.jsonl or a rosbag2: convert it, for example with "
                "`ffmpeg -i IN -c:v libx264 OUT.mp4`"
            )
        return capture

    def __len__(self) -> int:
        """Return the number of frames the container announces."""
        return self._count

    def __iter__(self) -> Iterator[Frame]:
        """Decode the frames.

        Raises:
            SourceError: The video ends early by more than a tenth: damaged, not just miscounted.
                A smaller difference is logged as a warning.
        """
        capture, index = self._open(), 0
        try:
            while True:
                readable, image = capture.read()
                if not readable:
                    break
                yield Frame(f"frame_{index:06d}", image)
                index += 1
        finally:
            capture.release()
        if index < DAMAGED_BELOW * self._count:
            raise SourceError(
                f"{self._path} broke off at frame {index} of {self._count}: the file is damaged"
            )
        if index < self._count:
            _log.warning(
                "%s ended at frame %d of the %d it announces: cut off, or miscounted",
                self._path,
                index,
                self._count,
            )


class BagSource:
    """The images on one topic of a rosbag2."""

    def __init__(self, path: Path, topic: str | None) -> None:
        """Choose the topic and count its messages."""
        self._path = path
        with open_bag(path) as reader:
            self.topic = image_topic(reader, path, topic)
            self._count = sum(c.msgcount for c in reader.connections if c.topic == self.topic)
        if not self._count:
            raise SourceError(f"{path} has no messages on {self.topic}")

    def __len__(self) -> int:
        """Return the number of messages."""
        return self._count

    def __iter__(self) -> Iterator[Frame]:
        """Deserialise and convert the images in the order of the bag."""
        with open_bag(self._path) as reader:
            connections = [c for c in reader.connections if c.topic == self.topic]
            messages = read_messages(reader, self._path, connections)
            for index, (_, _, message) in enumerate(messages):
                try:
                    image = to_bgr(message)
                except ValueError as error:
                    raise SourceError(
                        f"{self._path}, message {index} on {self.topic}: {error}"
                    ) from None
                stamp = message.header.stamp
                stamp_ns = int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)
                yield Frame(f"frame_{index:06d}", image, stamp_ns=stamp_ns)


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


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image file as (H, W, 3) uint8 BGR, EXIF rotation ignored.

    Raises:
        SourceError: Missing, not an image, or cut off.
    """
    if not path.is_file():
        raise SourceError(f"there is no image {path}")
    content = path.read_bytes()
    for magic, kind in MAGIC.items():
        if content.startswith(magic):
            try:  # decoded, and refused, as the node does it with a CompressedImage
                return to_bgr(SimpleNamespace(format=kind, data=content))
            except ValueError as error:
                raise SourceError(f"{path}: {error}") from None
    # IGNORE_ORIENTATION: labels and crops are in pixels of the stored image.
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imdecode(np.frombuffer(content, np.uint8), flags) if content else None
    if image is None:
        raise SourceError(f"{path} is not an image that OpenCV can read: damaged or cut off?")
    return np.asarray(image, np.uint8)
