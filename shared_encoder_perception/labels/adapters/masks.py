# SPDX-License-Identifier: Apache-2.0
"""Pictures with a mask each of where one may drive, drawn by people.

images/drive/0001.jpg
masks/drive/0001.png       255 drivable, 0 not, 127 unknown; or the values that the options name
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.images.listing import beside, pictures_in
from shared_encoder_perception.images.picture_bytes import PictureError
from shared_encoder_perception.images.picture_file import read_values
from shared_encoder_perception.labels.frame import LabelledFrame
from shared_encoder_perception.labels.label_io import UnusablePictureError, image_size, or_fault
from shared_encoder_perception.labels.record_faults import IMAGES
from shared_encoder_perception.labels.said import Plane, Said
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.label_files import LabelError
from shared_encoder_perception.tasks.masks.values import NO, NOT_KNOWN, YES

MASKS: Final = "masks"
SUFFIX: Final = ".png"
STRANGE: Final = 1
"""In a table of values: nobody said what this one means."""
TOLD: Final = 5
"""Values that a message names."""


def read(
    path: Path,
    drivable_ids: Sequence[int] = (YES,),
    not_drivable_ids: Sequence[int] = (NO,),
    unknown_ids: Sequence[int] = (NOT_KNOWN,),
) -> Iterator[LabelledFrame | UnusablePictureError]:
    """Read every picture of such a folder that has a mask.

    Args:
        path: The folder.
        drivable_ids: Values of the masks where one may drive, 0 to 255.
        not_drivable_ids: Values where one may not.
        unknown_ids: Values where people did not say; all others are faults.

    Yields:
        Each frame, or what is wrong with its picture: no mask, or one of a picture that is not
        there.

    Raises:
        ValueError: A value that no byte holds, or that means two things.
        LabelError: No pictures, or no folder of masks.
    """
    table = _table(drivable_ids, not_drivable_ids, unknown_ids)
    folder, masks = path / IMAGES, path / MASKS
    pictures = pictures_in(folder, below=True) if folder.is_dir() else []
    if not pictures:
        raise LabelError(path, None, f"no pictures: expected some in {folder}")
    if not masks.is_dir():
        raise LabelError(path, None, f"no masks: expected one for each picture in {masks}")
    used: dict[Path, Path] = {}
    for picture in pictures:
        expected = masks / picture.relative_to(folder).with_suffix(SUFFIX)
        mask = next(beside(expected.with_suffix(""), (SUFFIX,)), expected)
        if mask in used:
            reason = f"{mask} would be its mask, and is that of {used[mask]}: rename one of them"
            yield UnusablePictureError(picture, None, reason)
            continue
        used[mask] = picture
        yield or_fault(_frame, path, picture, mask, table)
    for mask in pictures_in(masks, below=True):
        if mask not in used:
            yield UnusablePictureError(mask, None, _why_unused(mask))


def _why_unused(mask: Path) -> str:
    """Say why a mask is none of any picture."""
    if mask.suffix.lower() != SUFFIX:
        return f"is no mask: expected {SUFFIX}, which keeps every value as it is"
    return "there is no picture of this mask"


def _table(
    drivable: Sequence[int], not_drivable: Sequence[int], unknown: Sequence[int]
) -> NDArray[np.uint8]:
    """Return what each value of a mask means: (256,) uint8, ``STRANGE`` for those not named."""
    table, owners = np.full(256, STRANGE, np.uint8), dict[int, str]()
    for option, ids, meaning in (
        ("drivable", drivable, YES),
        ("not-drivable", not_drivable, NO),
        ("unknown", unknown, NOT_KNOWN),
    ):
        for one in ids:
            if not 0 <= one <= 255:
                raise ValueError(f"--{option}-ids has {one}, expected values from 0 to 255")
            if (owner := owners.setdefault(one, option)) != option:
                raise ValueError(
                    f"the value {one} of the masks cannot be {owner} and {option}: name others "
                    f"with --{owner}-ids or --{option}-ids"
                )
            table[one] = meaning
    return table


def _frame(root: Path, picture: Path, mask: Path, table: NDArray[np.uint8]) -> LabelledFrame:
    """Describe one picture; its mask is read on demand."""
    size = image_size(picture)
    if not mask.is_file():
        raise UnusablePictureError(picture, None, f"its mask is missing: {mask}")
    return Said(size, drivable=partial(read_mask, mask, size, table)).frame(
        name=picture.relative_to(root / IMAGES).as_posix(),
        image_path=picture,
        source=root.resolve().name,
        where=str(mask),
    )


def read_mask(path: Path, size: Size, table: NDArray[np.uint8]) -> Plane:
    """Read a mask.

    Args:
        path: The mask.
        size: ``(height, width)`` of its picture.
        table: (256,) what each value means, ``STRANGE`` for those that are faults.

    Raises:
        LabelError: Unreadable, in colours, of 16 bits, of another size, or with other values.
    """
    try:
        values = read_values(path)
    except PictureError as error:
        raise LabelError(path, None, f"cannot read the mask: it {error}") from None
    if values.dtype != np.uint8 or values.ndim != 2:
        channels, bits = values.shape[2] if values.ndim == 3 else 1, 8 * values.dtype.itemsize
        raise LabelError(
            path,
            None,
            f"the mask has {channels} channel{'s' * (channels > 1)} of {bits} bits, expected one "
            "of 8 bits, without colours, palette or alpha",
        )
    if values.shape != tuple(size):
        (rows, columns), (height, width) = values.shape, size
        reason = f"the mask is {columns}x{rows}, its picture {width}x{height}: expected one size"
        raise LabelError(path, None, reason)
    plane = table[values]
    if (strange := plane == STRANGE).any():
        found = np.unique(values[strange]).tolist()
        listed = ", ".join(map(str, found[:TOLD])) + (", …" if len(found) > TOLD else "")
        raise LabelError(
            path,
            None,
            f"the mask has the value{'s' * (len(found) > 1)} {listed} in {strange.mean():.2%} of "
            f"its pixels, expected {_described(table)}: say what others mean with --drivable-ids, "
            "--not-drivable-ids, --unknown-ids",
        )
    return np.asarray(plane, np.uint8)


def _described(table: NDArray[np.uint8]) -> str:
    """Say what values mean."""
    meanings = ((YES, "drivable"), (NO, "not"), (NOT_KNOWN, "unknown"))
    ids = {words: np.flatnonzero(table == meaning).tolist() for meaning, words in meanings}
    return ", ".join(f"{' '.join(map(str, known))} {words}" for words, known in ids.items())
