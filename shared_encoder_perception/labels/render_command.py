# SPDX-License-Identifier: Apache-2.0
"""``dataset render``: write pictures that nobody took as a set: rendered worlds, or composites.

Rigs that drive through such worlds are a set of their own kind: ``rigs.render``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from tqdm import tqdm

from shared_encoder_perception import tasks as table
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.composites.fold import Composites
from shared_encoder_perception.labels.composites.index import FILE_NAME as INDEX_NAME
from shared_encoder_perception.labels.composites.index import FOLDS
from shared_encoder_perception.labels.frame import LabelledFrame, constant
from shared_encoder_perception.labels.rigs import render as rigs
from shared_encoder_perception.labels.said import Said
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.tasks.label_files import FILE_NAME
from shared_encoder_perception.world import choice
from shared_encoder_perception.world.rendered import EMPTY, Rendered
from shared_encoder_perception.world.synthetic import (
    CALIBRATION_SEED,
    label_world,
    render_world,
)

HELP: Final = "write rendered worlds, or composites, as a set: faster to train on"
COUNT: Final = 1000
WORLD_TABLE: Final = "world"
"""Name of the table that classes of worlds are of."""


def add_arguments(add: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``render``."""
    add.add_argument("--out", type=Path, required=True, help="folder of the new set")
    add.add_argument("--count", type=int, default=COUNT, help=f"number of pictures ({COUNT})")
    add.add_argument("--seed", type=int, help="worlds: seed of the first one (0)")
    add.add_argument(
        "--traffic",
        type=float,
        metavar="P",
        help="worlds: chance that somebody is seen near by, else nobody (as the dice fall)",
    )
    choice.add_arguments(add)
    add.add_argument(
        "--tasks",
        nargs="+",
        metavar="TASK",
        help="worlds: whose labels to write (default: all; those that need a picture of the empty "
        "place, which takes as long as the world itself, with --traffic only)",
    )
    add.add_argument(
        "--classes",
        metavar="TABLE",
        help="worlds: the table that their classes are to become, or a mapping's .json file",
    )
    add.add_argument(
        "--composites",
        type=Path,
        metavar="INDEX",
        help="write composites instead: an index of dataset compose, or its folder",
    )
    add.add_argument(
        "--fold", default="", metavar="FOLD", help=f"composites: one of {', '.join(FOLDS)} (all)"
    )
    rigs.add_arguments(add)


def run(args: argparse.Namespace) -> int:
    """Write the set."""
    if args.count < 1:
        raise ValueError(f"--count is {args.count}, expected 1 or more")
    if (args.out / INDEX_NAME).exists():
        raise ValueError(
            f"{args.out} holds an index of composites ({INDEX_NAME}): choose another --out, so "
            "that a folder is one data set"
        )
    if args.rig:
        choice.refuse(args, "--rig")
        if args.classes:
            raise ValueError("--classes is for single pictures, not for --rig")
        return rigs.run(args)
    rigs.refuse_without_rig(args)
    source, samples = _composites(args) if args.composites else ("synthetic", _worlds(args))
    with native.Writer(args.out) as writer:
        for number, sample in samples:
            frame = LabelledFrame(
                name=f"{number:09d}.jpg",
                image_path=Path(),
                size=(sample.image.shape[0], sample.image.shape[1]),
                labels={task: constant(label) for task, label in sample.labels.items()},
                source=source,
            )
            writer.write(frame, encoded=native.encode_picture(sample.image))
    print(f"{writer.count} frames: {args.out / FILE_NAME}")
    return 0


def _worlds(args: argparse.Namespace) -> Iterator[tuple[int, Sample]]:
    """Render worlds that no validation or calibration uses.

    Raises:
        ValueError: An option that is out of range, or for composites.
    """
    first = args.seed or 0
    if not 0 <= first <= CALIBRATION_SEED - args.count:
        raise ValueError(f"seeds must lie in 0 to {CALIBRATION_SEED - 1}, the count be 1 or more")
    if args.traffic is not None and not 0 <= args.traffic <= 1:
        raise ValueError(f"--traffic is {args.traffic:g}, expected 0 to 1")
    if args.fold:
        raise ValueError("--fold is for --composites, which is not given")
    tasks = _tasks(args.tasks, args.traffic is not None)
    render = partial(
        render_world, tasks=tasks, traffic_probability=args.traffic, choice=choice.asked_by(args)
    )
    worlds = ((seed, render(seed)) for seed in tqdm(range(first, first + args.count), unit="world"))
    return ((seed, _labelled(world, tasks, args.classes)) for seed, world in worlds)


def _labelled(world: Rendered, tasks: Sequence[str], classes: str | None) -> Sample:
    """Label a world; its classes as they are, or in another table.

    Raises:
        ValueError: None of the tasks is about classes.
    """
    sample = label_world(world, tasks)
    if classes is None:
        return sample
    said = Said(
        world.camera.size,
        class_map=None if world.classes is None else constant(world.classes),
        class_tables=(WORLD_TABLE, ""),
        classes_as=classes,
    )
    labels = said.frame(name="", image_path=Path()).labels
    mapped = {task: read() for task, read in labels.items() if task in tasks}
    if not mapped:
        raise ValueError("--classes: none of --tasks is about classes: leave it out")
    return replace(sample, labels={**sample.labels, **mapped})


def _tasks(names: Sequence[str] | None, pairs: bool) -> tuple[str, ...]:
    """Return whose labels to write: what is asked for, or all that does not take twice as long."""
    if names is not None:
        return table.check(names, "--tasks")
    rooms = table.parts("labels")
    return tuple(
        task for task, room in rooms.items() if pairs or EMPTY not in getattr(room, "OF_WORLD", ())
    )


def _composites(args: argparse.Namespace) -> tuple[str, Iterator[tuple[int, Sample]]]:
    """Make composites of a fold, of some spread over all; what scores call them comes first.

    Raises:
        ValueError: An option for worlds, or more composites than there are.
    """
    choice.refuse(args, "--composites")
    for name in ("seed", "traffic", "tasks", "classes"):
        if getattr(args, name) is not None:
            raise ValueError(f"--{name} is for worlds: the index says all of its composites")
    composites = Composites(args.composites, args.fold)
    if args.count > len(composites):
        where = f"the fold {args.fold} has" if args.fold else "all folds together have"
        raise ValueError(f"--count is {args.count}, {where} {len(composites)}")
    numbers = (composites.spread(at) for at in tqdm(range(args.count), unit="pair"))
    return composites.source, ((number, composites.sample(number)) for number in numbers)
