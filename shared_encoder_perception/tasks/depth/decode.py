# SPDX-License-Identifier: Apache-2.0
"""Grids of canonical depth -> depth of source-image pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.depth.answer import DepthMap
from shared_encoder_perception.tasks.depth.depth_msg import pinhole
from shared_encoder_perception.tasks.depth.height import at_height
from shared_encoder_perception.tasks.depth.spec import OUTPUT_DEPTH, OUTPUT_SIGMA, Block

SMOOTH: Final = 1.25
"""Ratio of neighbouring depths up to which they are of one surface. The ground's is within it, as
far as it matters: cells of four pixels, from ten of them below the horizon."""
SMALLEST: Final = 1e-6


@dataclass(frozen=True)
class Options:
    """What may change from one image to the next.

    Attributes:
        focal_px: Vertical focal length of the camera in pixels of the source image, where no
            calibration tells; 0 where nobody knows.
        height_m: Of the camera above the road, where no calibration tells; 0 where nobody knows.
        by_height: Whether depth is scaled by that height, and by one that calibration tells.
        unknown_above: Pixels whose standard deviation is a larger share of the depth are said to be
            unknown; 0 for none.
    """

    focal_px: float = 0.0
    height_m: float = 0.0
    by_height: bool = True
    unknown_above: float = 0.0

    @classmethod
    def of(cls, block: Block) -> Options:
        """Say all that the model says, of any camera."""
        return cls()


class Decoder:
    """Decodes the depth of models with one spec."""

    def __init__(self, block: Block, input_size: Size) -> None:
        """Keep the spec; ``input_size`` is of no importance here."""
        self._block = block

    def __call__(
        self, outputs: Mapping[str, NDArray], transform: ImageTransform, options: Options
    ) -> DepthMap:
        """Decode one image.

        Args:
            outputs: ``depth`` and ``depth_sigma``, float32 (rows, columns).
            transform: How the source image became the network input.
            options: What is known of the camera, and what is to be said.
        """
        block, stride = self._block, self._block.depth_stride
        inverse = 1.0 / np.maximum(outputs[OUTPUT_DEPTH], np.float32(SMALLEST))
        seen = interpolated(inverse, transform, stride)
        # Canonical depth is for block.focal_px input pixels, the answer for one source pixel.
        unit = np.float32(transform.scale[1] / block.focal_px)
        with np.errstate(divide="ignore"):
            depth = unit / seen
        beyond = float(block.max_m * unit)
        depth[seen <= 1 / block.max_m] = np.inf
        scale = np.float32(block.sigma_scale)
        sigma = transform.ids_to_image(outputs[OUTPUT_SIGMA] * scale, math.nan, stride)
        if options.unknown_above > 0:
            depth[sigma > options.unknown_above] = np.nan
        sigma = np.where(np.isfinite(depth), sigma, np.float32(np.nan))
        by_height = (block.sigma_scale_height or block.sigma_scale) / block.sigma_scale
        answer = DepthMap(
            depth,
            sigma,
            beyond,
            block.kind,
            crop=transform.crop,
            sigma_by_height=by_height,
            fixed=not options.by_height,
        )
        if options.focal_px > 0:
            lens = pinhole(options.focal_px, transform.image_size)
            answer = answer.through(options.focal_px, lens)
            return at_height(answer, options.height_m) if options.height_m > 0 else answer
        return answer


def interpolated(
    inverse: NDArray[np.float32], transform: ImageTransform, stride: int
) -> NDArray[np.float32]:
    """Bring inverse depth from a grid to the pixels of the source image; NaN outside of the crop.

    Inverse depth of a plane is linear in the picture: between cells of one surface it is
    interpolated. Where surfaces of other depths meet, a pixel gets that of its nearest cell:
    nothing floats in between.
    """
    kernel = np.ones((3, 3), np.uint8)
    apart = cv2.dilate(inverse, kernel) > SMOOTH * cv2.erode(inverse, kernel)
    smooth = transform.mask_to_image(inverse, stride, math.nan)
    edge = transform.ids_to_image(apart.view(np.uint8), 0, stride).view(np.bool_)
    if smooth is inverse:  # each pixel has a cell of its own
        return np.array(smooth)
    if edge.any():
        np.copyto(smooth, transform.ids_to_image(inverse, math.nan, stride), where=edge)
    return smooth
