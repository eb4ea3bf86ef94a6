# SPDX-License-Identifier: Apache-2.0
"""Pictures with what is known of how they were taken, from messages and from files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import nan
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.colours import in_colours
from shared_encoder_perception.images.image_msg import ImageMsgError, to_bgr
from shared_encoder_perception.images.picture_bytes import PictureError
from shared_encoder_perception.images.picture_file import read_picture
from shared_encoder_perception.images.stamps import stamp_ns

GREY: Final = ("mono", "8UC1")
"""How encodings without colours begin."""


@dataclass(frozen=True, eq=False)
class Taken:
    """A picture that a camera took, or what came instead of one.

    Attributes:
        source: Where it came from, for people.
        picture: (H, W, 3) uint8 BGR; ``None`` where it cannot be read.
        fault: Why it cannot, to follow its name: "is missing".
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

    @cached_property
    def in_colours(self) -> bool | None:
        """Whether it has colours; ``None`` where nothing tells."""
        if self.encoding.startswith(GREY):
            return False
        return None if self.picture is None else in_colours(self.picture)

    def lead_s(self, other: Taken) -> float:
        """Return how much earlier than another it was taken, seconds; NaN where unknown."""
        stamped = self.stamp_ns and other.stamp_ns
        return (other.stamp_ns - self.stamp_ns) * 1e-9 if stamped else nan


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
        fault = f"cannot be read ({error})"
    header, encoding = message.header, str(getattr(message, "encoding", ""))
    return Taken(source, picture, fault, stamp_ns(header), str(header.frame_id), encoding)


def of_file(file: Path, source: str) -> Taken:
    """Take the picture of a file: taken when it was written, by a camera that nobody names."""
    try:
        written_ns = file.stat().st_mtime_ns if file.is_file() else 0
        return Taken(source, read_picture(file), stamp_ns=written_ns)
    except PictureError as error:
        return Taken(source, None, str(error))
    except OSError as error:
        return Taken(source, None, f"cannot be read: {error.strerror}")
