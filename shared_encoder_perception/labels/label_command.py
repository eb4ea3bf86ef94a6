# SPDX-License-Identifier: Apache-2.0
"""``dataset label``: let a model, or masks of any other network, label pictures."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from shared_encoder_perception import tasks as table
from shared_encoder_perception.backends import DEFAULT_MODEL, BackendOptions, load_backend
from shared_encoder_perception.files.data_paths import PathError
from shared_encoder_perception.files.safe_text import printable
from shared_encoder_perception.files.whole_file import write_text
from shared_encoder_perception.images.bags import is_bag
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.frame import LabelledFrame
from shared_encoder_perception.labels.mask_files import ClassIds, MaskValues
from shared_encoder_perception.labels.progress import shown
from shared_encoder_perception.labels.pseudo import label
from shared_encoder_perception.labels.statistics import pseudo_words
from shared_encoder_perception.labels.teacher_masks import (
    TeacherMasks,
    label_by_masks,
    mask_rooms,
)
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.tasks.companions import refuse_companions
from shared_encoder_perception.tasks.contract.labels import Option
from shared_encoder_perception.tasks.label_files import FILE_NAME, LabelError

HELP: Final = "let a model, or masks of another network, label pictures: only what is sure"
FAULTS_FILE: Final = "label_faults.txt"
FAULTY: Final = 1
"""Exit status when a set has faults."""


def add_arguments(add: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``label``; what to believe of a task is asked by the task."""
    add.add_argument(
        "path", type=Path, help="native set or folder of images; for a model also video or rosbag2"
    )
    add.add_argument("--out", type=Path, required=True, help="folder of the new set")
    add.add_argument("--model", type=Path, help="ONNX artifact: the teacher (the one we ship)")
    masks = "folder of masks, one for each image, by its name; instead of a model"
    for room in mask_rooms().values():
        option, what = f"--{room.MASK}", f"{room.HELP}: {masks}"
        add.add_argument(option, type=Path, metavar="FOLDER", help=what)
    for room in mask_rooms().values():
        what = f"class ids that are {room.HELP}, where --{room.MASK} are class maps"
        add.add_argument(f"--{room.MASK}-ids", type=int, nargs="+", metavar="ID", help=what)
    unknown = "class ids of pixels of which the teacher was not sure"
    add.add_argument("--unknown-ids", type=int, nargs="+", default=[], metavar="ID", help=unknown)
    for room in mask_rooms().values():
        for option in room.OPTIONS:
            add.add_argument(option.name, type=float, metavar=option.metavar, help=option.help)
    add.add_argument("--limit", type=int, help="only so many frames")
    for room in table.parts("teacher").values():
        for option in room.OPTIONS:
            value = getattr(room.Doubt(), option.field)
            add.add_argument(
                option.name,
                type=float,
                default=value,
                metavar=option.metavar,
                help=f"{option.help} ({value})",
            )


def run(args: argparse.Namespace) -> int:
    """Write what a teacher is sure of as a set; a frame without a usable mask is reported."""
    labelled: Counter[str] = Counter()
    faults: list[str] = []
    values = MaskValues()
    with native.Writer(args.out, None if is_bag(args.path) else args.path) as writer:
        for found, encoded in shown(islice(_by_teacher(args, values), args.limit)):
            if isinstance(found, LabelError):
                faults.append(str(found))
                continue
            try:
                writer.write(found, encoded=encoded)
            except (FileExistsError, PathError) as error:
                faults.append(f"{found.where or found.name}: {error}")
                continue
            labelled.update(pseudo_words(found))
            labelled.update(_names(found))
        if faults and not writer.count:
            raise ValueError(f"no image has a usable mask; first: {faults[0]}")
    print(f"{writer.count} frames: {args.out / FILE_NAME}")
    for what, number in labelled.items():
        print(f"  {what} by the teacher: {number}")
    for line in values.lines():
        print(f"  {line}")
    if faults:
        return report_faults(faults, args.out / FAULTS_FILE, "left out")
    return 0


def _class_ids(args: argparse.Namespace, given: Mapping[str, Path]) -> dict[str, ClassIds]:
    """Return which class ids are meant, of the masks that are class maps.

    Raises:
        ValueError: Ids for masks that are not given, or that cannot be.
    """
    found = {}
    for room in mask_rooms().values():
        name = f"{room.MASK}_ids"
        if (meant := getattr(args, name)) is None:
            continue
        if room.MASK not in given:
            raise ValueError(f"--{room.MASK}-ids are for --{room.MASK}, which is not given")
        found[room.MASK] = ClassIds(tuple(meant), tuple(args.unknown_ids))
    if args.unknown_ids and not found:
        raise ValueError("--unknown-ids are for class maps: say which ids are meant, too")
    return found


def _names(frame: LabelledFrame) -> Iterator[str]:
    """Names of the things that a teacher labelled, of tasks that have names for them."""
    for task, room in table.parts("teacher", frame.pseudo).items():
        if hasattr(room, "names"):
            yield from room.names(frame.labels[task]())


def _by_teacher(
    args: argparse.Namespace, values: MaskValues
) -> Iterator[tuple[LabelledFrame | LabelError, bytes | None]]:
    """Frames labelled by masks or by a model, and their pictures where those are no files."""
    doubts = {
        task: room.Doubt(**_values(args, room.OPTIONS))
        for task, room in table.parts("teacher").items()
    }
    rooms = mask_rooms()
    folders = {room.MASK: getattr(args, room.MASK) for room in rooms.values()}
    given = {name: folder for name, folder in folders.items() if folder is not None}
    for room in rooms.values():
        for option in room.OPTIONS:
            if room.MASK not in given and getattr(args, _attribute(option)) is not None:
                raise ValueError(f"{option.name} is for --{room.MASK}, which is not given")
    ids = _class_ids(args, given)
    if not given:
        predictor = Predictor(
            load_backend(args.model or DEFAULT_MODEL, "onnxruntime", BackendOptions())
        )
        refuse_companions(predictor.spec, "dataset label", "label by another model")
        return label(predictor, args.path, doubts)
    if args.model is not None:
        options = " and ".join(f"--{name}" for name in folders)
        raise ValueError(
            f"--model excludes {options}: there is one teacher at a time. Label by "
            "the one, then what it made by the other, or merge both sets"
        )
    configs = {
        task: room.Config(**_values(args, room.OPTIONS))
        for task, room in rooms.items()
        if room.Config
    }
    masks = TeacherMasks(given, configs, ids)
    return (
        (found, None if isinstance(found, LabelError) else found.image_path.read_bytes())
        for found in label_by_masks(masks, args.path, doubts, values)
    )


def _values(args: argparse.Namespace, options: Sequence[Option]) -> dict[str, Any]:
    """Values of a task's options, by the field that takes each."""
    return {option.field: getattr(args, _attribute(option)) for option in options}


def _attribute(option: Option) -> str:
    """Name of an option in the parsed arguments."""
    return option.name.lstrip("-").replace("-", "_")


def report_faults(faults: list[str], path: Path, what: str) -> int:
    """Write why frames were left out and print the first reason; return the exit status."""
    faults = [printable(fault) for fault in faults]
    write_text(path, "\n".join(faults) + "\n")
    print(f"{len(faults)} frames {what}: {path}\n  first: {faults[0]}")
    return FAULTY
