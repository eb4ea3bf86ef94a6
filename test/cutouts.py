# SPDX-License-Identifier: Apache-2.0
"""Backgrounds and cut-outs on disk, for tests: tiny pictures that are all different."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from shared_encoder_perception.__main__ import main

PLACE = (96, 160)
THING = (40, 24)


def background(index: int, size: tuple[int, int] = PLACE) -> np.ndarray:
    """A picture of a place: a soft pattern of its own, neither dark nor bright."""
    rng = np.random.default_rng(index)
    coarse = rng.integers(60, 190, (6, 10, 3), np.uint8)
    return cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)


def cutout(index: int, size: tuple[int, int] = THING) -> np.ndarray:
    """A thing, (H, W, 4) BGRA, lopsided, transparent around: left and right differ."""
    rng = np.random.default_rng(1000 + index)
    pixels = np.zeros((*size, 4), np.uint8)
    pixels[..., :3] = rng.integers(0, 256, 3, np.uint8)
    height, width = size
    points = [
        [3, 3],
        [width - 4, height // 2 + index % 5],
        [width // 2, height - 4],
        [3, height - 4],
    ]
    cv2.fillPoly(pixels, [np.array(points)], (*rng.integers(0, 256, 3).tolist(), 255))
    return pixels


def write_pictures(root: Path, backgrounds: int = 4, things: int = 5) -> tuple[Path, Path]:
    """Write both folders, and return them."""
    places, cutouts = root / "places", root / "things"
    for folder, count, make in ((places, backgrounds, background), (cutouts, things, cutout)):
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(count):
            assert cv2.imwrite(str(folder / f"{index:03d}.png"), make(index))
    return places, cutouts


def write_index(root: Path, *, backgrounds: int = 4, things: int = 5, **options) -> Path:
    """Write pictures and the index of their composites; return its path."""
    from shared_encoder_perception.labels.composites.index import FILE_NAME
    from shared_encoder_perception.labels.composites.index import write_index as write
    from shared_encoder_perception.labels.composites.make import make_index

    path = root / FILE_NAME
    options = {"held_out": 0.0, "places": 3, "mirror": True, **options}
    write(path, make_index(*write_pictures(root, backgrounds, things), path, **options))
    return path


def compose(root, *more, backgrounds="places", foregrounds="things", out="out"):
    """Run dataset compose below a folder; return its exit status."""
    folders = ["--backgrounds", str(root / backgrounds), "--foregrounds", str(root / foregrounds)]
    return main(["dataset", "compose", *folders, "--out", str(root / out), *more])
