# SPDX-License-Identifier: Apache-2.0
"""Where ``predict`` writes, of images and moments alike: a folder of its own, a video, or both."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.files.whole_file import sole_writer
from shared_encoder_perception.images.bags import is_bag
from shared_encoder_perception.images.frames import tell
from shared_encoder_perception.images.video import DEFAULT_RATE_HZ, of_one_size, write_video
from shared_encoder_perception.predict.results import Result


class Told(Protocol):
    """A source, of which it is known in the end what could not be read.

    Attributes:
        problems: One line for each.
    """

    problems: list[str]

    def rate_hz(self) -> float | None:
        """Return how fast its images came; ``None`` where nothing says so."""


def check_free(args: argparse.Namespace, result: Result) -> None:
    """Refuse to write nothing, or to replace a finished result unasked.

    Args:
        args: Of the command.
        result: What it writes into ``--out``.

    Raises:
        ValueError: So it is.
    """
    if args.out is None and (args.overlay or args.sheet):
        raise ValueError("--overlay and --sheet write into --out, which is not given")
    if args.out is None and args.video is None:
        raise ValueError("give --out FOLDER for the result, --video FILE.mp4, or both")
    if args.out is None:
        return
    if (path := args.out / result.file).exists() and not args.force:
        raise ValueError(f"{path} exists: choose another --out, or replace it with --force")


def alone(args: argparse.Namespace, result: Result, perceive: Callable[[], int]) -> int:
    """Perceive while no other run writes into ``--out``; return the exit status.

    Raises:
        ValueError: Another one does, or has written a result since the command began.
    """
    if args.out is None:
        return perceive()
    with sole_writer(args.out, None if is_bag(args.input) else args.input):
        check_free(args, result)  # of a run that ended while the model was loaded
        return perceive()


def write_all(
    pictures: Iterator[NDArray[np.uint8]], source: Told, args: argparse.Namespace
) -> None:
    """Perceive to the end, and make the video that was asked for.

    Args:
        pictures: Of the video; all is perceived when there is none any more.
        source: Says how fast the video is, unless ``--fps`` does.
        args: Of the command.
    """
    if args.video:
        rate = args.fps or source.rate_hz() or DEFAULT_RATE_HZ
        write_video(of_one_size(pictures), args.video, rate)
    for _ in pictures:  # all of them, where there is no video to draw for
        pass


def end(
    source: Told, args: argparse.Namespace, tally: Any, written: Mapping[str, Path | str | None]
) -> int:
    """Say what was perceived and written; return the exit status.

    Args:
        source: What was perceived.
        args: Of the command.
        tally: The summary.
        written: Files and folders below ``--out`` by what they are; ``None`` for none.
    """
    print(tally)
    paths = {what: args.out / path for what, path in written.items() if args.out and path}
    if args.video:
        paths["video"] = args.video
    print(*(f"{what + ':':<12} {path}" for what, path in paths.items()), sep="\n")
    return tell(source.problems)
