# SPDX-License-Identifier: Apache-2.0
"""Paint a lidar's points with the classes of the pixels that show them.

    python -m shared_encoder_perception paint --kitti FOLDER --model MODEL --out painted
    python -m shared_encoder_perception paint --bag drive --model MODEL --out painted

Of KITTI, `painted/000000.ply` has each point with its class and probability, as any viewer of
clouds shows it; `painted/000000.jpg` the picture with the points on it. Where boxes are labelled,
the share of their points that got each class is told. Of a bag, `painted/bag` has each cloud on
`/points/painted`, all its fields kept and the fields `class` and `probability` added, and
`painted/summary.json` what became of the clouds; `--ply` writes the files of each cloud, too.
A point that the camera does not see, or that something nearer hides, has the class 255 and the
probability 0.

Exit status: 0 all was painted; 1 clouds of a bag were not, which the output tells by reason; 2
nothing can be painted, or a frame of KITTI could not be read.
"""

from __future__ import annotations

import argparse
from collections import Counter
from contextlib import closing
from importlib import import_module
from math import inf
from pathlib import Path
from typing import Any

from tqdm import tqdm

from shared_encoder_perception.artifact.shipped import model_for
from shared_encoder_perception.backends.options import add_engine_options, load_engine
from shared_encoder_perception.labels.kitti_sweeps import Sweep, sweeps
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.replay.paint_time import time_painting
from shared_encoder_perception.replay.painted_files import write_painted
from shared_encoder_perception.tasks import parts
from shared_encoder_perception.tasks.companions import refuse_companions
from shared_encoder_perception.tasks.painting import NOBODY, paint_options, painter


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--kitti",
        type=Path,
        metavar="FOLDER",
        help="image_2, velodyne, calib and perhaps label_2, as KITTI's object set has them",
    )
    source.add_argument(
        "--bag",
        type=Path,
        help="rosbag2 with PointCloud2, images, CameraInfo, and TF unless --pose is given",
    )
    of_bag = parser.add_argument_group("of a bag")
    add = of_bag.add_argument
    add("--points", metavar="TOPIC", help="with clouds, if there are several")
    add("--topic", help="with images, if there are several")
    add("--info", metavar="TOPIC", help="with CameraInfo (default: beside the images)")
    add(
        "--pose",
        type=Path,
        metavar="FILE",
        help="pose of the lidar in the camera's optical frame, .yaml or .json: "
        "{translation: [x, y, z], rotation: [x, y, z, w]}, instead of TF",
    )
    add(
        "--fixed-frame",
        default="",
        metavar="FRAME",
        help="frame of TF that stands still, such as odom: carries points to the image's time",
    )
    add(
        "--max-skew",
        type=float,
        default=0.1,
        metavar="SECONDS",
        help="how far in time a cloud's image may be from it",
    )
    add("--rectified", action="store_true", help="the images are rectified: CameraInfo's p counts")
    add("--ply", action="store_true", help="also a .ply and a picture of each cloud")
    source.add_argument(
        "--time",
        type=int,
        metavar="POINTS",
        help="write nothing, measure: what painting a cloud of so many points takes",
    )
    parser.add_argument("--out", type=Path, help="folder for clouds, pictures and bag")
    parser.add_argument(
        "--hidden-too", action="store_true", help="paint what is behind something nearer, too"
    )
    add_engine_options(parser)
    parser.set_defaults(model=None)


def run(args: argparse.Namespace) -> int:
    """Paint every frame, or every cloud; by a shipped model that can, unless one is given."""
    _check(args)
    if args.model is None:
        args.model = str(model_for(list(parts("paint"))[:1]))
    with closing(load_engine(args)) as backend:
        task, room = painter(backend.spec.tasks)
        refuse_companions(backend.spec, "paint", "paint by another model")
        options = paint_options(room, args.hidden_too)
        predictor = Predictor(backend)
        if args.time is not None:
            print("\n".join(time_painting(predictor, task, room, options, args.time)))
            return 0
        if args.bag is not None:
            of_bags = import_module("shared_encoder_perception.replay.paint_bag")  # needs rosbags
            return int(of_bags.paint_bag(predictor, task, room, options, args))
        return _paint_kitti(predictor, task, room, options, args)


def _check(args: argparse.Namespace) -> None:
    """Refuse options that do not go together.

    Raises:
        ValueError: The message names them.
    """
    if args.out is None and args.time is None:
        raise ValueError("--out is missing: the folder for what is painted")
    if not 0 <= args.max_skew < inf:
        raise ValueError(f"--max-skew is {args.max_skew:g}, expected seconds from 0")
    if args.pose and args.fixed_frame:
        raise ValueError("--fixed-frame needs TF for the lidar, too: leave --pose out")
    names = ("points", "topic", "info", "pose", "fixed_frame", "rectified", "ply")
    if args.bag is None and (given := [name for name in names if getattr(args, name)]):
        raise ValueError(f"--{given[0].replace('_', '-')} is for --bag")


def _paint_kitti(
    predictor: Predictor, task: str, room: Any, options: Any, args: argparse.Namespace
) -> int:
    """Paint the frames of a folder."""
    boxes: dict[str, Counter[str]] = {}
    for sweep in tqdm(sweeps(args.kitti), unit="frame"):
        answer = predictor(sweep.image).answers[task]
        painted = room.paint(sweep.camera_points, sweep.camera, answer, options)
        _count(boxes, sweep, painted, answer)
        write_painted(
            args.out,
            sweep.name,
            sweep.points,
            sweep.camera_points,
            sweep.image,
            sweep.camera,
            painted,
            answer,
        )
    for line in _table(boxes):
        print(line)
    print(f"clouds and pictures: {args.out}")
    return 0


def _count(boxes: dict[str, Counter[str]], sweep: Sweep, painted: Any, answer: Any) -> None:
    """Count the classes that points in labelled boxes got, by what the boxes are (in place)."""
    names = {one.id: one.name for one in answer.classes}
    for box in sweep.boxes:
        inside = box.holds(sweep.camera_points) & (painted.ids != NOBODY)
        counts = boxes.setdefault(box.kind, Counter())
        counts.update(names[one] for one in painted.ids[inside].tolist())


def _table(boxes: dict[str, Counter[str]]) -> list[str]:
    """Say which classes points in boxes got, the most frequent first."""
    lines = []
    for kind, counts in boxes.items():
        total = sum(counts.values())
        shares = ", ".join(f"{name} {n / total:.1%}" for name, n in counts.most_common(4))
        lines.append(f"{kind:<16}{total:>7} painted points inside: {shares or 'none'}")
    return lines
