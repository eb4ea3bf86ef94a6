"""Videos that every player and browser shows."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.files.whole_file import replacing


def write_video(frames: Iterator[NDArray[np.uint8]], path: Path, rate: float) -> int:
    """Encode frames of one even size as H.264, which every player and browser shows.

    Args:
        frames: (H, W, 3) uint8 BGR.
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
