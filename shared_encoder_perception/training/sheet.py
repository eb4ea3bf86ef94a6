# SPDX-License-Identifier: Apache-2.0
"""A sheet of pictures with their labels, to be looked at: rendered worlds, or what a run sees.

python -m shared_encoder_perception sheet --out sheet.png --seed 0
python -m shared_encoder_perception sheet --out sheet.png --config config/training/default.yaml
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.drawing.overlay import draw_labels
from shared_encoder_perception.drawing.pictures import tile, write_picture
from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.labels.companions import companions_of
from shared_encoder_perception.labels.view import View, view_sample
from shared_encoder_perception.world.synthetic import render_sample


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--out", type=Path, required=True, help="the picture to write")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first world")
    parser.add_argument("--count", type=int, default=24, help="number of pictures")
    parser.add_argument("--plain", action="store_true", help="without labels")
    parser.add_argument(
        "--config", type=Path, help="training config: draw what its last stage sees, augmented"
    )
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="for the config")


def run(args: argparse.Namespace) -> int:
    """Render or read, and draw."""
    if args.count < 1 or args.seed < 0:
        raise ValueError("--count must be at least 1 and --seed at least 0")
    if args.overrides and not args.config:
        raise ValueError(f"{args.overrides[0]!r} is for a config: give --config too")
    views = _training(args) if args.config else _worlds(args.seed)
    pictures = [_shown(view, plain=args.plain) for view in islice(views, args.count)]
    names = [] if args.config else [f"seed {args.seed + index}" for index in range(len(pictures))]
    write_picture(args.out, tile(pictures, 3, captions=names))
    print(f"sheet: {args.out}")
    return 0


def _shown(view: View, *, plain: bool) -> NDArray[np.uint8]:
    """Return a view with its labels, and below it the pictures that it is to be compared with."""
    image = view.image if plain else draw_labels(view.image, view.labels)
    return np.concatenate([image, *companions_of(view.labels).values()])


def _worlds(seed: int) -> Iterator[View]:
    """Render worlds."""
    while True:
        sample = render_sample(seed)
        size = (sample.image.shape[0], sample.image.shape[1])
        yield view_sample(sample, ImageTransform.fit(size, size))
        seed += 1


def _training(args: argparse.Namespace) -> Iterator[View]:
    """Yield what the last stage of a config sees."""
    from shared_encoder_perception.training.config import load_config
    from shared_encoder_perception.training.data import training_stream
    from shared_encoder_perception.training.sets import training_sets

    config = load_config(args.config, args.overrides)
    last = len(config.stages) - 1
    picture, tasks = config.stages[last].picture, config.network.tasks
    sets = training_sets(config.data, last, picture, config.seed, tasks)
    return training_stream(config, last, sets).views()
