"""Paint a lidar's points with the classes of the pixels that show them.

    python -m shared_encoder_perception paint --kitti FOLDER --model MODEL --out painted

`painted/000000.ply` has each point with its class and probability, as any viewer of clouds shows
it; `painted/000000.jpg` the picture with the points on it. A point that the camera does not see, or
that something nearer hides, has the class 255 and the probability 0. Where boxes are labelled, the
share of their points that got each class is told.

Exit status: 0 all frames were painted; 2 one could not be read.
"""

from __future__ import annotations

import argparse
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from shared_encoder_perception import tasks
from shared_encoder_perception.backends.options import add_engine_options, load_engine
from shared_encoder_perception.drawing.pictures import write_picture
from shared_encoder_perception.files.data_paths import write_new
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.replay.kitti import Sweep, sweeps

NOBODY: Final = 255
GREY: Final = (90, 90, 90)
PLY: Final = np.dtype(
    [
        *((name, "<f4") for name in ("x", "y", "z", "intensity")),
        *((name, "u1") for name in ("red", "green", "blue", "class")),
        ("probability", "<f4"),
    ]
)
WORDS: Final = {"<f4": "float", "|u1": "uchar"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--kitti",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="image_2, velodyne, calib and perhaps label_2, as KITTI's object set has them",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for clouds and pictures")
    parser.add_argument(
        "--hidden-too", action="store_true", help="paint what is behind something nearer, too"
    )
    add_engine_options(parser)


def run(args: argparse.Namespace) -> int:
    """Paint every frame."""
    with closing(load_engine(args)) as backend:
        task, room = _painter(backend.spec.tasks)
        options = room.PaintOptions(cell_px=0) if args.hidden_too else room.PaintOptions()
        predictor = Predictor(backend)
        boxes: dict[str, Counter[str]] = {}
        for sweep in tqdm(sweeps(args.kitti), unit="frame"):
            answer = predictor(sweep.image).answers[task]
            painted = room.paint(sweep.camera_points, sweep.camera, answer, options)
            _count(boxes, sweep, painted, answer)
            colours = _colours(painted.ids, answer)
            write_new(args.out, Path(f"{sweep.name}.ply"), _ply(sweep, painted, colours))
            write_picture(args.out / f"{sweep.name}.jpg", _picture(sweep, painted, colours))
    for line in _table(boxes):
        print(line)
    print(f"clouds and pictures: {args.out}")
    return 0


def _painter(names: Any) -> tuple[str, Any]:
    """Return the task of a model that can paint points, and its room.

    Raises:
        ValueError: It has none.
    """
    rooms = tasks.parts("paint", names)
    for task, room in rooms.items():
        return task, room
    able = ", ".join(tasks.parts("paint"))
    raise ValueError(f"the model answers {', '.join(names)}, expected one that answers {able}")


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


def _colours(ids: NDArray[np.uint8], answer: Any) -> NDArray[np.uint8]:
    """Return (N, 3) RGB of each point's class, grey for none."""
    table = np.full((256, 3), GREY, np.uint8)
    for one in answer.classes:
        table[one.id] = one.colour
    return table[ids]


def _ply(sweep: Sweep, painted: Any, colours: NDArray[np.uint8]) -> bytes:
    """Return a cloud in the lidar's frame as binary PLY (Turk, 1994)."""
    cloud = np.zeros(len(sweep.points), PLY)
    for column, name in enumerate(("x", "y", "z", "intensity")):
        cloud[name] = sweep.points[:, column]
    for column, name in enumerate(("red", "green", "blue")):
        cloud[name] = colours[:, column]
    cloud["class"], cloud["probability"] = painted.ids, painted.probability
    properties = [f"property {WORDS[PLY[name].str]} {name}" for name in PLY.names or ()]
    header = "\n".join(
        [
            *("ply", "format binary_little_endian 1.0", f"element vertex {len(cloud)}"),
            *properties,
            "end_header\n",
        ]
    )
    return header.encode() + cloud.tobytes()


def _picture(sweep: Sweep, painted: Any, colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the image, darkened, with its painted points."""
    canvas = sweep.image // 2
    seen = np.flatnonzero(painted.ids != NOBODY)
    places = np.rint(sweep.camera.see(sweep.camera_points[seen])).astype(int)
    for (x, y), colour in zip(places.tolist(), colours[seen, ::-1].tolist(), strict=True):
        cv2.circle(canvas, (x, y), 1, colour, cv2.FILLED)
    return canvas
