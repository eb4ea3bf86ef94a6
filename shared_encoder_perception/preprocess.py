"""From a source image to the network input, and the one object that maps points both ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import Size

_AREA_BELOW = 0.5
"""Shrinking to less than half samples too few source pixels bilinearly: average areas instead."""


class Crop(NamedTuple):
    """A rectangle of the source image in whole pixels: ``x``, ``y`` of its top-left pixel."""

    x: int
    y: int
    width: int
    height: int


def default_crop(image_size: Size, input_size: Size) -> Crop:
    """Return the largest crop of the input's aspect ratio, centred in x, flush with the bottom.

    The road is at the bottom of a forward image, the sky is what can go.

    Args:
        image_size: ``(height, width)`` of the source image.
        input_size: ``(height, width)`` of the network input.
    """
    (height, width), (in_height, in_width) = image_size, input_size
    crop_width = min(width, round(height * in_width / in_height))
    crop_height = min(height, round(width * in_height / in_width))
    return Crop((width - crop_width) // 2, height - crop_height, crop_width, crop_height)


@dataclass(frozen=True)
class ImageTransform:
    """Crop, then stretch to the network input: one invertible map for image and points.

    Pixel centres are at integers on both sides, so a source pixel ``x`` lands on
    ``(x - crop.x + 0.5) * scale - 0.5``, which is where ``cv2.resize`` puts it.

    Attributes:
        image_size: ``(height, width)`` of the source image.
        crop: Part of the source image that is used.
        input_size: ``(height, width)`` of the network input.
    """

    image_size: Size
    crop: Crop
    input_size: Size

    def __post_init__(self) -> None:
        """Refuse a crop that is empty or leaves the image."""
        (height, width), crop = self.image_size, self.crop
        inside = crop.x >= 0 and crop.y >= 0 and crop.width >= 2 and crop.height >= 2
        if not (inside and crop.x + crop.width <= width and crop.y + crop.height <= height):
            raise ValueError(
                f"crop [x, y, width, height] = {list(crop)} does not fit an image of "
                f"{width}x{height} pixels: choose one that lies inside, at least 2x2"
            )

    @classmethod
    def fit(cls, image_size: Size, input_size: Size, crop: Crop | None = None) -> ImageTransform:
        """Build the transform for an image, with ``default_crop`` unless ``crop`` is given."""
        return cls(image_size, crop or default_crop(image_size, input_size), input_size)

    @property
    def scale(self) -> tuple[float, float]:
        """Network-input pixels per source pixel, ``(x, y)``."""
        return self.input_size[1] / self.crop.width, self.input_size[0] / self.crop.height

    @property
    def is_identity(self) -> bool:
        """Whether the network sees the source image as it is."""
        return self.image_size == self.input_size == (self.crop.height, self.crop.width)

    def image_to_input(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Crop and resize.

        Args:
            image: (H, W, 3) uint8 of ``image_size``.

        Returns:
            (h, w, 3) uint8 of ``input_size``, C-contiguous; the image itself where nothing changes.
        """
        if image.shape[:2] != tuple(self.image_size):
            raise ValueError(f"image is {image.shape[:2]}, this transform is for {self.image_size}")
        if self.is_identity:
            return np.ascontiguousarray(image)
        x, y, width, height = self.crop
        method = cv2.INTER_AREA if min(self.scale) < _AREA_BELOW else cv2.INTER_LINEAR
        part = image[y : y + height, x : x + width]
        return cv2.resize(part, self.input_size[::-1], interpolation=method).astype(
            np.uint8, copy=False
        )

    def points_to_input(self, points_px: NDArray) -> NDArray[np.float64]:
        """Map (..., 2) ``(x, y)`` source pixels to network-input pixels, float64."""
        offset = (self.crop.x, self.crop.y)
        return (np.asarray(points_px, np.float64) - offset + 0.5) * self.scale - 0.5

    def points_to_image(self, points_px: NDArray) -> NDArray[np.float64]:
        """Map (..., 2) ``(x, y)`` network-input pixels to source pixels, float64."""
        offset = (self.crop.x, self.crop.y)
        return (np.asarray(points_px, np.float64) + 0.5) / self.scale - 0.5 + offset

    def mask_to_image(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Map an (h, w) uint8 map of network-input size to the source image, 0 outside the crop."""
        if mask.shape != tuple(self.input_size):
            raise ValueError(f"mask is {mask.shape}, expected {self.input_size}")
        if self.is_identity:
            return mask
        x, y, width, height = self.crop
        full = np.zeros(self.image_size, np.uint8)
        full[y : y + height, x : x + width] = cv2.resize(
            mask, (width, height), interpolation=cv2.INTER_LINEAR
        )
        return full
