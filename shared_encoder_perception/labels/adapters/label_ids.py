# SPDX-License-Identifier: Apache-2.0
"""Pictures with a map of class ids or colours: CamVid, Cityscapes, IDD lite, KITTI."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared_encoder_perception.ground.kitti import ROAD, read_matrices, road_homography
from shared_encoder_perception.images.exif import upright
from shared_encoder_perception.images.listing import files_matching, pictures_in
from shared_encoder_perception.images.picture_bytes import PictureError
from shared_encoder_perception.images.picture_file import picture_header, read_values
from shared_encoder_perception.labels.adapters.layouts import LAYOUTS, Layout
from shared_encoder_perception.labels.frame import LabelledFrame
from shared_encoder_perception.labels.label_io import UnusablePictureError, image_size, or_fault
from shared_encoder_perception.labels.said import Plane, Said
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.label_files import LabelError, read_plane
from shared_encoder_perception.tasks.masks.values import NO, NOT_KNOWN, YES

WITHOUT_MAPS: Final = "test"
STRANGE: Final = "the map has colours that the data set does not have: ignored"
MOST_STRANGE: Final = 0.1
"""Of a map's pixels; with more of them it is no map of this data set."""
SINGLE: Final = 1000
"""Values of Cityscapes' instances from which on they tell objects apart; below they are classes."""


def read(
    path: Path, layout: str, classes: str = ""
) -> Iterator[LabelledFrame | UnusablePictureError]:
    """Read every picture of a data set that has a map.

    Args:
        path: The data set's folder.
        layout: A key of ``LAYOUTS``.
        classes: The table that its classes are to become, or the path of a mapping.

    Yields:
        Each frame, or what is wrong with its picture.

    Raises:
        ValueError: An unknown layout.
        LabelError: A picture without its map (but for a split ``test``, which several data sets
            publish without any), or no picture at all.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"unknown layout {layout!r}: use one of {list(LAYOUTS)}")
    chosen, count = LAYOUTS[layout], 0
    for folder, map_folders in _folders(path, chosen).items():
        pictures = pictures_in(folder)
        found = next((maps for maps in map_folders if maps.is_dir()), None)
        if found is None and (not pictures or WITHOUT_MAPS in folder.relative_to(path).parts):
            continue
        if found is None:
            expected = " or ".join(map(str, map_folders))
            raise LabelError(folder, None, f"the maps of these pictures are missing: {expected}")
        for picture in pictures:
            count += 1
            label = _map_of(picture, found, chosen)
            yield or_fault(_frame, path, picture, label, chosen, classes)
    if not count:
        places = ", ".join(f"{pictures} with {maps}" for pictures, maps in chosen.places)
        raise LabelError(path, None, f"no pictures with maps: expected {places}")


def _folders(path: Path, layout: Layout) -> dict[Path, list[Path]]:
    """Folders of pictures that exist, and where the maps of each may be."""
    folders: dict[Path, list[Path]] = {}
    for pictures, maps in layout.places:
        for folder in files_matching(path, pictures):
            # The parts matched by * are the same on both sides: split and city.
            matched = folder.relative_to(path).parts[1:] if "*" in maps else ()
            map_folder = path.joinpath(Path(maps).parts[0], *matched) if matched else path / maps
            if folder.is_dir():
                folders.setdefault(folder, []).append(map_folder)
    return folders


def _map_of(picture: Path, folder: Path, layout: Layout) -> Path:
    """Find a picture's map."""
    names = []
    for old, new in layout.renames:
        if old and old not in picture.stem:
            continue
        stem = picture.stem.replace(old, new, 1) if old else picture.stem + new
        names.append(f"{stem}.png")
    found = next((folder / name for name in names if (folder / name).exists()), None)
    if found is None:
        raise LabelError(picture, None, f"its map is missing: {' or '.join(names)} in {folder}")
    return found


def _frame(root: Path, picture: Path, label: Path, layout: Layout, classes: str) -> LabelledFrame:
    """Describe one picture; its map is read on demand."""
    size = image_size(picture)
    return Said(
        size,
        drivable=partial(read_map, label, size, layout),
        class_map=partial(read_classes, label, size, layout) if any(layout.tables) else None,
        class_tables=layout.tables,
        classes_as=classes,
        instances=_instances_of(label, size, layout),
        homography=_homography_of(root, picture, layout),
    ).frame(
        name=picture.relative_to(root).as_posix(),
        image_path=picture,
        source=layout.source,
        licence=layout.licence,
        notes=_notes(label, layout),
        where=str(label),
    )


def _instances_of(
    label: Path, size: Size, layout: Layout
) -> Callable[[], NDArray[np.uint16]] | None:
    """Return what reads the instances beside a map, where the set has them."""
    path = label.with_name(label.name.replace(*layout.instances)) if any(layout.instances) else None
    return partial(read_instances, path, size) if path is not None and path.is_file() else None


def _homography_of(
    root: Path, picture: Path, layout: Layout
) -> Callable[[], NDArray[np.float64]] | None:
    """Return what reads where the road lies in a picture, where the set says so."""
    path = root / layout.calibration / f"{picture.stem}.txt"
    return partial(read_homography, path) if layout.calibration and path.is_file() else None


def read_homography(path: Path) -> NDArray[np.float64]:
    """Read where the road lies from KITTI's calibration of a picture.

    Raises:
        LabelError: It lacks a matrix, or has a damaged one.
    """
    try:
        return road_homography(read_matrices(path, ROAD))
    except ValueError as error:
        raise LabelError(path, None, str(error).removeprefix(f"{path}: ")) from None


def read_instances(path: Path, size: Size) -> NDArray[np.uint16]:
    """Return Cityscapes' instances: class x 1000 + number where there is a single object, else 0.

    Raises:
        LabelError: Unreadable, or of another type or size.
    """
    pixels = read_plane(path, size, "map of instances", np.uint16)
    return np.where(pixels >= SINGLE, pixels, np.uint16(0))


def read_map(path: Path, size: Size, layout: Layout) -> Plane:
    """Turn a map into a plane: drivable, not drivable, not labelled.

    Raises:
        LabelError: Unreadable, of another size or type, or of a form that the layout does not have.
    """
    pixels = _checked_pixels(path, size, layout)
    if pixels.ndim == 2:
        plane = np.full(size, NO, np.uint8)
        plane[np.isin(pixels, layout.ids[0])] = YES
        plane[np.isin(pixels, layout.ids[1])] = NOT_KNOWN
        return plane
    if not layout.colours[0]:
        raise LabelError(path, None, f"the map has colours, {layout.source} has one channel of ids")
    plane, strange = _by_colour(pixels, layout)
    if strange.mean() > MOST_STRANGE:
        example = pixels[strange][0, 2::-1].tolist()
        reason = f"{strange.mean():.0%} of the map has colours that {layout.source} does not have"
        raise LabelError(path, None, f"{reason}, such as {example}")
    return plane


def read_classes(path: Path, size: Size, layout: Layout) -> Plane:
    """Return a map as it is: ids, those that mean nothing as 255, or BGR colours.

    Raises:
        LabelError: As ``read_map``.
    """
    pixels = _checked_pixels(path, size, layout)
    if pixels.ndim == 2:
        return np.where(pixels < layout.classes, pixels, np.uint8(255))
    return np.ascontiguousarray(pixels[:, :, :3])


def _checked_pixels(path: Path, size: Size, layout: Layout) -> NDArray:
    """Read a map that is of the picture's size and, if it has ids, of the layout's.

    Raises:
        LabelError: It is not, or unreadable.
    """
    pixels = _map_pixels(path, layout)
    if pixels.shape[:2] != tuple(size):
        raise LabelError(path, None, f"the map is {pixels.shape[:2]}, the picture {tuple(size)}")
    if pixels.dtype != np.uint8:
        raise LabelError(path, None, f"the map is {pixels.dtype}, expected uint8")
    if pixels.ndim == 2:
        if not layout.ids[0]:
            raise LabelError(path, None, f"the map has one channel, {layout.source} has colours")
        unknown = [i for i in np.unique(pixels) if i >= layout.classes and i not in layout.ids[1]]
        if unknown:
            reason = f"class ids {list(map(int, unknown))}: {layout.source} has {layout.classes}"
            raise LabelError(path, None, reason)
    return pixels


def _by_colour(pixels: NDArray, layout: Layout) -> tuple[Plane, NDArray[np.bool_]]:
    """Turn (H, W, 3 or 4) BGR colours into a plane; say where they are none of the layout's."""
    blue, green, red = (pixels[:, :, channel].astype(np.int32) for channel in range(3))
    codes = (red << 16) + (green << 8) + blue
    plane, strange = np.full(codes.shape, NOT_KNOWN, np.uint8), np.ones(codes.shape, np.bool_)
    values = (YES, NOT_KNOWN, NO)
    for colours, value in zip((*layout.colours, layout.others), values, strict=True):
        known = np.isin(codes, [(r << 16) + (g << 8) + b for r, g, b in colours])
        plane[known] = value
        strange &= ~known
    return plane, strange


def _notes(path: Path, layout: Layout) -> tuple[str, ...]:
    """Say whether a map has colours that the data set does not have; its faults come later."""
    if not layout.colours[0]:
        return ()
    try:
        pixels = _map_pixels(path, layout)
    except LabelError:
        return ()
    if pixels.ndim != 3 or pixels.dtype != np.uint8:
        return ()
    return (STRANGE,) if _by_colour(pixels, layout)[1].any() else ()


def _map_pixels(path: Path, layout: Layout) -> NDArray:
    """Read a map: (H, W) ids or (H, W, 3) BGR colours.

    A palette only lends ids a colour to look at, unless it has the layout's road elsewhere than at
    the layout's id of it: then the ids are others, and the colours tell.
    """
    try:
        orientation = picture_header(path).orientation
        with Image.open(path) as picture:
            if picture.mode == "P" and layout.ids[0]:
                values = picture.getpalette() or []
                palette = zip(values[::3], values[1::3], values[2::3], strict=True)
                road = {i for i, colour in enumerate(palette) if colour in layout.colours[0]}
                if not road or road & set(layout.ids[0]):
                    return upright(np.array(picture), orientation)
        return read_values(path)
    except PictureError as error:
        raise LabelError(path, None, f"cannot read the map: it {error}") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise LabelError(path, None, "cannot read the map: it is damaged") from None
