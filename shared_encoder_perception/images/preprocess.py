# SPDX-License-Identifier: Apache-2.0
"""From a source image to the network input, and the one object that maps points both ways."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.structures import AREA_BELOW_HALF, HALVES, Size
from shared_encoder_perception.structures import Crop as Crop

STRETCH, LETTERBOX = "stretch", "letterbox"
"""How a crop of another aspect ratio is brought to the network input: by scaling both axes on
their own, or by one scale with bars where nothing is left."""
RESIZES: Final = (STRETCH, LETTERBOX)

PADDING: Final = 114
"""Grey of the bars of a letterbox, near the mean of the images that encoders are trained on."""


class ImageError(ValueError):
    """An image that cannot be perceived as asked for; the text says why."""


CropRule = Callable[[Size], Crop]
"""Chooses the crop by the image's ``(height, width)``; raises ``ImageError`` where it cannot."""


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


def whole_crop(image_size: Size) -> Crop:
    """Return the crop that leaves nothing out."""
    return Crop(0, 0, image_size[1], image_size[0])


def roi_crop(info: Any, image_size: Size) -> Crop:
    """Return the region of interest of a CameraInfo, in pixels of an image of that camera.

    Args:
        info: ``sensor_msgs/CameraInfo`` of rclpy or rosbags. Its region counts the sensor's
            pixels, which binning joins into those of the image. An empty one is the whole image.
        image_size: ``(height, width)`` of the image: the full frame, or the region alone where
            the driver has cut it out already.

    Raises:
        ImageError: The image is neither, or the region does not lie inside.
    """
    roi, binning = info.roi, (max(int(info.binning_x), 1), max(int(info.binning_y), 1))
    full = int(info.width) // binning[0], int(info.height) // binning[1]
    left, top = int(roi.x_offset) // binning[0], int(roi.y_offset) // binning[1]
    width, height = int(roi.width) // binning[0], int(roi.height) // binning[1]
    size = (image_size[1], image_size[0])
    is_cut = (width, height) != (0, 0)
    if is_cut and size == (width, height):
        return whole_crop(image_size)
    if size != full:
        region = f" nor its region of interest of {width}x{height}" if is_cut else ""
        raise ImageError(
            f"image is {size[0]}x{size[1]} pixels, which is not the CameraInfo's {full[0]}x"
            f"{full[1]}{region} (binning {binning[0]}x{binning[1]}): let both come from one camera"
        )
    return Crop(left, top, width, height) if is_cut else whole_crop(image_size)


@dataclass(frozen=True)
class ImageTransform:
    """Crop, then resize to the network input: one invertible map for image and points.

    Pixel centres are at integers on both sides, so a source pixel ``x`` lands on
    ``content.x + (x - crop.x + 0.5) * scale - 0.5``, which is where ``cv2.resize`` puts it.

    Attributes:
        image_size: ``(height, width)`` of the source image.
        crop: Part of the source image that is used.
        input_size: ``(height, width)`` of the network input.
        resize: ``STRETCH`` fills the input; ``LETTERBOX`` keeps the crop's aspect ratio, centred in
            x and flush with the bottom like ``default_crop``, and pads with grey.
        shrink: How pictures shrink, as ``ModelSpec.shrink``.
    """

    image_size: Size
    crop: Crop
    input_size: Size
    resize: str = STRETCH
    shrink: str = HALVES

    def __post_init__(self) -> None:
        """Refuse a crop that is empty or leaves the image."""
        (height, width), crop = self.image_size, self.crop
        inside = crop.x >= 0 and crop.y >= 0 and crop.width >= 2 and crop.height >= 2
        if not (inside and crop.x + crop.width <= width and crop.y + crop.height <= height):
            raise ImageError(
                f"crop [x, y, width, height] = {list(crop)} does not fit an image of "
                f"{width}x{height} pixels: choose one that lies inside, at least 2x2"
            )
        if self.resize not in RESIZES:
            raise ValueError(f"resize is {self.resize!r}, expected one of {', '.join(RESIZES)}")

    @classmethod
    def fit(
        cls,
        image_size: Size,
        input_size: Size,
        crop: Crop | None = None,
        resize: str = STRETCH,
        shrink: str = HALVES,
    ) -> ImageTransform:
        """Build the transform for an image, with ``default_crop`` unless ``crop`` is given."""
        crop = crop or default_crop(image_size, input_size)
        return cls(image_size, crop, input_size, resize, shrink)

    @cached_property
    def content(self) -> Crop:
        """Part of the network input that shows the crop; the rest is padding."""
        height, width = self.input_size
        if self.resize == STRETCH:
            return Crop(0, 0, width, height)
        scale = min(width / self.crop.width, height / self.crop.height)
        used_width = max(1, round(self.crop.width * scale))
        used_height = max(1, round(self.crop.height * scale))
        return Crop((width - used_width) // 2, height - used_height, used_width, used_height)

    @property
    def scale(self) -> tuple[float, float]:
        """Network-input pixels per source pixel, ``(x, y)``."""
        return self.content.width / self.crop.width, self.content.height / self.crop.height

    @property
    def is_identity(self) -> bool:
        """Whether the network sees the source image as it is."""
        return self.image_size == self.input_size == (self.crop.height, self.crop.width)

    def image_to_input(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Crop, resize and pad.

        Args:
            image: (H, W, 3) uint8 of ``image_size``.

        Returns:
            (h, w, 3) uint8 of ``input_size``, C-contiguous; the image itself where nothing changes.
        """
        if image.shape[:2] != tuple(self.image_size):
            raise ImageError(f"image is {image.shape[:2]}, this transform is for {self.image_size}")
        if self.is_identity:
            return np.ascontiguousarray(image)
        x, y, width, height = self.crop
        part = image[y : y + height, x : x + width]
        left, top, used_width, used_height = self.content
        resized = self._resized(part, (used_width, used_height))
        right = self.input_size[1] - left - used_width
        if (left, top, right) != (0, 0, 0):
            grey, border = (PADDING,) * 3, cv2.BORDER_CONSTANT
            resized = cv2.copyMakeBorder(resized, top, 0, left, right, border, value=grey)
        return resized.astype(np.uint8, copy=False)

    def _resized(self, part: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
        """Bring the crop to ``(width, height)``."""
        if self.shrink == AREA_BELOW_HALF:
            method = cv2.INTER_AREA if min(self.scale) < 0.5 else cv2.INTER_LINEAR
            return np.asarray(cv2.resize(part, size, interpolation=method), np.uint8)
        halved = [1, 1]
        small = part
        while any(steps := [small.shape[1] // size[0] >= 2, small.shape[0] // size[1] >= 2]):
            by = [2 if step else 1 for step in steps]
            columns, rows = small.shape[1] // by[0], small.shape[0] // by[1]
            whole = small[: rows * by[1], : columns * by[0]]
            small = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)
            halved = [was * factor for was, factor in zip(halved, by, strict=True)]
        if (small.shape[1] * halved[0], small.shape[0] * halved[1]) == part.shape[1::-1]:
            return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_LINEAR), np.uint8)
        # An odd row or column is left out: ``resize`` would stretch the rest over its place.
        counts = zip(part.shape[1::-1], size, halved, strict=True)
        factors = [pixels / wanted / factor for pixels, wanted, factor in counts]
        return _sampled(small, factors, [0.5 * factor - 0.5 for factor in factors], size)

    def points_to_input(self, points_px: NDArray) -> NDArray[np.float64]:
        """Map (..., 2) ``(x, y)`` source pixels to network-input pixels, float64."""
        offset, corner = (self.crop.x, self.crop.y), (self.content.x, self.content.y)
        return (np.asarray(points_px, np.float64) - offset + 0.5) * self.scale - 0.5 + corner

    def points_to_image(self, points_px: NDArray) -> NDArray[np.float64]:
        """Map (..., 2) ``(x, y)`` network-input pixels to source pixels, float64."""
        offset, corner = (self.crop.x, self.crop.y), (self.content.x, self.content.y)
        return (np.asarray(points_px, np.float64) - corner + 0.5) / self.scale - 0.5 + offset

    def covers(self, points_px: NDArray) -> NDArray[np.bool_]:
        """Say which (..., 2) ``(x, y)`` network-input pixels lie inside ``content``, not padding.

        Returns:
            (...) bool, by pixel centres: up to half a pixel at the rim counts as outside.
        """
        x, y, width, height = self.content
        points = np.asarray(points_px)
        column, row = points[..., 0], points[..., 1]
        inside = (column >= x) & (column <= x + width - 1) & (row >= y) & (row <= y + height - 1)
        return np.asarray(inside)

    def mask_to_image(self, mask: NDArray, stride: int = 1, outside: float = 0) -> NDArray:
        """Map values on a grid over the network input to the source image, bilinear.

        Args:
            mask: (h, w) uint8 or float32, a value for each cell.
            stride: Network-input pixels per cell.
            outside: What the pixels outside of the crop get.
        """
        height, width = (side // stride for side in self.input_size)
        if mask.shape != (height, width):
            raise ValueError(f"mask is {mask.shape}, expected {(height, width)}")
        if self.is_identity and stride == 1:
            return mask
        x, y, crop_width, crop_height = self.crop
        if self.content == Crop(0, 0, self.input_size[1], self.input_size[0]):
            seen = cv2.resize(mask, (crop_width, crop_height), interpolation=cv2.INTER_LINEAR)
        elif stride == 1:
            part = mask[self.content.window]
            seen = cv2.resize(part, (crop_width, crop_height), interpolation=cv2.INTER_LINEAR)
        else:  # padding may end within a cell
            seen = self._unpadded(mask, stride)
        if self.crop == whole_crop(self.image_size):
            return np.asarray(seen)
        full = np.full(self.image_size, outside, mask.dtype)
        full[y : y + crop_height, x : x + crop_width] = seen
        return full

    def ids_to_image(self, ids: NDArray, outside: float, stride: int = 1) -> NDArray:
        """Map values that must not be mixed to the source image, by the nearest cell.

        Args:
            ids: (h, w) of any type, a value for each cell.
            outside: What the pixels outside of the crop get.
            stride: Network-input pixels per cell.
        """
        grid = (self.input_size[0] // stride, self.input_size[1] // stride)
        if ids.shape != grid:
            raise ValueError(f"the grid is {ids.shape}, expected {grid}")
        rows, columns = (
            np.clip(
                np.floor(((np.arange(count) + 0.5) * scale + start) / stride), 0, cells - 1
            ).astype(np.intp)
            for count, scale, start, cells in (
                (self.crop.height, self.scale[1], self.content.y, grid[0]),
                (self.crop.width, self.scale[0], self.content.x, grid[1]),
            )
        )
        # Columns first, where there are few cells; whole rows are then copied as they lie.
        seen = np.take(np.take(ids, columns, axis=1), rows, axis=0)
        if self.crop == whole_crop(self.image_size):
            return seen
        full = np.full(self.image_size, outside, ids.dtype)
        full[self.crop.window] = seen
        return full

    def _unpadded(self, mask: NDArray, stride: int) -> NDArray:
        """Return the values at the pixels of the crop, from a grid over a padded input."""
        factors = [scale / stride for scale in self.scale]
        corner = (self.content.x, self.content.y)
        first = [
            (0.5 * scale + start) / stride - 0.5
            for scale, start in zip(self.scale, corner, strict=True)
        ]
        return _sampled(mask, factors, first, (self.crop.width, self.crop.height))


def _sampled(
    array: NDArray,
    factors: Sequence[float],
    first: Sequence[float],
    size: tuple[int, int],
) -> NDArray:
    """Read ``array`` at ``first + factors * (column, row)``, bilinear, its rim goes on outside.

    Args:
        array: (H, W) or (H, W, C), uint8 or float32.
        factors: Of x and y.
        first: ``(x, y)`` in ``array`` of the first value.
        size: ``(width, height)`` of what is returned.
    """
    matrix = np.array([[factors[0], 0.0, first[0]], [0.0, factors[1], first[1]]])
    flags, border = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, cv2.BORDER_REPLICATE
    return np.asarray(cv2.warpAffine(array, matrix, size, flags=flags, borderMode=border))
