# SPDX-License-Identifier: Apache-2.0
"""What a label of foreground is: a mask, and the picture of the empty place it is to be seen by.

In a native set both are files beside the line. A line may name a ``background`` alone: then nothing
is known of the mask, but a network can be asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.drawing.pictures import as_png
from shared_encoder_perception.files.data_paths import write_new
from shared_encoder_perception.images.picture_bytes import PictureError
from shared_encoder_perception.images.picture_file import read_picture
from shared_encoder_perception.images.planes import plane_inside, plane_to_input, warp_plane
from shared_encoder_perception.images.preprocess import Crop, ImageTransform
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.foreground.spec import INPUT_BACKGROUND
from shared_encoder_perception.tasks.label_files import LabelError, path_faults, write_plane
from shared_encoder_perception.tasks.masks.label_planes import check_plane, read_mask, weight_of
from shared_encoder_perception.tasks.masks.values import NO, NOT_KNOWN, YES

FOREGROUND: Final = "foreground"
BACKGROUND: Final = INPUT_BACKGROUND
KEYS: Final = (FOREGROUND, BACKGROUND)
FOLDERS: Final = {FOREGROUND: "foregrounds", BACKGROUND: "backgrounds"}
"""Key -> folder of its files."""
IN_FILES: Final = True
OF_WORLD: Final = ("classes", "empty")
NEW_OWNERS: Final = (2, 3)
"""Vehicles and persons, of ``world.classes.OWNERS``."""


@dataclass(frozen=True, eq=False)
class Label:
    """What is new in one image.

    Attributes:
        mask: (H, W) uint8 of 255 foreground, 0 not, 127 not known. Shadows and mirror images of
            what is new are not foreground.
        background: (H, W, 3) uint8 BGR, the same camera's picture of the empty place.
    """

    mask: NDArray[np.uint8]
    background: NDArray[np.uint8]

    def check(self, image_size: Size) -> None:
        """Refuse a label that does not fit its image.

        Raises:
            ValueError: Mask or background are not uint8, or not of the image's size.
        """
        check_plane(FOREGROUND, self.mask, image_size)
        found = self.background
        if found.dtype != np.uint8 or found.shape != (*image_size, 3):
            raise ValueError(
                f"{BACKGROUND} is {found.dtype} {found.shape}, expected uint8 {(*image_size, 3)}: "
                "two pictures of one camera have the same size"
            )

    def weight(self) -> NDArray[np.uint8]:
        """Return (H, W) uint8, how much each pixel counts: 255 in full, 0 where not known."""
        return weight_of(self.mask)


def faults(record: Mapping[str, Any], size: Size) -> Iterator[str]:
    """Say what is wrong with the keys of a line, the files not looked at."""
    for key in KEYS:
        if record.get(key) is not None:
            yield from path_faults(record, key)
    if record.get(FOREGROUND) and not record.get(BACKGROUND):
        yield f"{BACKGROUND} is missing, expected the picture that {FOREGROUND} is new against"


def read(record: Mapping[str, Any], folder: Path, size: Size) -> Callable[[], Label] | None:
    """Return what reads the label of a line; ``None`` where there is none."""
    if not record.get(BACKGROUND):
        return None
    background = folder / record[BACKGROUND]
    if not record.get(FOREGROUND):
        return BackgroundAlone(background, size)
    return partial(_read, folder / record[FOREGROUND], background, size)


@dataclass(frozen=True)
class BackgroundAlone:
    """Reads the label of a line that names no mask.

    Attributes:
        background: The picture.
        size: Of the image.
    """

    nothing_known: ClassVar[bool] = True
    background: Path
    size: Size

    def __call__(self) -> Label:
        """Read the background; nothing is known of the mask.

        Raises:
            LabelError: It is unreadable, or of another size.
        """
        return _read(None, self.background, self.size)


def _read(mask: Path | None, background: Path, size: Size) -> Label:
    """Read both pictures, and check them; without a mask nothing is known of it.

    Raises:
        LabelError: Unreadable, of another size, or a mask with other values than 255, 0 and 127.
    """
    written_ns = background.stat().st_mtime_ns if background.is_file() else 0
    new = read_mask(mask, size, FOREGROUND) if mask else np.full(size, NOT_KNOWN, np.uint8)
    label = Label(new, _picture(background, written_ns))
    try:
        label.check(size)
    except ValueError as error:
        raise LabelError(background, None, str(error)) from None
    return label


@lru_cache(maxsize=4)
def _picture(path: Path, _written_ns: int) -> NDArray[np.uint8]:
    """Read a background once for all the pictures of a fixed camera, unless it was written again.

    Raises:
        LabelError: It cannot be read.
    """
    try:
        picture = read_picture(path)
    except PictureError as error:
        raise LabelError(path, None, f"cannot read the {BACKGROUND}: it {error}") from None
    picture.flags.writeable = False
    return picture


def write(label: Label, folder: Path, picture: Path) -> dict[str, Any]:
    """Write mask, if anything is known of it, and background as PNG; return the line's keys."""
    keys = {}
    if known(label):
        path = Path(FOLDERS[FOREGROUND]) / picture.with_suffix(".png")
        write_plane(folder, path, label.mask)
        keys[FOREGROUND] = path.as_posix()
    content = as_png(label.background)
    # Named by what it holds: pictures of one fixed camera share it.
    before = Path(FOLDERS[BACKGROUND]) / f"{sha256(content).hexdigest()[:16]}.png"
    if not (folder / before).is_file():
        write_new(folder, before, content)
    return {**keys, BACKGROUND: before.as_posix()}


def known(label: Label) -> bool:
    """Whether the mask says anything; a background alone does not."""
    return bool((label.mask != NOT_KNOWN).any())


def complete(record: Mapping[str, Any]) -> bool:
    """Whether a line has a mask."""
    return bool(record.get(FOREGROUND))


def of_world(rendered: Any) -> Label | None:
    """Return what is new in a world: traffic, not its shadows; ``None`` where it was not painted.

    Rails, cones and trees stand in the picture of the empty place, too.
    """
    if rendered.owners is None or rendered.empty is None:
        return None
    new = np.isin(rendered.owners, NEW_OWNERS)
    return Label(np.where(new, np.uint8(YES), np.uint8(NO)), rendered.empty)


def of_set(said: Any) -> tuple[Callable[[], Label] | None, Sequence[str]]:
    """Return what makes the label that a public set of pairs holds."""
    return (None if said.new is None else partial(_of_said, said)), ()


def _of_said(said: Any) -> Label:
    """Make a label of what a set says, whose values mean the same."""
    return Label(said.new(), said.background())


def merge(first: Label, second: Label) -> tuple[Label, Sequence[tuple[str, Any]]]:
    """Keep the first, or the second's mask if it is the only one; what differs is a conflict."""
    if not np.array_equal(first.background, second.background):
        return first, ((BACKGROUND, None),)
    if not known(second) or np.array_equal(first.mask, second.mask):
        return first, ()
    return (first, ((FOREGROUND, None),)) if known(first) else (second, ())


def view(label: Label, transform: ImageTransform) -> Label:
    """Crop and resize: the mask without mixing values, the background as the image."""
    mask = plane_to_input(label.mask, transform, NOT_KNOWN)
    return Label(mask, transform.image_to_input(label.background))


def mirror(label: Label, width: int) -> Label:
    """Return the label of the mirrored picture."""
    mask, background = (
        np.ascontiguousarray(one[:, ::-1]) for one in (label.mask, label.background)
    )
    return Label(mask, background)


def warp(label: Label, matrix: NDArray[np.float64], size: Size) -> Label:
    """Move mask and background; what comes in from outside is not known, and black."""
    moved = cv2.warpAffine(label.background, np.asarray(matrix, np.float64), size[::-1])
    return Label(warp_plane(label.mask, matrix, size, NOT_KNOWN), np.asarray(moved, np.uint8))


def inside(label: Label, crop: Crop) -> Label:
    """Forget what lies outside of the crop; the background stays."""
    return replace(label, mask=plane_inside(label.mask, crop, NOT_KNOWN))


def shows_new(label: Label) -> NDArray[np.bool_]:
    """Return where the foreground is."""
    return np.asarray(label.mask == YES)


def companions(label: Label) -> dict[str, NDArray[np.uint8]]:
    """Return the background."""
    return {INPUT_BACKGROUND: label.background}


def with_companions(label: Label, pictures: Mapping[str, NDArray[np.uint8]]) -> Label:
    """Return the label with another background."""
    return replace(label, background=pictures[INPUT_BACKGROUND])


def still_true(label: Label, size: Size) -> bool:
    """A mask says the same wherever it is moved."""
    return True
