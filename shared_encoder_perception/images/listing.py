# SPDX-License-Identifier: Apache-2.0
"""Which files of a folder are pictures: one answer for every command that looks into a folder.

Systems leave files of their own beside other people's: ``._a.jpg`` of macOS is no picture,
``@eaDir`` and ``.thumbnails`` hold small copies of them. They are no part of a data set.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any, Final

import cv2

FILE_NAME: Final = "frames.jsonl"
"""The lines of a native data set, each of which names its picture."""
_SUFFIXES: Final = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".webp", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".ras", ".sr"),
)
_OPTIONAL: Final = (".jp2", ".avif")
"""Of formats that not every build of OpenCV has. GIF is none of them: it is read as a video."""
IMAGE_SUFFIXES: Final = (*_SUFFIXES, *(s for s in _OPTIONAL if cv2.haveImageWriter(s)))
"""Of pictures with 8 or 16 bits that OpenCV reads here, in lower case; files may be upper case."""
LEFT_BEHIND: Final = frozenset(
    (
        *("@eadir", "@recycle", "@tmp", "#recycle", "#snapshot", "$recycle.bin"),
        *("__macosx", "system volume information", "lost+found", "network trash folder"),
        *("temporary items", "thumbs.db", "ehthumbs.db", "desktop.ini"),
    )
)
"""Names that systems and network storage give to their own files, in lower case; the hidden ones,
such as ``.DS_Store`` and ``.thumbnails``, are left out for their first letter."""


def is_left_behind(path: PurePath) -> bool:
    """Tell what a system left behind from a user's files.

    Args:
        path: Relative to the folder that was asked for, which itself may be called anything.
    """
    return any(
        (part.startswith(".") and part not in (".", "..")) or part.lower() in LEFT_BEHIND
        for part in path.parts
    )


def has_image_suffix(path: PurePath) -> bool:
    """Whether a file's name ends like a picture's."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def files_matching(folder: Path, *patterns: str) -> list[Path]:
    """Return the user's files and folders that match one of some patterns, sorted.

    Args:
        folder: Where to look.
        patterns: As of ``Path.glob``, e.g. ``"*.json"``, ``"**/*.lines.txt"``.
    """
    found = {path for pattern in patterns for path in folder.glob(pattern)}
    return sorted(path for path in found if not is_left_behind(path.relative_to(folder)))


def pictures_in(folder: Path, *, below: bool = False) -> list[Path]:
    """Return the pictures of a folder, sorted by path.

    Args:
        folder: Where to look.
        below: Look into the folders in it, too.
    """
    found = files_matching(folder, "**/*" if below else "*")
    return [path for path in found if has_image_suffix(path) and path.is_file()]


def counting(path: PurePath) -> tuple[Any, ...]:
    """Return what to sort paths by so that numbers in names count as numbers."""
    pieces = (re.split(r"([0-9]+)", part) for part in path.parts)
    counted = [[int(x) if i % 2 else x for i, x in enumerate(piece)] for piece in pieces]
    return counted, path.parts


def beside(path: Path, suffixes: Sequence[str] = IMAGE_SUFFIXES) -> Iterator[Path]:
    """Yield the files that have a path's name but for the suffix, in the order of the suffixes.

    Args:
        path: Without a suffix.
        suffixes: Which to look for; upper case is found, too.
    """
    for suffix in suffixes:
        for name in (path.name + suffix, path.name + suffix.upper()):
            if (path.parent / name).is_file():
                yield path.parent / name
