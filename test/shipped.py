# SPDX-License-Identifier: Apache-2.0
"""The shipped model as it is read, pictures of the size that it takes, and the one before it."""

from pathlib import Path

import numpy as np

from shared_encoder_perception.artifact.file import read_artifact
from shared_encoder_perception.backends import DEFAULT_MODEL

SHIPPED = read_artifact(DEFAULT_MODEL)
SIZE = SHIPPED.spec.input_size
FORMER = Path(__file__).parent / "models/default_0.5.0.onnx"
"""In format 1, its weights under former names, on the full grid: such files are still out there."""


def shipped_worlds(count):
    """Return (count, H, W, 3) uint8 BGR worlds of the size that it takes."""
    from shared_encoder_perception.world.synthetic import render_sample

    return np.stack([render_sample(seed, SIZE).image for seed in range(count)])
