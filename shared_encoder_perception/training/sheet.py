"""A sheet of synthetic samples with their labels, to be looked at.

python -m shared_encoder_perception sheet --out sheet.png --seed 0
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.predict import write_png
from shared_encoder_perception.training.sample import MASK_DRIVABLE, Sample
from shared_encoder_perception.training.synthetic import render_sample
from shared_encoder_perception.visualize import draw_line, tile, tint_mask


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--out", type=Path, required=True, help="the PNG to write")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first world")
    parser.add_argument("--count", type=int, default=24, help="number of worlds")
    parser.add_argument("--plain", action="store_true", help="without labels")


def run(args: argparse.Namespace) -> int:
    """Render and draw."""
    if args.count < 1 or args.seed < 0:
        raise ValueError("--count must be at least 1 and --seed at least 0")
    samples = [render_sample(args.seed + index) for index in range(args.count)]
    write_png(args.out, tile([s.image if args.plain else draw_labels(s) for s in samples], 3))
    print(f"sheet: {args.out}")
    return 0


def draw_labels(sample: Sample) -> NDArray[np.uint8]:
    """Return a copy of the sample's image with its mask and lanes."""
    canvas = sample.image.copy()
    if sample.mask is not None:
        tint_mask(canvas, sample.mask == MASK_DRIVABLE)
    for lane, points in sample.lanes.items():
        if points is not None:
            draw_line(canvas, points, lane)
    return canvas
