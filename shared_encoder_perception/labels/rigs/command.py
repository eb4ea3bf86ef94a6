# SPDX-License-Identifier: Apache-2.0
"""What the ``dataset`` commands do with a set of labelled rigs."""

from __future__ import annotations

import argparse
from itertools import islice

import numpy as np
from tqdm import tqdm

from shared_encoder_perception.drawing.pictures import write_picture
from shared_encoder_perception.files.safe_text import printable
from shared_encoder_perception.labels.formats import read_rigs
from shared_encoder_perception.labels.label_command import FAULTY, report_faults
from shared_encoder_perception.labels.progress import shown
from shared_encoder_perception.labels.rigs.faults import RigCheck
from shared_encoder_perception.labels.rigs.lines import FILE_NAME
from shared_encoder_perception.labels.rigs.native import RigSet, read_records, rigs_file
from shared_encoder_perception.labels.rigs.statistics import count, plot, table
from shared_encoder_perception.labels.rigs.view import view_record
from shared_encoder_perception.labels.rigs.writer import RigWriter
from shared_encoder_perception.libraries import can_write
from shared_encoder_perception.tasks.label_files import LabelError

FAULTS_FILE = "convert_faults.txt"


def convert(args: argparse.Namespace) -> int:
    """Write a public set of rigs in our format; a moment that is unusable is reported."""
    faults: list[str] = []
    with RigWriter(args.out, args.path if args.path.is_dir() else None) as writer:
        for record in shown(islice(read_rigs(args.format, args.path), args.limit), unit="moment"):
            if isinstance(record, LabelError):
                faults.append(str(record))
                continue
            try:
                if not args.labels_only:
                    for camera in record.pictures:
                        record.picture(camera)  # one that is cut off has a header, too
                writer.write(record, {} if args.labels_only else None)
            except (OSError, ValueError) as error:
                reason = str(error)
                known = reason.startswith(record.where)
                faults.append(reason if known else f"{record.where}: {reason}")
        if not writer.count:
            raise ValueError(
                faults[0] if faults else f"{args.path} has no moment of the format {args.format}"
            )
    print(f"{writer.count} moments: {args.out / FILE_NAME}")
    if not faults:
        return 0
    return report_faults(faults, args.out / FAULTS_FILE, "could not be converted")


def validate(args: argparse.Namespace) -> int:
    """Print every fault, then what is worth telling."""
    path = rigs_file(args.path)
    check = RigCheck(path, pictures=not args.labels_only)
    lines = faulty = 0
    for number, faults in shown(check.lines(), unit="moment", leave=False):
        lines, faulty = number, faulty + bool(faults)
        for fault in faults:
            tqdm.write(printable(f"{path}, line {number}: {fault}"))
    print(f"{lines} moments, {faulty} faulty")
    for note in check.notes():
        print(printable(f"  {note}"))
    return FAULTY if faulty or not lines else 0


def stats(args: argparse.Namespace) -> int:
    """Print the counts; draw where objects are."""
    drawn = args.out and can_write("the plot", "matplotlib")
    records = shown(read_records(args.path), unit="moment", leave=False)
    statistics = count(records, pictures=not args.labels_only)
    print(table(statistics))
    if drawn:
        write_picture(args.out, plot(statistics))
        print(f"plot: {args.out}")
    return 0


def view(args: argparse.Namespace) -> int:
    """Draw moments below each other: pictures with boxes, and the ground from above."""
    if args.count < 1:
        raise ValueError("--count must be at least 1")
    records = RigSet(args.path)
    chosen = list(range(len(records)))
    if args.name:
        chosen = [at for at in chosen if args.name in records[at].name]
    if not chosen:
        named = f" whose name contains {args.name!r}" if args.name else ""
        raise ValueError(f"{args.path} has no moment{named}")
    spread = np.linspace(0, len(chosen) - 1, min(args.count, len(chosen))).round().astype(int)
    sheets = [view_record(records[chosen[at]]) for at in dict.fromkeys(spread.tolist())]
    width = max(sheet.shape[1] for sheet in sheets)
    wide = [
        np.pad(sheet, ((0, 8), (0, width - sheet.shape[1]), (0, 0)), constant_values=255)
        for sheet in sheets
    ]
    write_picture(args.out, np.vstack(wide))
    print(f"sheet: {args.out}")
    return 0
