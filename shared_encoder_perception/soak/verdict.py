# SPDX-License-Identifier: Apache-2.0
"""Where a soak writes, and how it ends: the same for one camera and for a rig."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.files.whole_file import sole_writer, write_text
from shared_encoder_perception.libraries import can_write
from shared_encoder_perception.soak import analysis, plot
from shared_encoder_perception.soak.load import Record
from shared_encoder_perception.soak.resources import Growth

BROKEN: Final = 1
"""Exit status when a limit was not kept."""


def check_files(args: argparse.Namespace) -> None:
    """Refuse files that cannot be read or written, before anything is started.

    Raises:
        ValueError: There is one.
    """
    if args.params is not None and not args.params.is_file():
        raise ValueError(f"there is no parameter file {args.params}")
    if args.log is not None and args.log.exists() and any(args.log.iterdir()):
        raise ValueError(f"--log {args.log} is not empty: name a new folder")
    for path in filter(None, (args.json, args.plot)):
        if not path.absolute().parent.is_dir():
            raise ValueError(f"cannot write {path}: there is no folder {path.parent}")
    if args.plot and not can_write("the plot", "matplotlib"):
        args.plot = None


def judged(args: argparse.Namespace, soak: Callable[[Path], Mapping[str, Any]]) -> int:
    """Soak in a folder of logs, which stays if it was asked for, or a limit was broken.

    Args:
        args: Of the command.
        soak: Measures, prints and writes in an empty folder; returns the result, with ``broken``.

    Returns:
        0 when every limit was kept.
    """
    folder = args.log or Path(tempfile.mkdtemp(prefix="soak-"))
    with sole_writer(folder):
        kept = True
        try:
            broken = soak(folder)["broken"]
            kept = bool(args.log or broken)
        finally:
            if kept:
                print(f"logs and records are in {folder}", file=sys.stderr)
            else:
                shutil.rmtree(folder)
    for line in broken:
        print(f"error: {line}", file=sys.stderr)
    if not broken:
        print("every limit was kept")
    return BROKEN if broken else 0


def write_files(
    args: argparse.Namespace,
    result: Mapping[str, Any],
    record: Record,
    times: Mapping[str, NDArray[np.float64]],
    title: str,
    outages: Sequence[tuple[float, float, str]] = (),
) -> None:
    """Write the files that were asked for; each appears only when it is complete.

    Args:
        args: Of the command.
        result: The numbers.
        record: What was seen.
        times: Of each image, or map.
        title: Of the plot.
        outages: As in ``plot.draw``.
    """
    if args.json:
        write_text(args.json, json.dumps(result, indent=1) + "\n")
        print(f"numbers    {args.json}")
    if args.plot:
        growth = Growth(**result["resources"]["memory_growth"])
        samples = analysis.while_sent(record.samples, record.sent)
        start_s = record.sent["sent_ns"][0] / 1e9
        plot.draw(times, samples, start_s, growth, title, args.plot, outages)
        print(f"plot       {args.plot}")
