# SPDX-License-Identifier: Apache-2.0
"""What ``format`` of a sensor_msgs/CompressedImage says of the pixels in its ``data``.

compressed_image_transport writes ``ORIGINAL; CODEC compressed TARGET``: it converts the camera's
pixels from ORIGINAL to TARGET, and then hands them to OpenCV's encoder, which takes them for BGR.
Without a TARGET, the pixels are in the file as they were. Others write the codec alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.files.safe_text import printable

_CODEC: Final = re.compile(
    r"\b(jpeg|jpg|png|tiff?)(?=\b|compressed)(?:.*?compressed\s*(\w*))?", re.I
)
_OPENCV_TYPE: Final = re.compile(r"\d+[usf]c\d*")
"""OpenCV's names of types, which say nothing about colour."""
_PICTURES: Final = ("8uc1", "8uc3", "8uc4", "16uc3", "16uc4")
"""Those of them that may be pictures: one channel of more than 8 bits is a depth or a count."""
_CONVERTED: Final = ("bgr", "rgb", "mono")
_MOSAIC: Final = (
    "compressed image format {!r} is not supported: the pixels are a Bayer mosaic, as the sensor "
    "has them; publish what a debayer node makes of them, such as image_proc's image_color"
)
_SHOWN: Final = 80
SITE_STEP: Final = 3.0
"""Grey levels by which one of the four kinds of pixels of a Bayer mosaic differs from its
neighbours on the average; those of a picture do by a small part of one."""


class FormatError(ValueError):
    """A format that cannot be used; the text says what is wrong and what to publish."""


@dataclass(frozen=True)
class Format:
    """What a format says.

    Attributes:
        name: The text itself, fit for a message.
        swapped: Whether red and blue are swapped in the file.
        was_mosaic: Whether grey pixels were those of a Bayer mosaic before they were compressed.
    """

    name: str
    swapped: bool = False
    was_mosaic: bool = False


def read_format(text: str) -> Format:
    """Read a format; spaces and upper case do not matter.

    Raises:
        FormatError: No codec that is known, or what it compresses is no picture.
    """
    name = printable(" ".join(text.split()))
    name = name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…"
    words = " ".join(text.lower().split())
    found = _CODEC.search(words)
    if found is None or "compresseddepth" in words:
        raise FormatError(
            f"compressed image format {name!r} is not supported: publish 'jpeg' or 'png'"
        )
    before, codec, target = words[: found.start()], found[1], found[2] or ""
    original = before.partition(";")[0].strip() if ";" in before else ""
    for encoding in (original, target):
        if _OPENCV_TYPE.fullmatch(encoding) and encoding not in _PICTURES:
            raise FormatError(
                f"compressed image format {name!r} is not supported: {encoding.upper()} are depths "
                "or counts, not a picture; publish a camera's picture"
            )
    is_mosaic = "bayer" in original and not target.startswith(_CONVERTED)
    if is_mosaic or "bayer" in target:
        raise FormatError(_MOSAIC.format(name))
    # Only TIFF files hold the pixels as they were without that being said.
    inside = target or (original if codec.startswith("tif") else "")
    return Format(
        name, inside.startswith("rgb"), was_mosaic="bayer" in original and target.startswith("mono")
    )


def check_converted(form: Format, grey: NDArray[np.uint8]) -> None:
    """Refuse a Bayer mosaic that the format calls a grey picture.

    Humble and later make a picture of it; others only say so.

    Args:
        form: What the format says; of others than ``was_mosaic``, nothing is checked.
        grey: (H, W) uint8.

    Raises:
        FormatError: Pixels differ from their neighbours by where they are on the sensor.
    """
    if not form.was_mosaic or min(grey.shape) < 4:
        return
    values = grey.astype(np.float32)
    beside = values[1:-1, :-2] + values[1:-1, 2:] + values[:-2, 1:-1] + values[2:, 1:-1]
    steps = values[1:-1, 1:-1] - beside / 4
    if max(abs(steps[y::2, x::2].mean()) for y in (0, 1) for x in (0, 1)) > SITE_STEP:
        raise FormatError(_MOSAIC.format(form.name))
