# SPDX-License-Identifier: Apache-2.0
"""Depth of mirrored and resized pictures, made one: the median of its logarithm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.looks import Look, median_of
from shared_encoder_perception.tasks.depth.spec import OUTPUT_DEPTH, OUTPUT_SIGMA, Block


def merge(
    looks: Sequence[Look], outputs: Sequence[Mapping[str, NDArray]], block: Block
) -> dict[str, NDArray]:
    """Return ``depth`` and ``depth_sigma``: the median over the looks that show a cell.

    Of an even number, the geometric mean of the middle two.

    A picture at twice the size is seen through a lens of twice the focal length: the canonical
    depth that a network says of it is half of the plain picture's. Deviations are taken alike:
    looks at one picture are wrong together, so that their number makes none of them smaller.
    """
    plain = looks[0].transform.scale[1]
    depths = [
        np.log(output[OUTPUT_DEPTH].astype(np.float64) * (look.transform.scale[1] / plain))
        for look, output in zip(looks, outputs, strict=True)
    ]
    sigmas = [np.log(output[OUTPUT_SIGMA].astype(np.float64)) for output in outputs]
    stride = block.depth_stride
    return {
        OUTPUT_DEPTH: np.exp(median_of(looks, depths, stride)).astype(np.float32),
        OUTPUT_SIGMA: np.exp(median_of(looks, sigmas, stride)).astype(np.float32),
    }
