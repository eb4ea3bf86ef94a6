# SPDX-License-Identifier: Apache-2.0
"""Look through folders of backgrounds and of cut-outs, and make an index of their composites."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from shared_encoder_perception.files.data_paths import link_fault
from shared_encoder_perception.files.safe_text import ListedError, printable
from shared_encoder_perception.images.listing import (
    files_matching,
    has_image_suffix,
    pictures_in,
)
from shared_encoder_perception.images.picture_bytes import PictureError
from shared_encoder_perception.images.picture_header import read_header
from shared_encoder_perception.labels.composites.index import (
    VERSION,
    Index,
    PictureFile,
    Pictures,
    folder_name,
)
from shared_encoder_perception.labels.composites.pictures import place_of, thing_of

FAULTS_SHOWN: Final = 5
OTHER_KINDS: Final = frozenset(
    (".gif", ".apng", ".jp2", ".j2k", ".avif", ".heic", ".heif", ".jxl", ".svg", ".tga", ".psd")
)
"""How names of other pictures end; some of these kinds are read here, where OpenCV has them."""
Progress = Callable[[Iterable[Path], str], Iterable[Path]]


def make_index(
    backgrounds: Path,
    foregrounds: Path,
    out: Path,
    *,
    seed: int = 0,
    places: int = 20,
    mirror: bool = False,
    empty: float = 0.1,
    held_out: float = 0.2,
    progress: Progress = lambda paths, _: paths,
) -> Index:
    """Read every picture once, and describe the composites of them.

    Args:
        backgrounds: Folder of pictures of places; folders in it count.
        foregrounds: Folder of PNGs with an alpha channel, likewise.
        out: Where the index will be.
        seed: As of ``Index``, like what follows.
        places: Where each thing is put in each background.
        mirror: Whether things are put there mirrored, too.
        empty: Share in which nothing is put anywhere.
        held_out: Share of either kind of picture that is held out; 0 for none.
        progress: Wraps the paths as they are read.

    Raises:
        ValueError: Numbers out of range, a folder without pictures or in the other one, a picture
            that cannot be used, or none left on a side of the split.
    """
    if places < 1 or seed < 0:
        raise ValueError(f"places are {places}, seed is {seed}, expected at least 1 and 0")
    for what, share in (("empty", empty), ("held_out", held_out)):
        if not 0 <= share < 1:
            raise ValueError(f"{what} is {share:g}, expected 0 to less than 1")
    one, other = backgrounds.resolve(), foregrounds.resolve()
    if one.is_relative_to(other) or other.is_relative_to(one):
        raise ValueError(
            f"{foregrounds} and {backgrounds} lie in one another: cut-outs would be backgrounds, "
            "too. Give them folders of their own"
        )
    found = [
        Pictures(folder_name(folder, out), tuple(_files(folder, what, check, progress)))
        for folder, what, check in (
            (backgrounds, "backgrounds", place_of),
            (foregrounds, "cut-outs", thing_of),
        )
    ]
    index = Index(VERSION, seed, places, mirror, empty, held_out, found[0], found[1])
    for pictures, what in zip(found, ("backgrounds", "cut-outs"), strict=True):
        _check_split(pictures, what, held_out)
    return index


def _files(
    folder: Path, what: str, check: Callable[[bytes], Any], progress: Progress
) -> Iterator[PictureFile]:
    """Read the pictures of a folder; copies of one are left out.

    Raises:
        ValueError: There are none, or some that cannot be used.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder: expected one of {what}")
    paths, others = pictures_in(folder, below=True), _other_pictures(folder)
    if not paths and not others:
        raise ValueError(f"{folder} has no pictures: expected {what} in it")
    seen: set[str] = set()
    faults = [
        f"{printable(path)} is of a kind that is not read ({path.suffix}): save it as PNG"
        for path in others
    ]
    for path in progress(paths, what):
        try:
            if fault := link_fault(folder, path):
                raise PictureError(f"is {fault}")
            content = path.read_bytes()
            check(content)
            size = read_header(content).size
        except (PictureError, OSError) as error:
            reason = f"cannot be read: {error.strerror}" if isinstance(error, OSError) else error
            faults.append(f"{printable(path)} {printable(reason)}")
            continue
        digest = sha256(content).hexdigest()
        if digest not in seen and not faults:
            seen.add(digest)
            name = path.relative_to(folder).as_posix()
            yield PictureFile(name, len(content), size, digest)
    if faults:
        more = len(faults) - FAULTS_SHOWN
        rest = [f"and {more} more"] if more > 0 else []
        count = len(paths) + len(others)
        raise ListedError(
            f"{len(faults)} of {count} pictures cannot be {what}; mend or remove them:",
            [*faults[:FAULTS_SHOWN], *rest],
        )


def _other_pictures(folder: Path) -> list[Path]:
    """Return the pictures of kinds that are not read, which would be missed without a word."""
    found = files_matching(folder, "**/*")
    others = (p for p in found if p.suffix.lower() in OTHER_KINDS and not has_image_suffix(p))
    return [path for path in others if path.is_file()]


def _check_split(pictures: Pictures, what: str, share: float) -> None:
    """Refuse a split that leaves nothing on one side.

    Raises:
        ValueError: It does.
    """
    count, out = len(pictures.files), len(pictures.split(share, True))
    if share and out in (0, count):
        raise ValueError(
            f"of {count} {what} {out} would be held out by a share of {share:g}: a file's content "
            "decides that, so give more of them, another --held-out, or 0 to hold out none"
        )
