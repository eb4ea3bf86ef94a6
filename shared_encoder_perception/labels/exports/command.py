# SPDX-License-Identifier: Apache-2.0
"""``dataset export``: write a native set for people to correct in their own tools."""

from __future__ import annotations

import argparse
import os
from contextlib import ExitStack
from importlib import import_module
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from shared_encoder_perception.files.data_paths import create, link_fault, write_new
from shared_encoder_perception.files.whole_file import sole_writer
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.exports.legend import FILE as LEGEND
from shared_encoder_perception.labels.exports.legend import Legend, legend_of_set
from shared_encoder_perception.labels.exports.sheet import place_of, sheet_of
from shared_encoder_perception.labels.frame import LabelledFrame
from shared_encoder_perception.labels.label_command import report_faults
from shared_encoder_perception.labels.label_io import image_size
from shared_encoder_perception.labels.progress import shown
from shared_encoder_perception.labels.rigs.native import is_rig_set

HELP: Final = "write a native set for CVAT, Labelme or COCO, to be corrected there"
PACKAGE: Final = "shared_encoder_perception.labels.exports"
TOOLS: Final = MappingProxyType(
    {
        "cvat": ("cvat", 'CVAT: annotations.xml, "CVAT for images 1.1"'),
        "labelme": ("labelme", "Labelme: a JSON file beside each picture"),
        "coco": ("coco", "COCO: annotations/instances_default.json"),
    }
)
"""Name -> (module, what it writes). A module has ``FILE`` and ``Writer``."""
FAULTS_FILE: Final = "export_faults.txt"


def add_arguments(add: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``export``."""
    add.add_argument("tool", choices=list(TOOLS), metavar="TOOL", help=" | ".join(TOOLS))
    add.add_argument("path", type=Path, help="a native set's folder or frames.jsonl")
    add.add_argument("--out", type=Path, required=True, help="folder of the export")
    add.add_argument("--tasks", nargs="+", default=[], metavar="TASK", help="whose labels (all)")
    add.add_argument("--limit", type=int, help="only so many frames")
    add.add_argument("--link", action="store_true", help="link to the pictures, do not copy them")
    add.add_argument(
        "--masks", action="store_true", help="no polygons: each region is a mask, as in the set"
    )


def add_arguments_of_return(add: argparse.ArgumentParser) -> None:
    """Declare what ``convert`` takes for sets that come back."""
    tools = "CVAT, Labelme, COCO: "
    add.add_argument(
        "--original",
        type=Path,
        metavar="SET",
        help=f"{tools}the native set that was exported; tells what people changed, and keeps what "
        "is not drawn",
    )
    add.add_argument(
        "--reviewed",
        action="store_true",
        help=f"{tools}people have looked at every picture: no label is a model's, or doubted",
    )


def options_of_return(args: argparse.Namespace) -> dict[str, Any]:
    """Return the options of a format's ``read`` that were given.

    Raises:
        ValueError: They are for another format.
    """
    if (args.original or args.reviewed) and args.format not in TOOLS:
        option = "--original" if args.original else "--reviewed"
        raise ValueError(
            f"{option} is for what comes back from {', '.join(TOOLS)}, not for {args.format}"
        )
    if args.original and args.labels_only:
        raise ValueError("--original holds masks against each other, and --labels-only has none")
    options: dict[str, Any] = {"original": args.original} if args.original else {}
    return options | ({"reviewed": True} if args.reviewed else {})


def run(args: argparse.Namespace) -> int:
    """Write the export; a frame that cannot be used is reported."""
    if is_rig_set(args.path):
        raise ValueError(f"{args.path} is a set of rigs, and export writes sets of frames.jsonl")
    legend = legend_of_set(args.path, args.tasks)
    module = import_module(f"{PACKAGE}.{TOOLS[args.tool][0]}")
    source = native.labels_file(args.path).parent
    faults: list[str] = []
    count = shapes = 0
    with sole_writer(args.out, source), ExitStack() as stack:
        _refuse_another(args.out)
        file, part = args.out / module.FILE, args.out / f"{module.FILE}.part"
        lines = None
        if module.FILE:
            file.parent.mkdir(parents=True, exist_ok=True)
            lines = stack.enter_context(create(part))
        writer = module.Writer(args.out, legend, lines)
        for frame in shown(islice(native.read(args.path), args.limit)):
            try:
                _check_picture(frame)
                sheet = sheet_of(frame, legend, masks=args.masks)
                _put_picture(args.out, place_of(sheet), frame, link=args.link)
                writer.write(sheet)
            except (OSError, ValueError) as error:
                reason = str(error)
                faults.append(reason if frame.where in reason else f"{frame.where}: {reason}")
                continue
            count, shapes = count + 1, shapes + len(sheet.shapes)
        if not count:
            raise ValueError(faults[0] if faults else f"{args.path} has no frames")
        writer.close()
        if lines is not None:
            lines.close()
            os.replace(part, file)
        legend.write(args.out)  # last: it says that the export is whole
    print(f"{count} pictures, {shapes} shapes: {file}")
    _say(legend)
    if faults:
        return report_faults(faults, args.out / FAULTS_FILE, "could not be exported")
    return 0


def _refuse_another(folder: Path) -> None:
    """Refuse a folder that holds an export."""
    if (folder / LEGEND).exists():
        raise FileExistsError(
            f"{folder} holds an export already ({LEGEND}): remove it, or choose another folder"
        )


def _check_picture(frame: LabelledFrame) -> None:
    """Refuse a picture that is missing or of another size than its labels."""
    size = image_size(frame.image_path)
    if size != tuple(frame.size):
        raise ValueError(
            f"{frame.image_path} is {size[1]}x{size[0]}, the labels are for "
            f"{frame.size[1]}x{frame.size[0]}"
        )
    if fault := link_fault(_root(frame), frame.image_path):
        raise ValueError(f"the picture {frame.image_path} is {fault}")


def _root(frame: LabelledFrame) -> Path:
    """Return the folder of a native frame's set."""
    return frame.image_path.parents[len(Path(frame.name).parts) - 1]


def _put_picture(folder: Path, place: Path, frame: LabelledFrame, *, link: bool) -> None:
    """Copy a picture into the export, or link to it."""
    if not link:
        write_new(folder, place, frame.image_path.read_bytes())
        return
    target, path = frame.image_path.resolve(), folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    if not (path.is_symlink() and path.resolve() == target):
        path.symlink_to(target)


def _say(legend: Legend) -> None:
    """Print how many names there are of each task."""
    for task in legend.tasks:
        names = [name for owner, (of, name) in legend.names.items() if of == task]
        drawn = [name.text for name in names if name.kind != "flag"]
        print(f"  {task}: {len(drawn)} labels, such as {drawn[0]!r}" if drawn else f"  {task}")
