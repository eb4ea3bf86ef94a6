# SPDX-License-Identifier: Apache-2.0
"""Which picture a tool's file means: names come back changed, and are looked up, never followed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Final

from shared_encoder_perception.files.data_paths import shown
from shared_encoder_perception.images.listing import pictures_in
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.frame import LabelledFrame
from shared_encoder_perception.labels.record_faults import IMAGES

Parts = tuple[str, ...]
_NOWHERE: Final = ("", ".", "..")


class KnownPictures:
    """Pictures by their names, some of them shortened or lengthened by folders."""

    def __init__(self, names: Iterable[str], place: str) -> None:
        """Know pictures by their paths in a set, with or without the folder ``images``.

        Args:
            names: The paths, with slashes.
            place: Where they are, for messages.
        """
        self._place = place
        self._files: dict[str, list[tuple[Parts, str]]] = {}
        self._stems: dict[str, list[tuple[Parts, str]]] = {}
        for name in names:
            parts = PurePosixPath(name).parts
            parts = parts[1:] if parts[0] == IMAGES and len(parts) > 1 else parts
            self._files.setdefault(parts[-1], []).append((parts, name))
            stem = PurePosixPath(name).stem
            self._stems.setdefault(stem, []).append(((*parts[:-1], stem), name))

    def find(self, name: str) -> str:
        """Return the path of the picture that a file names.

        Folders may be missing in front, or stand there in addition; the suffix may be another one.

        Raises:
            ValueError: There is no such picture, or there are several.
        """
        parts = tuple(part for part in name.replace("\\", "/").split("/") if part not in _NOWHERE)
        if not parts:
            raise ValueError(f"{shown(name)} names no picture")
        stem = PurePosixPath(parts[-1]).stem
        found = _ending_alike(parts, self._files.get(parts[-1], ()))
        found = found or _ending_alike((*parts[:-1], stem), self._stems.get(stem, ()))
        if not found:
            raise ValueError(f"{shown(name)} is no picture of {self._place}")
        if len(found) > 1:
            raise ValueError(
                f"{shown(name)} may be {found[0]} or {found[1]} of {self._place}: name its folders"
            )
        return found[0]


def _ending_alike(parts: Parts, known: Iterable[tuple[Parts, str]]) -> list[str]:
    """Return the pictures whose parts end like a name's, as far as either goes; the longest."""
    alike: dict[int, list[str]] = {}
    for its, name in known:
        length = min(len(its), len(parts))
        if its[-length:] == parts[-length:]:
            alike.setdefault(length, []).append(name)
    return alike[max(alike)] if alike else []


class OriginalSet:
    """The native set that an export was made from; its frames by the names of their pictures."""

    def __init__(self, path: Path) -> None:
        """Look through the set once.

        Raises:
            LabelError: A faulty line.
        """
        self._path = native.labels_file(path)
        self._lines: dict[str, tuple[int, int]] = {}
        start = 0
        with self._path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                frame = native.parse(line, self._path, number)
                self._lines[native.picture_path(frame).as_posix()] = (number, start)
                start += len(line)
        self.pictures = KnownPictures(self._lines, str(path))

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self._lines)

    def frame(self, name: str) -> LabelledFrame:
        """Return the frame of a picture by its path in a set, as ``pictures`` gives it."""
        number, start = self._lines[name]
        with self._path.open("rb") as lines:
            lines.seek(start)
            return native.parse(lines.readline(), self._path, number)


class PictureFolder:
    """The pictures of an export, where the set that it was made from is not at hand."""

    def __init__(self, folder: Path) -> None:
        """List the pictures below a folder."""
        self._folder = folder
        found = [path.relative_to(folder).as_posix() for path in pictures_in(folder, below=True)]
        self.pictures = KnownPictures(found, str(folder))

    def path(self, name: str) -> Path:
        """Return where a picture is, by its name as ``pictures`` gives it."""
        return self._folder / name
