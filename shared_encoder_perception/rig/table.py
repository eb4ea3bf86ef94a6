# SPDX-License-Identifier: Apache-2.0
"""Calibration as two tensors: where each voxel looks its features up, and with which weight.

In two steps. ``Sight`` asks every camera where it sees every voxel: lens, pose, crop and mask of
the own vehicle are all in there, and it is needed again only when one of them changes.
``Sight.table`` chooses each voxel's best views among the cameras that are alive, which costs next
to nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.preprocess import ImageError, ImageTransform
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.rig import Rig, RigCamera
from shared_encoder_perception.structures import Size

STRIDE: Final = 8
BEST: Final = 2
UNSEEN: Final = -1
"""As a margin, and as the number of a camera."""
ROUNDING: Final = 2.0**-22
"""Share of a side by which a place keeps away from its ends: engines that compute in float32 err by
at most 1.4 * 2^-23 of it when they turn a place into a cell, and may then not reach across."""

Maps = tuple[int, int, int]
"""Cameras, rows and columns of their feature maps."""


@dataclass(frozen=True, eq=False)
class ViewTable:
    """Where V voxels look their features up, in at most K cameras each.

    The order of the voxels is that of ``BevGrid.voxels()``, raveled.

    Attributes:
        place: (K, V, 2) float32 ``(x, y)`` in -1 to 1, as GridSample takes them with
            ``align_corners`` false, in the feature maps of all cameras laid side by side along
            columns, in the rig's order. No place leaves the cells of its own camera, so none of its
            four taps lies in another's.
        weight: (K, V) float32, 1 / the number of views kept; 0 where there is none.
        views: (V,) uint8, how many cameras see the voxel, not only those kept.
        camera: (K, V) int8, place in the rig of the camera; ``UNSEEN`` for none.
        maps: ``(cameras, rows, columns)`` of the feature maps that it is for.
    """

    place: NDArray[np.float32]
    weight: NDArray[np.float32]
    views: NDArray[np.uint8]
    camera: NDArray[np.int8]
    maps: Maps


@dataclass(frozen=True, eq=False)
class Sight:
    """Where the cameras of a rig see the voxels of a grid.

    Attributes:
        names: Of the S cameras, in the rig's order.
        grid: Its V voxels.
        input_size: ``(height, width)`` of the network input that each picture is brought to.
        pixel: (S, V, 2) float32 ``(x, y)`` in the network input; NaN where unseen.
        margin: (S, V) float32, pixels from there to the nearest border of the part of the input
            that shows the picture; ``UNSEEN`` where unseen.
        key: Of what all this was computed from; see ``sight_key``.
    """

    names: tuple[str, ...]
    grid: BevGrid
    input_size: Size
    pixel: NDArray[np.float32]
    margin: NDArray[np.float32]
    key: bytes

    @classmethod
    def of(cls, rig: Rig, grid: BevGrid, input_size: Size) -> Sight:
        """Ask every camera for every voxel.

        A camera that sees none of them is no error: ``blind`` names it.

        Args:
            rig: The cameras.
            grid: The voxels.
            input_size: ``(height, width)`` of the network input.

        Raises:
            ValueError: No camera sees any.
            ImageError: A camera's crop does not fit its pictures.
        """
        voxels = grid.voxels().reshape(-1, 3)
        pixel = np.empty((len(rig.cameras), len(voxels), 2), np.float32)
        margin = np.empty(pixel.shape[:2], np.float32)
        for camera, place, distance in zip(rig.cameras, pixel, margin, strict=True):
            transform = _transform(camera, input_size)
            seen = transform.points_to_input(camera.see(voxels))
            seen[~transform.covers(seen)] = np.nan
            x, y, width, height = transform.content
            to_border = np.minimum(seen - (x, y), (x + width - 1, y + height - 1) - seen)
            place[:] = seen
            distance[:] = np.nan_to_num(to_border.min(axis=1), nan=UNSEEN)
        if not (margin >= 0).any():
            x_min, y_min, x_max, y_max = grid.extent_m
            raise ValueError(
                f"no camera of the rig ({', '.join(rig.names)}) sees anything of the grid from x "
                f"{x_min:g} to {x_max:g} m, y {y_min:g} to {y_max:g} m at heights "
                f"{list(grid.heights_m)} m: check poses (metres, radians, x ahead, y left), crops "
                "and masks of the own vehicle"
            )
        size = (int(input_size[0]), int(input_size[1]))
        return cls(rig.names, grid, size, pixel, margin, sight_key(rig, grid, size))

    @property
    def blind(self) -> tuple[str, ...]:
        """Names of the cameras that see no voxel."""
        furthest = self.margin.max(axis=1)
        return tuple(self.names[index] for index in np.flatnonzero(furthest < 0))

    def views(self, live: Collection[str] | None = None) -> NDArray[np.uint8]:
        """Return how many cameras see each voxel, (Z, Y, X).

        Args:
            live: Names of the cameras that count; ``None`` for all.
        """
        counts = (self.margin[self._are_live(live)] >= 0).sum(axis=0, dtype=np.uint8)
        return counts.reshape(-1, *self.grid.shape)

    def seen(self, live: Collection[str] | None = None) -> NDArray[np.bool_]:
        """Say of which cells something is seen, (Y, X): of at least one of their heights.

        One is enough, as things stand: of a car beside the vehicle the cameras may see the roof
        alone, and the network then has features of it. A cell without any has none, whatever
        comes out there is invented. Whether the ground itself is seen, ``views()[0]`` tells, of a
        grid whose lowest height is 0.

        Args:
            live: Names of the cameras that count; ``None`` for all.
        """
        return np.asarray(self.views(live).any(axis=0))

    def table(
        self, stride: int = STRIDE, best: int = BEST, live: Collection[str] | None = None
    ) -> ViewTable:
        """Choose the best views of each voxel: those furthest from the border of their picture.

        Of two that are equally far, the first in the rig's order.

        Args:
            stride: Pixels of the network input per feature cell.
            best: How many views of a voxel are kept, K.
            live: Names of the cameras whose pictures are there; ``None`` for all. Views of the
                others do not exist: a voxel that has lost one gets its next best.

        Raises:
            ValueError: The stride does not fit the input, no view is to be kept, or the rig has no
                such camera.
        """
        if best < 1:
            raise ValueError(f"{best} views of a voxel are to be kept, expected at least 1")
        maps = self._maps(stride)
        left = np.where(self._are_live(live)[:, None], self.margin, np.float32(UNSEEN))
        every = np.arange(left.shape[1])
        views = (left >= 0).sum(axis=0, dtype=np.uint8)
        camera = np.full((best, len(every)), UNSEEN, np.int8)
        for chosen in camera[: len(left)]:
            furthest = left.argmax(axis=0)  # the first of equals
            chosen[:] = np.where(left[furthest, every] >= 0, furthest, UNSEEN)
            left[furthest, every] = UNSEEN
        weight = np.where(camera >= 0, 1 / np.clip(views, 1, best), 0).astype(np.float32)
        # A slot without a view looks where the first one does, at no weight.
        owner = np.where(camera >= 0, camera, np.maximum(camera[0], 0))
        cells = feature_cells(self.pixel[owner, every], stride)
        cells[:, views == 0] = 0
        return ViewTable(side_by_side(cells, owner, maps), weight, views, camera, maps)

    def _are_live(self, live: Collection[str] | None) -> NDArray[np.bool_]:
        """Return which cameras count, (S,)."""
        if live is None:
            return np.ones(len(self.names), bool)
        if unknown := [name for name in live if name not in self.names]:
            raise ValueError(f"the rig has no camera {unknown[0]!r}, only {', '.join(self.names)}")
        return np.array([name in live for name in self.names])

    def _maps(self, stride: int) -> Maps:
        """Return the size of the feature maps."""
        height, width = self.input_size
        if stride < 1 or height % stride or width % stride or min(height, width) < 2 * stride:
            raise ValueError(
                f"features at every {stride}th pixel of a network input of {width}x{height}: "
                "expected a divisor of both sides that leaves at least 2 cells along each"
            )
        return len(self.names), height // stride, width // stride


def feature_cells(pixels: NDArray, stride: int) -> NDArray[np.float64]:
    """Map (..., 2) pixels of the network input to cells of its feature map, float64.

    Centres are at integers in both: cell 0 is the mean of the pixels 0 to ``stride - 1``.
    """
    return (np.asarray(pixels, np.float64) + 0.5) / stride - 0.5


def side_by_side(cells: NDArray, camera: NDArray, maps: Maps) -> NDArray[np.float32]:
    """Map cells of each camera's own feature map to places in all of them, side by side.

    Args:
        cells: (..., 2) ``(column, row)``; what lies beyond the outermost centres is brought back to
            them, as nothing is known out there.
        camera: (...) place in the rig.
        maps: ``(cameras, rows, columns)``.

    Returns:
        (..., 2) float32 ``(x, y)`` for GridSample with ``align_corners`` false: -1 and 1 are the
        outer edges of the outermost cells, half a cell beyond their centres.
    """
    count, rows, columns = maps
    sides = np.array((count * columns, rows), np.float64)
    inset = sides * ROUNDING
    inside = np.clip(cells, inset, (columns - 1, rows - 1) - inset)
    inside[..., 0] += np.multiply(camera, columns, dtype=np.float64)
    return ((2 * inside + 1) / sides - 1).astype(np.float32)


def sample(features: NDArray, table: ViewTable) -> NDArray[np.float32]:
    """Look all voxels up: what every engine is compared with.

    Args:
        features: (S, C, h, w) of the cameras, in the rig's order.
        table: Where to look.

    Returns:
        (C, V) float32: bilinear, the views' mean; 0 where there is none.

    Raises:
        ValueError: The table is for other feature maps.
    """
    if features.ndim != 4 or (len(features), *features.shape[2:]) != table.maps:
        raise ValueError(
            f"features of the shape {features.shape}, the table is for (cameras, channels, rows, "
            f"columns) = {(table.maps[0], 'any', *table.maps[1:])}"
        )
    count, rows, columns = table.maps
    channels, width = features.shape[1], count * columns
    beside = features.transpose(1, 2, 0, 3).reshape(channels, rows, width)
    found = np.zeros((channels, table.place.shape[1]))
    for place, weight in zip(table.place.astype(np.float64), table.weight, strict=True):
        cells = ((place + 1) * (width, rows) - 1) / 2
        left, top = np.floor(cells).astype(np.intp).T
        right, lower = (cells - np.floor(cells)).T
        for row, below in ((top, 1 - lower), (top + 1, lower)):
            for column, aside in ((left, 1 - right), (left + 1, right)):
                inside = (column >= 0) & (column < width) & (row >= 0) & (row < rows)
                inside &= weight > 0  # no view adds nothing, not even what is no number
                share = (below * aside * weight)[inside]
                found[:, inside] += beside[:, row[inside], column[inside]] * share
    return found.astype(np.float32)


def sight_key(rig: Rig, grid: BevGrid, input_size: Size) -> bytes:
    """Return what two rigs have alike of which one ``Sight`` does: cheap, against computing it.

    Of the names of the cameras and their order, lenses, poses, masks of the own vehicle, crops and
    resizes, of the grid, and of the size of the network input.
    """
    found = hashlib.sha256(repr((grid, tuple(input_size))).encode())
    for camera in rig.cameras:
        lens, pose = camera.view.camera, camera.view.extrinsics
        values = (lens.matrix, lens.distortion, lens.rectification, pose.rotation, pose.position)
        said = (lens.fisheye, lens.binning, lens.origin_px, _transform(camera, input_size))
        sizes = [np.shape(value) for value in values]
        found.update(repr((camera.name, said, sizes, camera.own is None)).encode())
        for value in values:
            found.update(np.asarray(value, np.float64).tobytes())
        if camera.own is not None:
            found.update(camera.own.tobytes())
    return found.digest()


def _transform(camera: RigCamera, input_size: Size) -> ImageTransform:
    """Return how a camera's pictures are brought to the input; the error of a crop names it."""
    try:
        return camera.transform(input_size)
    except ImageError as error:
        raise ImageError(f"camera {camera.name}: {error}") from error
