# SPDX-License-Identifier: Apache-2.0
"""The answer of depth: how far each pixel of the source image is, validated once."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Crop, Size

if TYPE_CHECKING:
    from shared_encoder_perception.ground.camera import CameraModel

METRIC, RELATIVE = "metric", "relative"
KINDS: Final = (METRIC, RELATIVE)
"""What depth can be: metres; or nearer and farther, without a scale."""


@dataclass(frozen=True, eq=False)
class DepthMap:
    """How far each pixel is, along the optical axis, not along its ray.

    A network that saw a picture alone cannot tell a near scene from one that is twice as far, seen
    through a lens twice as long. What it says is for a focal length of one pixel; ``through`` makes
    metres of it where the camera's own is known.

    Attributes:
        depth: (H, W) float32 of the source image's size: metres where ``focal_px`` is known,
            metres per pixel of focal length where not; above 0, +Inf for farther than ``beyond``,
            NaN where nothing is said.
        sigma: (H, W) float32 of one standard deviation of it, as a share of the depth; NaN where
            that is not finite. ``None``: nobody says.
        beyond: Depth from which on +Inf is said, in the unit of ``depth``.
        kind: ``METRIC``, or ``RELATIVE`` for one that is known but for scale (and shift, of its
            inverse) and that no focal length makes metres.
        focal_px: Vertical focal length of the camera in pixels of the source image; NaN while
            nobody knows.
        lens: The camera; ``None`` where no more than its focal length is known.
        crop: What the network saw. ``None``: all of the image, or nobody says.
        height_m: Of the camera above the road, by which the scale was mended; NaN where it was not.
        scaled_by: What that multiplied the network's own metres by.
        sigma_by_height: What it multiplies ``sigma`` by.
        fixed: Whether the scale stays as it is, whatever is known of the height.
    """

    depth: NDArray[np.float32]
    sigma: NDArray[np.float32] | None = None
    beyond: float = math.inf
    kind: str = METRIC
    focal_px: float = math.nan
    lens: CameraModel | None = None
    crop: Crop | None = None
    height_m: float = math.nan
    scaled_by: float = 1.0
    sigma_by_height: float = 1.0
    fixed: bool = False

    def __post_init__(self) -> None:
        """Check types and shapes; arrays are kept without a copy and made read-only."""
        if self.kind not in KINDS:
            raise ValueError(f"kind is {self.kind!r}, expected one of {', '.join(KINDS)}")
        for name in ("depth", "sigma"):
            array = getattr(self, name)
            if array is None:
                continue
            if array.dtype != np.float32 or array.ndim != 2 or array.shape != self.depth.shape:
                raise ValueError(
                    f"{name} is {array.dtype} of shape {array.shape}, expected float32 of shape "
                    f"{self.depth.shape if self.depth.ndim == 2 else '(H, W)'}"
                )
            view = array.view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    @property
    def in_metres(self) -> bool:
        """Whether ``depth`` is in metres."""
        return self.kind == METRIC and not math.isnan(self.focal_px)

    def through(self, focal_px: float, lens: CameraModel | None = None) -> DepthMap:
        """Return the depth as seen by a camera.

        Args:
            focal_px: Its vertical focal length, pixels of the source image.
            lens: The camera itself, where known.

        Raises:
            ValueError: No focal length.
        """
        if not (0 < focal_px < math.inf):
            raise ValueError(f"the focal length is {focal_px:g} px, expected more than 0")
        if self.kind == RELATIVE:
            return replace(self, lens=lens)
        before = 1.0 if math.isnan(self.focal_px) else self.focal_px
        factor = np.float32(focal_px / before)
        depth = self.depth if factor == 1 else self.depth * factor
        return replace(
            self, depth=depth, beyond=self.beyond * float(factor), focal_px=focal_px, lens=lens
        )

    def scaled(self, factor: float, height_m: float) -> DepthMap:
        """Return the depth brought to another scale, for a camera whose height is known.

        Args:
            factor: What metres are multiplied by, above 0.
            height_m: Of the camera above the road.
        """
        first = math.isnan(self.height_m)
        sigma = self.sigma
        if sigma is not None and first and self.sigma_by_height != 1:
            sigma = sigma * np.float32(self.sigma_by_height)
        return replace(
            self,
            depth=self.depth * np.float32(factor),
            sigma=sigma,
            beyond=self.beyond * factor,
            height_m=height_m,
            scaled_by=self.scaled_by * factor,
        )

    def seen(self, crop: Crop) -> Crop:
        """Return the part of a crop that the network saw: elsewhere the answer says nothing."""
        return crop.shared(self.crop)

    def check(self, image_size: Size) -> None:
        """Refuse an answer that does not fit its image.

        Raises:
            ValueError: It is not of the image's size.
        """
        if self.depth.shape != tuple(image_size):
            raise ValueError(
                f"depth is {self.depth.shape}, expected the image's {tuple(image_size)}"
            )


Answer = DepthMap
