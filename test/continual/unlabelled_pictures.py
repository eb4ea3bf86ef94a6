# SPDX-License-Identifier: Apache-2.0
"""Pictures without labels: with texture everywhere, moved by known lengths, as frames of videos."""

import cv2
import numpy as np

SIZE = (64, 96)
"""Of the pictures that networks see."""


def texture(size=SIZE, seed=0, margin=0):
    """Return (H, W, 3) uint8: smooth noise in which flow can be found."""
    height, width = (side + 2 * margin for side in size)
    noise = np.random.default_rng(seed).uniform(0, 255, (height, width, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.5)
    return cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def cut_out(whole, x, y, size=SIZE):
    """Return the part of a picture whose upper left pixel is ``(x, y)``, fractions of pixels, too.

    What is at a place of one part is ``dx, dy`` further left and up in a part ``dx, dy`` further
    right and down.
    """
    matrix = np.array([[1.0, 0.0, x], [0.0, 1.0, y]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(whole, matrix, (size[1], size[0]), flags=flags)


def write_frames(folder, pictures):
    """Write frames in their order; return the folder's path."""
    folder.mkdir(parents=True)
    for number, picture in enumerate(pictures):
        cv2.imwrite(str(folder / f"{number}.png"), picture)
    return str(folder)
