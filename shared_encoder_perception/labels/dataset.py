# SPDX-License-Identifier: Apache-2.0
"""Data sets: convert them to our format, check, merge, count and look at them.

    dataset convert masks labelled/ --out data/mine
                                            images/ and masks/ of one's own
    dataset convert tusimple clips/ --out data/tusimple
    dataset render --count 5000 --out data/worlds
    dataset compose --backgrounds places/ --foregrounds things/ --out data/pairs
                                            cut-outs on photographs: an index, no pictures
    dataset cut data/rendered_pairs --out things/
                                            what is new in a set, as cut-outs
    dataset render --composites data/pairs --count 500 --out data/some
                                            some of them as a set, for people
    dataset label drive.mp4 --out data/mine  labels by a model: only what it is sure of
    dataset label frames/ --drivable road/ --markings paint/ --out data/mine
                                            labels by masks of any other network, found by name
    dataset validate data/tusimple          every fault with file and line
    dataset merge data/a data/b --out data/all
    dataset split data/all --hold-out 0.2 --gap 5 --out data/parts
                                            train/ and test/, whole stretches of drives apart
    dataset export cvat data/mined --out to_correct
                                            for people's own tools: CVAT, Labelme, COCO
    dataset convert cvat to_correct --original data/mined --out data/corrected
                                            back, and what people changed
    dataset stats data/all --out stats.png
    dataset view data/all --out sheet.png

    dataset convert nuscenes data/nuscenes --out data/rigs
                                            several cameras a moment: rigs.jsonl, for which the
                                            commands above do as well
    dataset render --rig four --count 5000 --out data/rigs

docs/dataset_format.md describes the format, docs/rigs_format.md that of rigs.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from shared_encoder_perception.drawing.overlay import draw_labels
from shared_encoder_perception.drawing.pictures import tile, write_picture
from shared_encoder_perception.files.safe_text import printable
from shared_encoder_perception.labels import label_command, native, render_command, split
from shared_encoder_perception.labels.companions import companions_of
from shared_encoder_perception.labels.composites import command as compose
from shared_encoder_perception.labels.composites import cut
from shared_encoder_perception.labels.exports import changes
from shared_encoder_perception.labels.exports import command as exports
from shared_encoder_perception.labels.formats import FORMATS, RIG_FORMATS, read
from shared_encoder_perception.labels.frame import LabelledFrame
from shared_encoder_perception.labels.label_command import FAULTY, report_faults
from shared_encoder_perception.labels.merge import REPORT, merge
from shared_encoder_perception.labels.progress import shown
from shared_encoder_perception.labels.rigs import command as rigs
from shared_encoder_perception.labels.rigs.native import is_rig_set
from shared_encoder_perception.labels.statistics import count, plot, table
from shared_encoder_perception.labels.validate import find_faults
from shared_encoder_perception.libraries import can_write
from shared_encoder_perception.tasks.label_files import FILE_NAME, LabelError

FAULTS_FILE = "convert_faults.txt"
VALUES = ("drivable", "not-drivable", "unknown")
"""What the values of a mask may mean, of the format ``masks``."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    known = {name: row[-1] for name, row in (*FORMATS.items(), *RIG_FORMATS.items())}
    formats = "\n".join(f"  {name:<16} {what}" for name, what in known.items())
    add = commands.add_parser(
        "convert",
        help="write a public data set in our format",
        epilog=f"formats:\n{formats}",
    )
    add.add_argument("format", choices=list(known), metavar="FORMAT")
    add.add_argument("path", type=Path, help="folder or label file of the data set")
    add.add_argument("--out", type=Path, required=True, help="folder of the new set")
    add.add_argument("--limit", type=int, help="only so many frames")
    add.add_argument("--labels-only", action="store_true", help="without pictures and masks")
    add.add_argument(
        "--lane-changes",
        action="store_true",
        help="keep lanes where the vehicle is between two of them, and ego is arbitrary",
    )
    add.add_argument(
        "--classes",
        metavar="TABLE",
        help="the table that class maps are to become (world, cityscapes19, camvid11, ...), or a "
        "mapping's .json file",
    )
    add.add_argument(
        "--focal-px",
        type=float,
        metavar="F",
        help="focal length in pixels, for depth of sets that do not say it",
    )
    for what in VALUES:
        text = f"masks: values of the masks that are {what} (255, 0 and 127)"
        add.add_argument(f"--{what}-ids", type=int, nargs="+", metavar="ID", help=text)
    exports.add_arguments_of_return(add)
    add.set_defaults(action_run=_convert)

    add = commands.add_parser("export", help=exports.HELP, description=exports.HELP)
    exports.add_arguments(add)
    add.set_defaults(action_run=exports.run)

    add = commands.add_parser("render", help=render_command.HELP, description=render_command.HELP)
    render_command.add_arguments(add)
    add.set_defaults(action_run=render_command.run)

    add = commands.add_parser("cut", help=cut.HELP, description=cut.HELP)
    cut.add_arguments(add)
    add.set_defaults(action_run=cut.run)

    add = commands.add_parser("compose", help=compose.HELP, description=compose.HELP)
    compose.add_arguments(add)
    add.set_defaults(action_run=compose.run)

    add = commands.add_parser("label", help=label_command.HELP, description=label_command.HELP)
    label_command.add_arguments(add)
    add.set_defaults(action_run=label_command.run)

    add = commands.add_parser("validate", help="report every fault with file and line")
    add.add_argument("path", type=Path, help="a set's folder, frames.jsonl or rigs.jsonl")
    add.add_argument("--labels-only", action="store_true", help="do not look at pictures")
    add.set_defaults(action_run=_validate)

    add = commands.add_parser("merge", help="make one set of several")
    add.add_argument("paths", type=Path, nargs="+", help="the sets, the most trusted one first")
    add.add_argument("--out", type=Path, required=True, help="folder of the new set")
    add.set_defaults(action_run=_merge)

    add = commands.add_parser("split", help=split.HELP, description=split.HELP)
    split.add_arguments(add)
    add.set_defaults(action_run=_split)

    add = commands.add_parser("stats", help="count labels and draw their distribution")
    add.add_argument("path", type=Path, help="a set's folder, frames.jsonl or rigs.jsonl")
    add.add_argument("--out", type=Path, help="the picture to write")
    add.add_argument("--labels-only", action="store_true", help="do not read masks")
    add.set_defaults(action_run=_stats)

    add = commands.add_parser("view", help="draw samples with their labels")
    add.add_argument("path", type=Path, help="a set's folder, frames.jsonl or rigs.jsonl")
    add.add_argument("--out", type=Path, required=True, help="the picture to write")
    add.add_argument("--count", type=int, default=24, help="samples, evenly spread over the set")
    add.add_argument("--name", help="only frames whose name contains this")
    add.set_defaults(action_run=_view)


def run(args: argparse.Namespace) -> int:
    """Run the sub-command."""
    status: int = args.action_run(args)
    return status


def _convert(args: argparse.Namespace) -> int:
    """Write a public set in our format; a frame whose picture is unusable is reported."""
    options: dict[str, Any] = exports.options_of_return(args)
    options |= {"lane_changes": True} if args.lane_changes else {}
    options |= {"classes": args.classes} if args.classes else {}
    options |= {"focal_px": args.focal_px} if args.focal_px else {}
    names = [f"{what.replace('-', '_')}_ids" for what in VALUES]
    options |= {name: ids for name in names if (ids := getattr(args, name))}
    if args.format in RIG_FORMATS:
        if options:
            raise ValueError(f"the format {args.format!r} has no option {next(iter(options))!r}")
        return rigs.convert(args)
    notes: Counter[str] = Counter()
    faults: list[str] = []
    with native.Writer(args.out) as writer:
        frames = islice(read(args.format, args.path, **options), args.limit)
        for frame in shown(frames):
            if isinstance(frame, LabelError):
                faults.append(str(frame))
                continue
            try:
                if not args.labels_only:
                    frame.read_image()  # a picture that is cut off has a header, too
                writer.write(frame, pictures=not args.labels_only)
            except (OSError, ValueError) as error:
                reason = str(error)
                faults.append(reason if frame.where in reason else f"{frame.where}: {reason}")
                continue
            notes.update(frame.notes)
        if not writer.count:
            raise ValueError(
                faults[0] if faults else f"{args.path} has no frame of the format {args.format}"
            )
    print(f"{writer.count} frames: {args.out / FILE_NAME}")
    for note, number in notes.most_common():
        print(f"  left out or uncertain, {printable(note)}: {number}")
    if args.original:
        print("\n".join(changes.compare(args.original, args.out).lines()))
    if faults:
        return report_faults(faults, args.out / FAULTS_FILE, "could not be converted")
    return 0


def _validate(args: argparse.Namespace) -> int:
    """Print every fault."""
    if is_rig_set(args.path):
        return rigs.validate(args)
    path = native.labels_file(args.path)
    lines = faulty = 0
    for number, faults in shown(find_faults(path, pictures=not args.labels_only), leave=False):
        lines, faulty = number, faulty + bool(faults)
        for fault in faults:
            tqdm.write(printable(f"{path}, line {number}: {fault}"))
    print(f"{lines} frames, {faulty} faulty")
    return FAULTY if faulty or not lines else 0


def _merge(args: argparse.Namespace) -> int:
    """Merge and say what was found."""
    if rigs := [path for path in args.paths if is_rig_set(path)]:
        raise ValueError(
            f"{rigs[0]} is a set of rigs, and merge makes one set of frames.jsonl only: train and "
            "evaluate on several sets of rigs as they are"
        )
    counts = merge(args.paths, args.out, lambda frames, what: shown(frames, what))
    print(
        f"{counts['frames']} frames: {args.out / FILE_NAME}\n"
        f"duplicates {counts['duplicate']}, conflicting labels {counts['conflict']}, "
        f"renamed {counts['name_clash']}: {args.out / REPORT}"
    )
    return 0


def _split(args: argparse.Namespace) -> int:
    """Make two sets of one."""
    if is_rig_set(args.path):
        raise ValueError(
            f"{args.path} is a set of rigs, and split makes sets of frames.jsonl only: give "
            "sources or the fold of a set of rigs in the config instead"
        )
    return split.run(args)


def _stats(args: argparse.Namespace) -> int:
    """Print the counts and draw them."""
    if is_rig_set(args.path):
        return rigs.stats(args)
    drawn = args.out and can_write("the plot", "matplotlib")
    frames = shown(native.read(args.path), leave=False)
    statistics = count(frames, pictures=not args.labels_only)
    print(table(statistics))
    if drawn:
        write_picture(args.out, plot(statistics))
        print(f"plot: {args.out}")
    return 0


def _view(args: argparse.Namespace) -> int:
    """Draw a sheet."""
    if is_rig_set(args.path):
        return rigs.view(args)
    if args.count < 1:
        raise ValueError("--count must be at least 1")
    total = sum(1 for _ in _named(args))
    if not total:
        raise ValueError(f"{args.path} has no frame whose name contains {args.name!r}")
    chosen = set(np.linspace(0, total - 1, min(args.count, total)).round().astype(int).tolist())
    pictures, names = [], []
    for index, frame in enumerate(_named(args)):
        if index in chosen:
            sample = frame.load()
            beside = companions_of(sample.labels).values()
            pictures.append(np.vstack([draw_labels(sample.image, sample.labels), *beside]))
            names.append(frame.name)
    write_picture(args.out, tile(pictures, 4, 480, names))
    print(f"sheet: {args.out}")
    return 0


def _named(args: argparse.Namespace) -> Iterator[LabelledFrame]:
    """Frames whose name contains what was asked for."""
    return (frame for frame in native.read(args.path) if (args.name or "") in frame.name)
