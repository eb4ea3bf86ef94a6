# SPDX-License-Identifier: Apache-2.0
"""What the processes of a soak write down, one fixed-size row for each image.

A row is written at once and whole, so that another process may read while the file grows, and a
process that is killed loses nothing that it saw. Times are of Linux's monotonic clock, which all
processes share and nobody sets.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

STAGES: Final = ("conversion", "preprocess", "inference", "decode", "processing")
"""Stages whose milliseconds an answer may tell; the last is the whole node."""
TOLD_STAGES: Final = ("waiting", "geometry", "publish")
"""Stages of ``worker.NODE_STAGES`` whose milliseconds only the diagnostics tell."""

SENT_FILE: Final = "sent.rows"
ANSWER_FILE: Final = "answers.rows"
MODEL_FILE: Final = "model.json"
"""What runs, by the fields of ModelInfo, and how many messages one image gives (``OUTPUTS``). It is
there as soon as the probe hears every output."""
OUTPUTS: Final = "outputs"
STAGE_TIMES_FILE: Final = "stage_times.jsonl"
"""One line for each of the node's diagnostics with the times of its stages: the keys and values of
the task ``processing``, of which those of ``TOLD_STAGES`` are of use."""
EVERYTHING: Final = "everything"
"""Argument of the probe: hear what is only made for who listens, too."""
COUNTS_FILE: Final = "counts.json"
"""The node's newest counts of images by what became of them, as its diagnostics tell them."""

SENT: Final = np.dtype([("stamp_ns", "<i8"), ("sent_ns", "<i8")])
"""An image of the camera: its stamp, and when it was handed to the middleware."""

SENT_BY: Final = np.dtype([*SENT.descr, ("camera", "<i8")])
"""An image of one of several cameras; the last is the camera's number."""

ANSWER: Final = np.dtype(
    [
        ("stamp_ns", "<i8"),
        ("outputs", "<i8"),
        ("array_ns", "<i8"),
        ("last_ns", "<i8"),
        ("sequence", "<i8"),
        ("received", "<i8"),
        ("dropped", "<i8"),
        ("replaced", "<i8"),
        ("rejected", "<i8"),
        *((f"{stage}_ms", "<f8") for stage in STAGES),
    ]
)
"""What came back for one image: on how many topics, when the array and when the last of all came,
and what the array said. Without an array ``array_ns`` and what follows ``last_ns`` are 0.

The array is the message that tells of the node's work; where none does, the one that is sent last:
then its number is that of the answers so far, its counts are 0 and its times are not known."""


class Rows:
    """Writes rows of one kind."""

    def __init__(self, path: Path, kind: np.dtype) -> None:
        """Begin the file anew."""
        self._file = path.open("wb", buffering=0)
        self._kind = kind

    def write(self, *values: Any) -> None:
        """Append one row."""
        self._file.write(np.array([values], self._kind).tobytes())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read(path: Path, kind: np.dtype, last: int | None = None) -> NDArray[Any]:
    """Return the rows so far, or only the last ones; none where the file is not there yet."""
    if not path.exists():
        return np.zeros(0, kind)
    rows = path.stat().st_size // kind.itemsize
    first = 0 if last is None else max(rows - last, 0)
    return np.fromfile(path, kind, rows - first, offset=first * kind.itemsize)
