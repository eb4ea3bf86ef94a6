"""Videos that every player and browser shows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray


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
    """
    part, count = path.with_name(path.name + ".part"), 0
    try:
        with av.open(str(part), "w", format="mp4") as container:
            stream: Any = None
            for frame in frames:
                if stream is None:
                    stream = container.add_stream(
                        "libx264", rate=Fraction(rate).limit_denominator(1000)
                    )
                    stream.height, stream.width = frame.shape[0], frame.shape[1]
                    stream.pix_fmt = "yuv420p"
                    stream.options = {"crf": "20", "preset": "veryfast"}
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
                count += 1
            if stream is not None:
                container.mux(stream.encode())
        if count:
            os.replace(part, path)
    except av.FFmpegError as error:
        raise RuntimeError(f"cannot write the video {path}: {error}") from None
    finally:
        part.unlink(missing_ok=True)
    return count
