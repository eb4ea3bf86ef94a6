# SPDX-License-Identifier: Apache-2.0
"""The block of depth in a ModelSpec, and the tensors that it promises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from shared_encoder_perception.spec import Tensor, expect
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.depth.answer import KINDS, METRIC
from shared_encoder_perception.tasks.strides import OWN_STRIDE

OUTPUT_DEPTH: Final = "depth"
"""Output tensor: float32 (N, H / stride, W / stride), canonical depth, see ``Block``."""
OUTPUT_SIGMA: Final = "depth_sigma"
"""Output tensor of the same shape: one standard deviation of its logarithm."""
ADDED: Final = ("sigma_scale_height",)


@dataclass(frozen=True)
class Block:
    """What a model says of its depth.

    A canonical depth is that of a camera whose focal length is ``focal_px`` pixels of the network's
    input: a camera with another one, f, sees the same picture at f / ``focal_px`` times the depth.

    Attributes:
        kind: ``metric``, or ``relative``: then only which pixel is nearer means anything.
        focal_px: The canonical focal length.
        min_m: Smallest canonical depth.
        max_m: Canonical depth from which on all is "beyond".
        depth_stride: Input pixels per cell of the answer.
        sigma_scale: What ``depth_sigma`` is multiplied by to be right; 1 where nobody calibrated.
        sigma_scale_height: Likewise, where the camera's height is known (``height.at_height``); 0
            where nobody calibrated that: then ``sigma_scale``.
    """

    kind: str = METRIC
    focal_px: float = 800.0
    min_m: float = 1.0
    max_m: float = 160.0
    depth_stride: int = 1
    sigma_scale: float = 1.0
    sigma_scale_height: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what could not be decoded."""
        expect(self.kind in KINDS, "kind", self.kind, f"one of {KINDS}")
        expect(self.focal_px > 0, "focal_px", self.focal_px, "more than 0")
        expect(self.min_m > 0, "min_m", self.min_m, "more than 0")
        expect(self.max_m > self.min_m, "max_m", self.max_m, "more than min_m")
        strides = (1, 2, 4, 8, 16, 32)
        expect(self.depth_stride in strides, "depth_stride", self.depth_stride, f"one of {strides}")
        expect(self.sigma_scale > 0, "sigma_scale", self.sigma_scale, "more than 0")
        by_height = self.sigma_scale_height
        expect(by_height >= 0, "sigma_scale_height", by_height, "more than 0, or 0 for none")

    def outputs(self, input_size: Size) -> dict[str, Tensor]:
        """Return the tensors of depth and of its deviation."""
        grid = (input_size[0] // self.depth_stride, input_size[1] // self.depth_stride)
        return {OUTPUT_DEPTH: Tensor("float32", grid), OUTPUT_SIGMA: Tensor("float32", grid)}

    def inputs(self, input_size: Size) -> dict[str, Tensor]:
        """Return nothing: the image is enough."""
        return {}


def block_of(config: Any, stride: int | None, input_size: Size) -> Block:
    """Return the block of a network: its canonical focal length is the width of its input."""
    return Block(config.depth_kind, float(input_size[1]), depth_stride=stride or OWN_STRIDE)
