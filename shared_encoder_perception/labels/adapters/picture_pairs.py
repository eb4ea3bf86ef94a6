# SPDX-License-Identifier: Apache-2.0
"""Published sets of backgrounds with something pasted on them: EVA4's session 15, MODEST Museum.

Their masks are JPEGs: what is neither black nor white is not known. Their depth maps are a
teacher's pictures of depth, of which nobody says what is near: they are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.listing import IMAGE_SUFFIXES, beside, pictures_in
from shared_encoder_perception.images.picture_bytes import PictureError
from shared_encoder_perception.images.picture_file import read_picture, read_values
from shared_encoder_perception.labels.frame import LabelledFrame
from shared_encoder_perception.labels.label_io import (
    UnusablePictureError,
    image_size,
    or_fault,
    text_lines,
)
from shared_encoder_perception.labels.said import Plane, Said
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.label_files import LabelError, named_file
from shared_encoder_perception.tasks.masks.values import NO, NOT_KNOWN, YES

EVA4: Final = re.compile(r"\(?(\d+)\)?_bg_\(?(\d+)\)?_fg(Flip)?")
"""Names of EVA4's composites: number of the background, number of the composite on it."""
KINDS: Final = ("mask", "depth")
"""Words in the names of EVA4's other folders."""
FILE_MAP: Final = "file_map.txt"
"""MODEST: a line for each composite, the names without suffix in the folders of its columns."""
COLUMNS: Final = ("bg", "bg_fg", "bg_fg_mask", "bg_fg_depth_map")
COLOUR: Final = 24
"""By how much channels of a grey JPEG may differ."""
COLOURED: Final = "the depth map has colours: a picture of depth, and no depth; left out"
GREY: Final = (
    "the depth map is a teacher's, in grey: nobody says whether bright is near; left out "
    "(relative_depth reads maps of 16 bits in which it is)"
)
LICENCE: Final = "unclear"


class Files(NamedTuple):
    """The files of one composite; what is missing is where it was expected.

    Attributes:
        picture: The composite.
        background: The place without what was pasted.
        mask: Of what was pasted.
        depth: ``None`` where there is none.
        where: What names them, for messages.
    """

    picture: Path
    background: Path
    mask: Path
    depth: Path | None
    where: str


def read(path: Path, layout: str) -> Iterator[LabelledFrame | UnusablePictureError]:
    """Read every composite of a set.

    Args:
        path: The set's folder.
        layout: ``eva4`` or ``modest``.

    Yields:
        Each frame, or what is wrong with its picture.

    Raises:
        LabelError: A composite without its mask, a faulty line of the file map, or no composite.
    """
    found = _modest(path) if layout == "modest" else _eva4(path)
    count = 0
    for files in found:
        count += 1
        yield or_fault(_frame, path, files, layout)
    if not count:
        expected = f"{FILE_MAP} with lines" if layout == "modest" else "N_bg_M_fg.jpg in folders"
        raise LabelError(path, None, f"no composites: expected {expected}")


def _frame(root: Path, files: Files, layout: str) -> LabelledFrame:
    """Describe one composite; mask and background are read on demand."""
    size = image_size(files.picture)
    image_size(files.background)
    if not files.mask.is_file():
        raise LabelError(files.picture, None, f"its mask is missing: {files.mask}")
    said = Said(
        size,
        new=partial(read_mask, files.mask, size),
        background=partial(read_background, files.background, size),
    )
    return said.frame(
        name=files.picture.relative_to(root).as_posix(),
        image_path=files.picture,
        source=layout,
        licence=LICENCE,
        notes=() if files.depth is None else _why_no_depth(files.depth),
        where=files.where,
    )


def read_mask(path: Path, size: Size) -> Plane:
    """Read what was pasted: white is it, black is not, all between is not known.

    What a JPEG leaves around an edge is neither, and values around the half are nobody's.

    Raises:
        LabelError: Unreadable, in colours, of another type or size.
    """
    try:
        values = read_values(path)
    except PictureError as error:
        raise LabelError(path, None, f"cannot read the mask: it {error}") from None
    if values.ndim == 3 and not _has_colours(values):
        values = values[:, :, 0]
    if values.dtype != np.uint8 or values.shape != tuple(size):
        raise LabelError(
            path,
            None,
            f"the mask is {values.dtype} {values.shape}, expected uint8 {tuple(size)} in grey",
        )
    plane = np.full(size, NOT_KNOWN, np.uint8)
    plane[values == 255] = YES
    plane[values == 0] = NO
    return plane


def read_background(path: Path, size: Size) -> NDArray[np.uint8]:
    """Read the place without what was pasted.

    Raises:
        LabelError: Unreadable, or of another size than the composite.
    """
    picture = _picture(path)
    if picture.shape[:2] != tuple(size):
        (height, width), (rows, columns) = picture.shape[:2], size
        reason = f"the background is {width}x{height}, its composite {columns}x{rows}"
        raise LabelError(path, None, reason)
    return picture


@lru_cache(maxsize=4)
def _picture(path: Path) -> NDArray[np.uint8]:
    """Read a background once for the composites on it, which follow one another."""
    try:
        picture = read_picture(path)
    except PictureError as error:
        raise LabelError(path, None, f"cannot read the background: it {error}") from None
    picture.flags.writeable = False
    return picture


def _has_colours(values: NDArray) -> bool:
    """Whether channels of a picture (H, W, C) differ by more than a JPEG makes them."""
    shown = values[:, :, :3].astype(np.int32)
    return bool((shown.max(2) - shown.min(2)).max() > COLOUR)


def _why_no_depth(path: Path) -> tuple[str, ...]:
    """Say why a depth map is left out."""
    try:
        values = read_values(path)
    except PictureError:
        return ("the depth map cannot be read: left out",)
    return (COLOURED if values.ndim == 3 and _has_colours(values) else GREY,)


# ---- which files belong together ----------------------------------------------------------------


def _modest(root: Path) -> Iterator[Files]:
    """Follow the file map.

    Raises:
        LabelError: There is none, or a line that makes no sense.
    """
    path = root / FILE_MAP
    if not path.is_file():
        raise LabelError(path, None, "there is no such file, which says what belongs together")
    for number, line in text_lines(path):
        if not line.strip():
            continue
        names = line.split("\t")
        if len(names) not in (len(COLUMNS), len(COLUMNS) - 1):
            reason = f"{len(names)} names, expected those in {', '.join(COLUMNS)} with tabs between"
            raise LabelError(path, number, reason)
        found = [
            named_file(root, f"{folder}/{name.strip()}", folder, path, number)
            for folder, name in zip(COLUMNS, names, strict=False)
        ]
        background, picture, mask = (_with_suffix(one) for one in found[:3])
        depth = next(beside(found[3]), None) if len(found) == len(COLUMNS) else None
        yield Files(picture, background, mask, depth, f"{path}, line {number}")


def _with_suffix(path: Path) -> Path:
    """Return a picture that is named without its suffix; as it may be called if it is missing."""
    return next(beside(path), path.with_name(f"{path.name}.jpeg"))


def _eva4(root: Path) -> Iterator[Files]:
    """Find what belongs together by names."""
    for picture in pictures_in(root, below=True):
        match, folder = EVA4.fullmatch(picture.stem), picture.relative_to(root).parent.name.lower()
        if match and not any(kind in folder for kind in KINDS):
            mask = _first(picture, _folders(root, picture, "mask"), ("_mask", ""))
            depth = _first(picture, _folders(root, picture, "depth"), ("", "_depth"))
            yield Files(
                picture,
                _background(root, picture, f"{match[1]}_bg"),
                mask or picture.with_name(f"{picture.stem}_mask{picture.suffix}"),
                depth,
                str(picture),
            )


def _folders(root: Path, picture: Path, kind: str) -> tuple[Path, ...]:
    """Return where the mask or depth map of a composite may be, the nearest first.

    ``bg_fg_1`` has its masks in ``bg_fg_mask_1``, beside it or in it: not in those of
    ``bg_fgFlip_1``. What lies beside the set is none of it.
    """
    folder = picture.parent
    flips = _flips(folder.name)
    either = flips or _flips(picture.stem)
    others = [
        one
        for above in ((folder,) if folder == root else (folder, folder.parent))
        for one in _named(above, kind)
        if _flips(one.name) in (flips, either)
    ]
    own = re.sub(r"(fg(?:Flip)?)", rf"\1_{kind}", folder.name, count=1)
    return (folder, *sorted(others, key=lambda one: one.name != own))


@lru_cache(maxsize=64)
def _named(folder: Path, kind: str) -> tuple[Path, ...]:
    """Return the folders in a folder that have a word in their names, sorted."""
    found = (one for one in folder.iterdir() if kind in one.name.lower() and one.is_dir())
    return tuple(sorted(found))


def _flips(name: str) -> bool:
    """Whether a name is of what is mirrored."""
    return "flip" in name.lower()


def _first(picture: Path, folders: tuple[Path, ...], ends: tuple[str, ...]) -> Path | None:
    """Return the first picture of a composite's name with an ending, in one of some folders."""
    names = [folder / f"{picture.stem}{end}" for folder in folders for end in ends]
    found = (one for name in names for one in beside(name, (picture.suffix, *IMAGE_SUFFIXES)))
    return next((one for one in found if one != picture), None)


def _background(root: Path, picture: Path, name: str) -> Path:
    """Return the background of a composite: beside it, or in a folder ``bg`` on the way to it."""
    above = [one for one in picture.parents if one == root or root in one.parents]
    places = [picture.parent / name, *(folder / "bg" / name for folder in above)]
    found = (one for place in places for one in beside(place))
    return next(found, root / "bg" / f"{name}.jpg")
