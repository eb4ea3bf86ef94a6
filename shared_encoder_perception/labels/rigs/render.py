# SPDX-License-Identifier: Apache-2.0
"""``dataset render --rig``: write rendered drives of a rig as a set; what broke off goes on."""

from __future__ import annotations

import argparse
import json
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from tqdm import tqdm

from shared_encoder_perception.files.plain_file import plain
from shared_encoder_perception.files.whole_file import write_text
from shared_encoder_perception.labels.rigs.cameras import MOST_SIDE_PX, camera_line
from shared_encoder_perception.labels.rigs.lines import FILE_NAME
from shared_encoder_perception.labels.rigs.record import record_of
from shared_encoder_perception.labels.rigs.writer import JPG, PNG, Encoded, RigWriter, encoded
from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.rig.rig_file import read_rig
from shared_encoder_perception.world.synthetic import CALIBRATION_SEED

FOUR, RANDOM = "four", "random"
SIZE: Final = (192, 480)
SOURCE: Final = "synthetic"
OPTIONS_NAME: Final = "render.json"
"""How a set was rendered: what goes on with it must be asked for the same."""
MOST_M: Final = 60.0
"""How far along its road a drive is looked at, at random."""
DISTANCE_DICE: Final = 41
AHEAD: Final = 2
"""Moments that each worker has been given while the first is waited for."""


@dataclass(frozen=True)
class Options:
    """What decides a moment, beside its seed.

    Attributes:
        rig: ``FOUR``, ``RANDOM``, or what is in a ``rig.yaml``: a digest of it.
        size: ``(height, width)`` of pictures.
        pictures: ``PNG`` or ``JPG``.
        traffic: Chance of traffic; ``None``: as the dice fall.
    """

    rig: str
    size: tuple[int, int]
    pictures: str
    traffic: float | None = None


class Made(NamedTuple):
    """A rendered moment, without what cannot be sent to another process."""

    frame: RigFrame
    pictures: dict[str, Encoded]


def add_arguments(add: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``render`` that are for rigs."""
    add.add_argument(
        "--rig",
        metavar="RIG",
        help="write rigs instead, as rigs.jsonl: four (front, left, rear, right), random (one to "
        "six cameras, new for each moment), or a rig.yaml; what broke off goes on",
    )
    add.add_argument(
        "--size", type=int, nargs=2, metavar=("H", "W"), help=f"rigs: of the pictures {SIZE}"
    )
    add.add_argument(
        "--pictures", choices=(JPG[1:], PNG[1:]), help=f"rigs: kind of the files ({JPG[1:]})"
    )
    add.add_argument("--workers", type=int, metavar="N", help="rigs: processes (1)")


def refuse_without_rig(args: argparse.Namespace) -> None:
    """Refuse options that are for rigs where none is asked for.

    Raises:
        ValueError: There is one.
    """
    for name in ("size", "pictures", "workers"):
        if getattr(args, name) is not None:
            raise ValueError(f"--{name} is for --rig, which is not given")


def run(args: argparse.Namespace) -> int:
    """Write the set, or go on with it."""
    rig, options = _asked(args)
    first, workers = args.seed or 0, 1 if args.workers is None else args.workers
    with RigWriter(args.out, resume=True) as writer:
        _agree(args.out, options)
        names = {seed: _name(seed) for seed in range(first, first + args.count)}
        todo = [seed for seed, name in names.items() if name not in writer.done]
        if others := writer.done - set(names.values()):
            raise ValueError(
                f"{args.out} holds {len(others)} moments of other seeds, such as {min(others)}: "
                "go on with the --seed and --count that it was begun with, or choose another --out"
            )
        made = _in_order(todo, rig, options, workers)
        for frame, pictures in tqdm(made, unit="moment", total=args.count, initial=writer.count):
            writer.write(record_of(frame, SOURCE), pictures)
    print(f"{writer.count} moments: {args.out / FILE_NAME}")
    return 0


def make(seed: int, rig: Rig | None, options: Options) -> Made:
    """Render one moment; the same seed and options give the same one.

    Args:
        seed: Of the world, and of a random rig.
        rig: The cameras; ``None`` for random ones.
        options: The rest.
    """
    from shared_encoder_perception.world.rigs.drive import RigDrive

    chances = {} if options.traffic is None else {"traffic_probability": options.traffic}
    drive = RigDrive(seed, rig, options.size, **chances)
    distance_m = np.random.default_rng((seed, DISTANCE_DICE)).uniform(0.0, MOST_M)
    frame = drive.render(float(distance_m))
    pictures = {name: encoded(image, options.pictures) for name, image in frame.images.items()}
    stamps = dict(frame.stamps_s)
    return Made(RigFrame(_name(seed), frame.rig, {}, stamps, frame.label), pictures)


def _name(seed: int) -> str:
    """Return the name of a moment."""
    return f"{seed:09d}"


def _asked(args: argparse.Namespace) -> tuple[Rig | None, Options]:
    """Check what is asked for.

    Raises:
        ValueError: An option that is out of range, or for single pictures.
    """
    for name in ("tasks", "composites", "fold"):
        if getattr(args, name):
            raise ValueError(f"--{name} is for single pictures, not for --rig")
    first, workers = args.seed or 0, args.workers
    if not 0 <= first <= CALIBRATION_SEED - args.count:
        raise ValueError(f"seeds must lie in 0 to {CALIBRATION_SEED - 1}, the count be 1 or more")
    if args.traffic is not None and not 0 <= args.traffic <= 1:
        raise ValueError(f"--traffic is {args.traffic:g}, expected 0 to 1")
    if workers is not None and workers < 1:
        raise ValueError(f"--workers is {workers}, expected 1 or more")
    size = SIZE if args.size is None else (args.size[0], args.size[1])
    if not all(16 <= side <= MOST_SIDE_PX for side in size):
        raise ValueError(f"--size is {size}, expected height and width, at least 16 pixels")
    suffix = JPG if args.pictures is None else f".{args.pictures}"
    if args.rig == RANDOM:
        return None, Options(RANDOM, size, suffix, args.traffic)
    if args.rig == FOUR:
        from shared_encoder_perception.world.rigs.dice_rig import four_cameras

        return four_cameras(size), Options(FOUR, size, suffix, args.traffic)
    if args.size is not None:
        raise ValueError("--size is for --rig four and random: a rig.yaml says its own")
    path = Path(args.rig)
    if not path.exists():
        raise ValueError(f"--rig is {args.rig!r}, expected {FOUR}, {RANDOM} or a rig.yaml")
    rig = read_rig(plain(path)).rig()
    return rig, Options(_digest(rig), SIZE, suffix, args.traffic)


def _digest(rig: Rig) -> str:
    """Return what two rigs have in common that are the same."""
    lines = [[camera.name, camera_line(camera)] for camera in rig.cameras]
    masks = [b"" if camera.own is None else camera.own.tobytes() for camera in rig.cameras]
    return sha256(json.dumps(lines).encode() + b"".join(masks)).hexdigest()[:20]


def _agree(folder: Path, options: Options) -> None:
    """See that a set that was begun was begun with the same options; else say how this one is.

    Raises:
        ValueError: It was begun with others.
    """
    path, now = folder / OPTIONS_NAME, json.dumps(asdict(options))
    if (folder / f"{FILE_NAME}.part").stat().st_size and path.is_file():
        before = path.read_text(encoding="utf-8").strip()
        if before != now:
            raise ValueError(
                f"{folder} was begun with {before}, now {now} is asked for: use the same options, "
                "or choose another --out"
            )
        return
    write_text(path, now + "\n")


def _in_order(seeds: list[int], rig: Rig | None, options: Options, workers: int) -> Iterator[Made]:
    """Render moments in the order of their seeds, on some processes."""
    if workers == 1:
        yield from (make(seed, rig, options) for seed in seeds)
        return
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _one_thread)
    waiting: deque[Future[Any]] = deque()
    try:
        for seed in seeds:
            waiting.append(pool.submit(_make, seed, rig, options))
            if len(waiting) >= AHEAD * workers:
                yield _unpacked(waiting.popleft().result())
        while waiting:
            yield _unpacked(waiting.popleft().result())
    finally:
        pool.shutdown(cancel_futures=True)


def _one_thread() -> None:
    """Leave the other cores to the other processes."""
    cv2.setNumThreads(1)


def _make(seed: int, rig: Rig | None, options: Options) -> tuple[Any, ...]:
    """Render one moment for another process."""
    frame, pictures = make(seed, rig, options)
    return frame.name, frame.rig, dict(frame.stamps_s), frame.label, pictures


def _unpacked(sent: tuple[Any, ...]) -> Made:
    """Return the moment that another process has rendered."""
    name, rig, stamps_s, label, pictures = sent
    return Made(RigFrame(name, rig, {}, stamps_s, label), pictures)
