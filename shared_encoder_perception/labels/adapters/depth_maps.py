# SPDX-License-Identifier: Apache-2.0
"""Pictures with a depth map each, as public sets lay them out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.listing import files_matching, has_image_suffix
from shared_encoder_perception.images.picture_bytes import PictureError
from shared_encoder_perception.images.picture_file import read_values
from shared_encoder_perception.labels.frame import LabelledFrame
from shared_encoder_perception.labels.label_io import UnusablePictureError, image_size, or_fault
from shared_encoder_perception.labels.said import Said
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.label_files import LabelError

Metres = NDArray[np.float32]


@dataclass(frozen=True)
class Layout:
    """How one data set keeps pictures and depth.

    Attributes:
        source: Name of the data set in our records.
        pictures: Patterns of the pictures' paths below the set's folder.
        renames: What changes, in this order, from a picture's path to its depth map's.
        steps: Of a map of one channel of 16 bits, in a metre; 0 for CARLA's three channels.
        far: Values from which on a pixel is beyond all range; 0 is unknown in every map.
        focal_px: Of all its pictures; NaN where each has its own, or nobody says.
        focal_width: Width of the pictures that this is for.
        inverse: Whether values are inverse depth, but for a scale and a shift: larger is nearer.
        intrinsics: What changes from a picture's path to that of its nine numbers of ``K``.
        licence: In a few words.
    """

    source: str
    pictures: tuple[str, ...]
    renames: tuple[tuple[str, str], ...]
    steps: float
    far: float = math.inf
    focal_px: float = math.nan
    focal_width: int = 0
    inverse: bool = False
    intrinsics: tuple[tuple[str, str], ...] = ()
    licence: str = ""


CARLA_FAR_M: Final = 1000.0
"""What the largest of CARLA's values stands for, along the optical axis: all that is beyond."""
CARLA_LARGEST: Final = 256**3 - 1
LAYOUTS: Final = MappingProxyType(
    {
        "kitti_depth": Layout(
            "kitti_depth",
            ("image/*.png", "*/image/*.png"),
            (("/image/", "/groundtruth_depth/"), ("_image_0000", "_groundtruth_depth_0000")),
            256.0,
            intrinsics=(("/image/", "/intrinsics/"), (".png", ".txt")),
            licence="CC BY-NC-SA 3.0",
        ),
        "nyu_depth": Layout(
            "nyu_depth",
            ("*_colors.png", "*/*_colors.png", "*/*/*_colors.png"),
            (("_colors.png", "_depth.png"),),
            1000.0,
            focal_px=518.86,
            focal_width=640,
            licence="unclear",
        ),
        "vkitti_depth": Layout(
            "vkitti_depth",
            ("Scene*/*/frames/rgb/Camera_*/rgb_*.jpg",),
            (("/frames/rgb/", "/frames/depth/"), ("/rgb_", "/depth_"), (".jpg", ".png")),
            100.0,
            far=65535,
            focal_px=725.0087,
            focal_width=1242,
            licence="CC BY-NC-SA 3.0",
        ),
        "carla_depth": Layout(
            "carla_depth",
            ("rgb/*.png", "rgb/*.jpg", "*/rgb/*.png", "*/rgb/*.jpg"),
            (("/rgb/", "/depth/"), (".jpg", ".png")),
            0.0,
            licence="as the recording",
        ),
        "relative_depth": Layout(
            "relative_depth",
            ("images/*", "images/*/*"),
            (("/images/", "/depth/"),),
            65535.0,
            inverse=True,
        ),
    }
)
"""Name -> layout. KITTI: the selection for validation of the depth completion benchmark. NYU: pairs
``*_colors.png`` and ``*_depth.png`` in millimetres; focal length of the calibration that comes with
NYU Depth V2. Virtual KITTI 2: centimetres. CARLA: ``rgb/`` and ``depth/`` of one camera, as its
sensors write them. Relative depth: what MiDaS, Depth Anything and the like say of ``images/``, as
PNGs of 16 bits of the same names in ``depth/``, larger values nearer."""


def read(
    path: Path, layout: str, focal_px: float | None = None
) -> Iterator[LabelledFrame | UnusablePictureError]:
    """Read every picture of a set that has a depth map.

    Args:
        path: The set's folder.
        layout: A key of ``LAYOUTS``.
        focal_px: Of the camera, in pixels of the pictures, where the set does not say.

    Yields:
        Each frame, or what is wrong with its picture.

    Raises:
        LabelError: A picture without its map or focal length, or no picture at all.
    """
    chosen, count = LAYOUTS[layout], 0
    found = {file for pattern in chosen.pictures for file in files_matching(path, pattern)}
    for picture in sorted(file for file in found if has_image_suffix(file)):
        count += 1
        yield or_fault(_frame, path, picture, chosen, focal_px)
    if not count:
        raise LabelError(path, None, f"no pictures: expected {' or '.join(chosen.pictures)}")


def _frame(root: Path, picture: Path, layout: Layout, focal_px: float | None) -> LabelledFrame:
    """Describe one picture; its depth is read on demand."""
    size = image_size(picture)
    depth = _renamed(root, picture, layout.renames)
    if layout.inverse:  # pictures may be of any kind
        depth = depth.with_suffix(".png")
    if not depth.is_file():
        raise LabelError(picture, None, f"its depth map is missing: {depth}")
    focal = math.nan if layout.inverse else focal_px or _focal_of(root, picture, layout, size)
    said = Said(
        size,
        depth=partial(read_map, depth, size, layout),
        focal_px=focal,
        depth_is_relative=layout.inverse,
    )
    return said.frame(
        name=picture.relative_to(root).as_posix(),
        image_path=picture,
        source=layout.source,
        licence=layout.licence,
        where=str(depth),
    )


def _renamed(root: Path, picture: Path, renames: tuple[tuple[str, str], ...]) -> Path:
    """Return the path of what belongs to a picture."""
    name = f"/{picture.relative_to(root).as_posix()}"
    for old, new in renames:
        name = name.replace(old, new, 1)
    return root / name[1:]


def _focal_of(root: Path, picture: Path, layout: Layout, size: Size) -> float:
    """Return the vertical focal length of a picture.

    Raises:
        LabelError: The set does not say it.
    """
    if layout.focal_width:
        return layout.focal_px * size[1] / layout.focal_width
    if not layout.intrinsics:
        reason = "the set does not say the camera's focal length: give --focal-px"
        raise LabelError(picture, None, reason)
    path = _renamed(root, picture, layout.intrinsics)
    try:
        numbers = [float(word) for word in path.read_text(encoding="utf-8").split()]
    except (OSError, ValueError) as error:
        raise LabelError(path, None, f"no intrinsics, give --focal-px: {error}") from None
    if len(numbers) != 9 or not numbers[4] > 0:
        reason = f"has {len(numbers)} numbers, expected the nine of K with a focal length above 0"
        raise LabelError(path, None, reason)
    return numbers[4]


def read_map(path: Path, size: Size, layout: Layout) -> Metres:
    """Read a depth map of a layout.

    Returns:
        (H, W) float32 metres along the optical axis, NaN unknown, +Inf beyond all range.

    Raises:
        LabelError: Unreadable, or of another kind or size.
    """
    try:
        values = read_values(path)
    except PictureError as error:
        raise LabelError(path, None, f"cannot read the depth map: it {error}") from None
    kind, shape = (np.uint16, tuple(size)) if layout.steps else (np.uint8, (*size, 3))
    given = values[..., :3] if not layout.steps and values.ndim == 3 else values
    if given.dtype != kind or given.shape != shape:
        raise LabelError(
            path,
            None,
            f"the depth map is {values.dtype} {values.shape}, expected {np.dtype(kind)} {shape}",
        )
    if not layout.steps:
        return carla_depth(given)
    depth = values.astype(np.float32) / np.float32(layout.steps)
    if layout.inverse:
        depth = 1 / np.where(values == 0, np.float32(np.nan), depth)
    depth[values == 0] = np.nan
    depth[values >= layout.far] = np.inf
    return depth


def carla_depth(bgr: NDArray[np.uint8]) -> Metres:
    """Return metres of CARLA's depth picture: red counts 1, green 256, blue 65536."""
    blue, green, red = (bgr[..., channel].astype(np.float64) for channel in range(3))
    share = (red + 256.0 * green + 65536.0 * blue) / CARLA_LARGEST
    depth = (share * CARLA_FAR_M).astype(np.float32)
    depth[share >= 1] = np.inf
    depth[share <= 0] = np.nan
    return depth
