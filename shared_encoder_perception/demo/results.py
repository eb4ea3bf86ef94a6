# SPDX-License-Identifier: Apache-2.0
"""What a drive leaves in its folder: logs, a bag, a video, a summary."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.files.whole_file import write_json
from shared_encoder_perception.images.video import write_video

RESULTS: Final = ("bag", "recording", "log", "overlay.mp4", "summary.json", "rig.yaml")
MARKER: Final = ".shared_encoder_perception_demo"
"""In a folder that holds it, ``RESULTS`` are ours to replace."""
INCOMPLETE: Final = 1
"""Exit status where something was lost."""


class Summary(Protocol):
    """What a drive shows; as text it fills one screen."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain types for JSON."""

    def problems(self) -> list[str]:
        """Return what was lost, one line each; nothing if all is accounted for."""


def clear(out: Path, source: Path | None) -> None:
    """Make ``out`` ready: remove an earlier drive's results, and only those.

    Raises:
        ValueError: Something there is not ours to remove, or is the drive to be played.
    """
    marker, old = out / MARKER, [out / name for name in RESULTS if (out / name).exists()]
    if old and not marker.is_file():
        raise ValueError(
            f"{old[0]} was not written by this command and would be replaced: choose another --out"
        )
    for path in old:
        if source is not None and source.resolve().is_relative_to(path.resolve()):
            raise ValueError(
                f"{source} would be replaced by the new recording: choose another --out, or move it"
            )
    for path in old:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    out.mkdir(parents=True, exist_ok=True)
    marker.touch()


class Results:
    """The files of one drive, in an empty folder.

    Attributes:
        log: Folder for the logs of processes.
        cache: Folder of rendered clips, which stays.
        bag: The recording; there only when it is complete.
    """

    def __init__(self, out: Path) -> None:
        """Make the folder for logs."""
        self.log, self.cache, self.bag = out / "log", out / "cache", out / "bag"
        self._recording = out / "recording"
        self._video, self._summary = out / "overlay.mp4", out / "summary.json"
        self.log.mkdir()

    @contextmanager
    def recording(self) -> Iterator[Path]:
        """Give the path of a bag to be written, which becomes ``bag`` if all goes well."""
        self._recording.mkdir()
        part = self._recording / self.bag.name
        yield part
        os.replace(part, self.bag)
        self._recording.rmdir()

    def tell(
        self,
        summary: Summary,
        frames: Iterator[NDArray[np.uint8]],
        rate: float,
        without: str = "",
        nothing: str = "no image came back",
    ) -> int:
        """Write summary and video, print what there is; return the exit status.

        Args:
            summary: Of the drive.
            frames: Of the video.
            rate: Frames a second.
            without: Why there can be no video; empty if there can.
            nothing: Why there is none where there are no frames.
        """
        write_json(self._summary, summary.to_dict())
        count = 0 if without else write_video(frames, self._video, rate)
        print(f"\n{summary}\n")
        print(f"video    {self._video if count else f'none: {without or nothing}'}")
        print(f"bag      {self.bag}")
        print(f"summary  {self._summary}")
        for problem in summary.problems():
            print(f"error: {problem}", file=sys.stderr)
        return INCOMPLETE if summary.problems() else 0
