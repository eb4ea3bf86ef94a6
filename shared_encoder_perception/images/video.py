# SPDX-License-Identifier: Apache-2.0
"""Videos that every player and browser shows."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.files.whole_file import replacing
from shared_encoder_perception.libraries import missing

SUFFIX: Final = ".mp4"
RATES_HZ: Final = (1.0, 120.0)
"""Slowest and fastest video, where stamps say how fast it is."""
DEFAULT_RATE_HZ: Final = 15.0
FASTEST_HZ: Final = 1000.0
"""What may be asked for."""

_log = logging.getLogger(__name__)


def rate_hz(images: int, first_ns: int, last_ns: int) -> float:
    """Return the rate of images with these stamps, within what a video can be shown at."""
    if images < 2 or last_ns <= first_ns:
        return DEFAULT_RATE_HZ
    rate = (images - 1) / ((last_ns - first_ns) * 1e-9)
    return min(max(rate, RATES_HZ[0]), RATES_HZ[1])


def add_video_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of a command that writes a video if it is asked to."""
    parser.add_argument(
        "--video", type=Path, metavar="FILE.mp4", help="also write all overlays as one video"
    )
    parser.add_argument(
        "--fps",
        type=float,
        metavar="HZ",
        help="images a second of the video (default: as in a video or bag, 15 of a folder)",
    )


def check_video_options(args: argparse.Namespace) -> None:
    """Refuse what would only fail once images have been perceived; make the video's folder.

    Args:
        args: With ``video``, ``fps``, ``input``, and ``force``: whether to replace an earlier one.

    Raises:
        ValueError: The video cannot be written there, or not at that rate.
    """
    path: Path | None = args.video
    if path is None:
        if args.fps is not None:
            raise ValueError("--fps is for --video, which is not given")
        return
    if args.fps is not None and not 0 < args.fps <= FASTEST_HZ:
        raise ValueError(
            f"--fps is {args.fps:g}, expected more than 0 and at most {FASTEST_HZ:g} images a "
            "second"
        )
    if path.suffix != SUFFIX or path.is_dir():
        what = "is a folder" if path.is_dir() else "has another suffix"
        raise ValueError(f"--video {path} {what}, expected a file that ends in {SUFFIX}")
    if path.exists() and args.input.exists() and path.samefile(args.input):
        raise ValueError(f"--video {path} is the input: choose another file")
    if path.exists() and not args.force:
        raise ValueError(f"{path} exists: choose another --video, or replace it with --force")
    if reason := missing("av"):
        raise ValueError(f"--video cannot be written: {reason}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"--video {path}: its folder cannot be made: {error.strerror}") from None
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ValueError(f"--video {path}: its folder cannot be written to")


def of_one_size(frames: Iterator[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    """Yield frames of the first one's size, as a video needs them; the first other one is told.

    H.264 halves colours: an odd last row or column is cut off. Frames of another size keep their
    proportions, in the middle of black.

    Args:
        frames: (H, W, 3) uint8 BGR, at least 2x2.
    """
    first, size, told = None, (0, 0), False
    for frame in frames:
        if first is None:
            first, size = frame.shape[:2], (frame.shape[0] // 2 * 2, frame.shape[1] // 2 * 2)
        if frame.shape[:2] == first:
            yield np.ascontiguousarray(frame[: size[0], : size[1]])
            continue
        if not told:
            _log.warning(
                "the video has the size of its first image, %dx%d: others, such as one of %dx%d, "
                "are scaled into it",
                *size[::-1],
                *frame.shape[1::-1],
            )
            told = True
        yield _fitted(frame, size)


def _fitted(frame: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a frame scaled into ``(height, width)``, in the middle of black."""
    scale = min(size[0] / frame.shape[0], size[1] / frame.shape[1])
    height, width = (max(round(side * scale), 1) for side in frame.shape[:2])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    canvas = np.zeros((*size, 3), np.uint8)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    canvas[top : top + height, left : left + width] = cv2.resize(
        frame, (width, height), interpolation=method
    )
    return canvas


def write_video(frames: Iterator[NDArray[np.uint8]], path: Path, rate: float) -> int:
    """Encode frames of one even size as H.264, which every player and browser shows.

    Args:
        frames: (H, W, 3) uint8 BGR; see ``of_one_size``.
        path: The .mp4 to write; it appears only when complete.
        rate: Frames per second.

    Returns:
        The number of frames; 0 writes nothing.

    Raises:
        RuntimeError: The codec fails.
        ModuleNotFoundError: PyAV is not installed.
    """
    import av  # what needs no video does without

    first = next(frames, None)
    if first is None:
        return 0
    count = 0
    try:
        with replacing(path) as part, av.open(str(part), "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=Fraction(rate).limit_denominator(1000))
            stream.height, stream.width = first.shape[0], first.shape[1]
            stream.pix_fmt = "yuv420p"
            stream.options = {"crf": "20", "preset": "veryfast"}
            for frame in chain([first], frames):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
                count += 1
            container.mux(stream.encode())
    except av.FFmpegError as error:
        raise RuntimeError(f"cannot write the video {path}: {error}") from None
    return count
