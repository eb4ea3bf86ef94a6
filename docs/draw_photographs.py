# SPDX-License-Identifier: Apache-2.0
"""Draw what the default model says of photographs: ``python docs/draw_photographs.py INPUT OUT``.

INPUT is what ``predict --input`` takes, a folder or a list with crops. A row for each picture, cut
to what the network sees of it: lanes and drivable surface; classes; depth. The pictures of
``docs/photographs.jpg`` are of public sets; README names them, and their licences.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.drawing.overlay import draw, draw_all
from shared_encoder_perception.drawing.pictures import write_picture
from shared_encoder_perception.images.preprocess import default_crop
from shared_encoder_perception.images.sources import open_source
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.structures import Crop

PANELS: Final = (("lanes", "drivable_surface"), ("semantic",))
WIDTH: Final = 640
"""Of a panel, pixels."""


def row(image: NDArray[np.uint8], crop: Crop | None, predictor: Predictor) -> NDArray[np.uint8]:
    """Return the panels of one picture side by side, (h, 3 WIDTH, 3) uint8 BGR.

    Args:
        image: (H, W, 3) uint8 BGR.
        crop: What the network is to see of it; ``None`` for what ``predict`` takes.
        predictor: Of a model that answers all that is drawn.
    """
    part = image if crop is None else image[crop.window]
    window = default_crop(part.shape[:2], predictor.backend.spec.input_size).window
    height, width = part[window].shape[:2]
    size = (WIDTH, round(WIDTH * height / width))
    seen = np.asarray(cv2.resize(part[window], size, interpolation=cv2.INTER_AREA), np.uint8)
    perception = predictor(seen)
    panels = [
        draw(seen, replace(perception, answers={name: perception.answers[name] for name in names}))
        for names in PANELS
    ]
    depth = replace(perception, answers={"depth": perception.answers["depth"]})
    return np.hstack([*panels, draw_all(seen, depth)[len(seen) :]])


def main() -> None:
    """Draw them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("input", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    predictor = Predictor(load_backend())
    rows = [row(frame.image, frame.crop, predictor) for frame in open_source(args.input)]
    write_picture(args.out, np.vstack(rows))


if __name__ == "__main__":
    main()
