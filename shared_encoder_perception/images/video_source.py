# SPDX-License-Identifier: Apache-2.0
"""The frames of a video file, as a source."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import cv2

from shared_encoder_perception.images.frames import Frame, Source, SourceError
from shared_encoder_perception.images.picture_header import PIXELS_MAX
from shared_encoder_perception.images.video import FASTEST_HZ

DAMAGED_BELOW: Final = 0.9
"""Containers miscount by a few frames; a video with a smaller share of them broke off."""
UNKNOWN: Final = 2**32 - 1
"""Length of an AVI whose writer could not go back to write it down."""

_log = logging.getLogger(__name__)


class VideoSource(Source):
    """The frames of a video file that OpenCV can decode."""

    def __init__(self, path: Path) -> None:
        """Open the file once, to fail early.

        Raises:
            SourceError: It cannot be decoded.
        """
        super().__init__(path)
        capture = self._open()
        self._count = max(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0)
        self._rate_hz = float(capture.get(cv2.CAP_PROP_FPS))
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
        capture = cv2.VideoCapture(str(self.path))
        if not capture.isOpened():
            raise SourceError(
                f"{self.path} is not a video that OpenCV can open, nor an image folder, a "
                "frames.jsonl or a rosbag2: convert it, for example with "
                "`ffmpeg -i IN -c:v libx264 OUT.mp4`"
            )
        width, height = (
            int(capture.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
        )
        if width * height > PIXELS_MAX:
            capture.release()
            raise SourceError(
                f"{self.path} is too large: its frames have {width}x{height} pixels, expected at "
                f"most {PIXELS_MAX / 1e6:.0f} million"
            )
        return capture

    def __len__(self) -> int:
        """Return the number of frames the container announces."""
        return self._count

    def rate_hz(self) -> float | None:
        """Return what the container says, if that can be."""
        return self._rate_hz if 0 < self._rate_hz <= FASTEST_HZ else None

    def _read(self) -> Iterator[Frame | str]:
        """Decode the frames; tell if the file is not whole, and warn if it only miscounts."""
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
            yield f"{self.path} broke off at frame {index} of {self._count}: the file is damaged"
        elif fault := _fault(self.path, complete=index >= self._count):
            yield f"{self.path} {fault}: {index} of {self._count} frames could be read"
        elif index < self._count:
            _log.warning(
                "%s ended at frame %d of the %d it announces: it may have miscounted",
                self.path,
                index,
                self._count,
            )


def _fault(path: Path, *, complete: bool) -> str:
    """Say how a file is not what its container promises; empty if it is, or is not known.

    Args:
        path: The video.
        complete: Whether as many frames came as it announces. An AVI counts what is in it; others
            may announce frames that are not to be shown.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] == b"RIFF":
            length = int.from_bytes(head[4:8], "little")
            if length != UNKNOWN and length + 8 > size:
                return "is cut off"
            return "" if complete else "is damaged"
        at = 0
        while head[4:8] == b"ftyp" and at + 8 <= size:
            file.seek(at)
            box = file.read(16)
            length = int.from_bytes(box[:4], "big")
            if length == 1:
                length = int.from_bytes(box[8:16], "big")
            if length < 8:  # to the end of the file, or not known
                return ""
            at += length
    return "is cut off" if at > size else ""
