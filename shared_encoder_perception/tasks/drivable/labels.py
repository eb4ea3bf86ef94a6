# SPDX-License-Identifier: Apache-2.0
"""What a label of drivable_surface is: in files, in worlds, in pictures that are cropped or turned.

In a native set it is a PNG beside the line, another one for its confidence, and a homography that
says where the road lies in the picture.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.files.data_paths import write_new
from shared_encoder_perception.ground.homography import KEY, SIZE_KEY, load_homography
from shared_encoder_perception.images.planes import plane_inside, plane_to_input, warp_plane
from shared_encoder_perception.images.preprocess import Crop, ImageTransform
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.drivable.road_plane import check_homography
from shared_encoder_perception.tasks.label_files import (
    LabelError,
    path_faults,
    write_plane,
)
from shared_encoder_perception.tasks.masks.label_planes import (
    check_plane,
    read_confidence,
    read_mask,
    weight_of,
)
from shared_encoder_perception.tasks.masks.values import NOT_KNOWN

MASK: Final = "mask"
MASK_CONFIDENCE: Final = "mask_confidence"
HOMOGRAPHY: Final = "homography"
KEYS: Final = (MASK, MASK_CONFIDENCE, HOMOGRAPHY)
FOLDERS: Final = {MASK: "masks", MASK_CONFIDENCE: "confidence", HOMOGRAPHY: "homographies"}
"""Key -> folder of its files."""
IN_FILES: Final = True


@dataclass(frozen=True, eq=False)
class Label:
    """What is known about the drivable surface of one image.

    Attributes:
        mask: (H, W) uint8 of 255 drivable, 0 not drivable, 127 ignore.
        confidence: (H, W) uint8 weight of each pixel of ``mask``, 255 for a sure one; ``None``
            where all are.
        homography: (3, 3) float64 from pixels ``(u, v, 1)`` to ``(x, y, 1)`` on the road, metres
            ahead and to the left; ``None`` where nobody said, and for a picture that was moved.
    """

    mask: NDArray[np.uint8]
    confidence: NDArray[np.uint8] | None = None
    homography: NDArray[np.float64] | None = None

    def check(self, image_size: Size) -> None:
        """Refuse a mask that does not fit its image.

        Raises:
            ValueError: It is not uint8, not of the image's size, or its homography shows no road.
        """
        if self.homography is not None:
            check_homography(self.homography, image_size)
        for what, mask in ((MASK, self.mask), (MASK_CONFIDENCE, self.confidence)):
            if mask is not None:
                check_plane(what, mask, image_size)

    def weight(self) -> NDArray[np.uint8]:
        """Return (H, W) uint8, how much each pixel counts: 255 in full, 0 where it is ignored."""
        return weight_of(self.mask, self.confidence)


def faults(record: Mapping[str, Any], size: Size) -> Iterator[str]:
    """Say what is wrong with the keys of a line, the files not looked at."""
    for key in KEYS:
        if record.get(key) is not None:
            yield from path_faults(record, key)


def read(record: Mapping[str, Any], folder: Path, size: Size) -> Callable[[], Label] | None:
    """Return what reads the label of a line; ``None`` where there is none."""
    mask, confidence, road = (folder / record[key] if record.get(key) else None for key in KEYS)
    return None if mask is None else partial(_read, mask, confidence, road, size)


def _read(path: Path, confidence: Path | None, road: Path | None, size: Size) -> Label:
    """Read a mask, check it, and read its confidence and homography.

    Raises:
        LabelError: Unreadable, of another size, with other values than 255, 0 and 127, or with a
            homography that shows no road.
    """
    mask = read_mask(path, size)
    sure = None if confidence is None else read_confidence(confidence, size, MASK_CONFIDENCE)
    if road is None:
        return Label(mask, sure)
    return Label(
        mask, sure, _homography_at(road, size, road.stat().st_mtime_ns if road.is_file() else 0)
    )


@lru_cache(maxsize=64)
def _homography_at(path: Path, size: Size, _written_ns: int) -> NDArray[np.float64]:
    """Read a homography, and see that it shows road; once, unless it was written again.

    Raises:
        LabelError: There is none, it is for pictures of another size, or it shows no road.
    """
    try:
        matrix, of_size = load_homography(str(path))
        if of_size is not None and tuple(of_size) != tuple(size):
            raise ValueError(f"it is for pictures of {list(of_size)}, this one is {list(size)}")
        check_homography(matrix, size)
    except ValueError as error:
        reason = str(error).removeprefix(f"homography {path}: ")
        raise LabelError(path, None, f"no homography of the road: {reason}") from None
    return matrix


def write(label: Label, folder: Path, picture: Path) -> dict[str, Any]:
    """Write the mask and its confidence as PNG, and where the road lies; return the line's keys."""
    keys = {}
    for key, plane in ((MASK, label.mask), (MASK_CONFIDENCE, label.confidence)):
        if plane is not None:
            path = Path(FOLDERS[key]) / picture.with_suffix(".png")
            write_plane(folder, path, plane)
            keys[key] = path.as_posix()
    if label.homography is not None:
        content = {KEY: label.homography.tolist(), SIZE_KEY: list(label.mask.shape)}
        text = f"{json.dumps(content)}\n".encode()
        # Named by what it holds: pictures of one camera share it.
        path = Path(FOLDERS[HOMOGRAPHY]) / f"{hashlib.sha256(text).hexdigest()[:12]}.json"
        if not (folder / path).is_file():
            write_new(folder, path, text)
        keys[HOMOGRAPHY] = path.as_posix()
    return keys


def complete(record: Mapping[str, Any]) -> bool:
    """Whether a line has a mask."""
    return bool(record.get(MASK))


def of_world(rendered: Any) -> Label:
    """Return the exact mask of a world."""
    return Label(rendered.drivable)


def of_set(said: Any) -> tuple[Callable[[], Label] | None, Sequence[str]]:
    """Return what makes a mask of the areas that a public set labels."""
    return (None if said.drivable is None else partial(_of_said, said)), ()


def _of_said(said: Any) -> Label:
    """Make a label of what a set says, whose values mean the same."""
    return Label(said.drivable(), homography=said.homography and said.homography())


def merge(first: Label, second: Label) -> tuple[Label, Sequence[tuple[str, Any]]]:
    """Keep the first; a second that differs is a conflict, one with a homography adds it."""
    if not np.array_equal(first.mask, second.mask):
        return first, ((MASK, None),)
    if second.homography is None:
        return first, ()
    if first.homography is None:
        return replace(first, homography=second.homography), ()
    same = np.array_equal(first.homography, second.homography)
    return first, (() if same else ((HOMOGRAPHY, second.homography.tolist()),))


def view(label: Label, transform: ImageTransform) -> Label:
    """Crop and resize the mask without mixing values."""
    return _moved(label, lambda plane, outside: plane_to_input(plane, transform, outside))


def mirror(label: Label, width: int) -> Label:
    """Return the mask of the mirrored picture."""
    return _moved(label, lambda plane, _: np.ascontiguousarray(plane[:, ::-1]))


def warp(label: Label, matrix: NDArray[np.float64], size: Size) -> Label:
    """Move the mask; what comes in from outside is ignored."""
    return _moved(label, lambda plane, outside: warp_plane(plane, matrix, size, outside))


def inside(label: Label, crop: Crop) -> Label:
    """Ignore what lies outside of the crop."""
    kept = _moved(label, lambda plane, outside: plane_inside(plane, crop, outside))
    return replace(kept, homography=label.homography)


def still_true(label: Label, size: Size) -> bool:
    """A mask says the same wherever it is moved."""
    return True


def _moved(label: Label, move: Callable[[NDArray[np.uint8], int], NDArray[np.uint8]]) -> Label:
    """Apply ``move(plane, value outside)`` to the mask and its confidence."""
    confidence = None if label.confidence is None else move(label.confidence, 0)
    return Label(move(label.mask, NOT_KNOWN), confidence)
