# SPDX-License-Identifier: Apache-2.0
"""The index of a set of composites: of which files they are, and who is held out. A few kilobytes.

A file's content alone decides whether it is held out: not its name, nor what lies beside it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from shared_encoder_perception.files.data_paths import inside, path_fault, shown
from shared_encoder_perception.files.plain_file import plain
from shared_encoder_perception.files.typed_json import JsonError, from_json, parse_json
from shared_encoder_perception.files.whole_file import write_text
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.label_files import FILE_NAME as SET_NAME

FILE_NAME: Final = "compose.json"
"""What an index is called in a folder."""
VERSION: Final = 1
FOLDS: Final = {
    "train": (False, False),
    "held_out": (True, True),
    "held_out_background": (True, False),
    "held_out_foreground": (False, True),
}
"""Name -> whether the backgrounds, and the cut-outs in it are held out."""
SHORTEST_PX: Final = {"backgrounds": 64, "foregrounds": 8}
"""Of a picture's sides, or of those of the thing in it; less shows nothing."""
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class PictureFile:
    """A picture as it was when the index was made.

    Attributes:
        name: Its path below its folder.
        bytes: Of the file.
        size: ``(height, width)`` in pixels, as people see it.
        sha256: Of its content, 64 hex digits.
    """

    name: str
    bytes: int
    size: Size
    sha256: str

    def number(self) -> int:
        """Return what dice are seeded by."""
        return int(self.sha256[:16], 16)

    def is_held_out(self, share: float) -> bool:
        """Whether it is among the ``share`` of all pictures that is held out."""
        return int(self.sha256[-8:], 16) < share * 2**32


@dataclass(frozen=True)
class Pictures:
    """Pictures of one folder.

    Attributes:
        folder: Its path; relative to the index's if it lies there, else absolute.
        files: Sorted by name; no two of the same content.
    """

    folder: str
    files: tuple[PictureFile, ...]

    def split(self, share: float, held_out: bool) -> tuple[PictureFile, ...]:
        """Return those that are held out, or the others."""
        return tuple(file for file in self.files if file.is_held_out(share) == held_out)


@dataclass(frozen=True)
class Index:
    """All that decides some composites.

    Attributes:
        version: Of this format.
        seed: Of the dice.
        places: Where each thing is put in each background.
        mirror: Whether each thing is put there mirrored, too.
        empty: Share of the composites in which nothing is put anywhere.
        held_out: Share of the backgrounds, and of the cut-outs, that is held out.
        backgrounds: Pictures of places.
        foregrounds: PNGs of things, transparent around.
    """

    version: int
    seed: int
    places: int
    mirror: bool
    empty: float
    held_out: float
    backgrounds: Pictures
    foregrounds: Pictures

    def sides(self) -> int:
        """Return in how many ways a thing is seen."""
        return 2 if self.mirror else 1

    def of_fold(self, fold: str) -> tuple[tuple[PictureFile, ...], tuple[PictureFile, ...]]:
        """Return the backgrounds and the cut-outs of a fold; all of them for an empty one.

        Raises:
            ValueError: There is no such fold, or it has none.
        """
        if not fold:
            return self.backgrounds.files, self.foregrounds.files
        if fold not in FOLDS:
            raise ValueError(f"composites have no fold {fold!r}, expected one of {list(FOLDS)}")
        kinds = (self.backgrounds, self.foregrounds)
        found = [p.split(self.held_out, out) for p, out in zip(kinds, FOLDS[fold], strict=True)]
        for files, what in zip(found, ("backgrounds", "cut-outs"), strict=True):
            if not files:
                raise ValueError(
                    f"the fold {fold!r} has no {what}: the index holds out {self.held_out:g} of "
                    "them. Make one of more files, or with another --held-out"
                )
        return found[0], found[1]


def is_index(path: Path) -> bool:
    """Whether a path, as given for a data set, is that of an index or of its folder."""
    is_set = (path / SET_NAME).is_file()
    return path.suffix == ".json" or ((path / FILE_NAME).is_file() and not is_set)


def index_file(path: Path) -> Path:
    """Return the file of an index that is given by itself or by its folder.

    Raises:
        OSError: A pipe or a device is there.
    """
    return plain(path if path.suffix == ".json" else path / FILE_NAME)


def read_index(path: Path) -> Index:
    """Read an index and see that it makes sense; its pictures are not looked at.

    Raises:
        ValueError: It is none; the message names the file.
        OSError: It cannot be read.
    """
    raw = parse_json(plain(path).read_bytes(), str(path))
    version = raw.get("version") if isinstance(raw, dict) else None
    if version != VERSION:
        raise JsonError(
            f"{path} is no index of composites of version {VERSION}: make one with dataset compose"
        )
    index = from_json(Index, raw, str(path))
    for fault in _faults(index):
        raise JsonError(f"{path}: {fault}")
    return index


def write_index(path: Path, index: Index) -> int:
    """Write an index, a line for each picture; return its size in bytes.

    Raises:
        OSError: It cannot be written.
    """
    raw = asdict(index)
    kinds = {key: raw.pop(key) for key in ("backgrounds", "foregrounds")}
    parts = [f'"{key}": {json.dumps(value)}' for key, value in raw.items()]
    for key, pictures in kinds.items():
        lines = ",\n".join(json.dumps(file, separators=(",", ":")) for file in pictures["files"])
        parts.append(
            f'"{key}": {{"folder": {json.dumps(pictures["folder"])}, "files": [\n{lines}]}}'
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "{" + ",\n".join(parts) + "}\n")
    return path.stat().st_size


def folder_name(folder: Path, index: Path) -> str:
    """Return how an index names a folder of pictures: see ``Pictures``."""
    whole, place = Path(os.path.realpath(folder)), Path(os.path.realpath(index.parent))
    return whole.relative_to(place).as_posix() if whole.is_relative_to(place) else str(whole)


def path_of(file: PictureFile, pictures: Pictures, index: Path) -> Path:
    """Return where a picture lies.

    Raises:
        PathError: Its name, or a link, leaves the folder.
    """
    return inside(index.parent / pictures.folder, file.name, f"{index}: name")


def _faults(index: Index) -> Iterator[str]:
    """Say what cannot be of an index."""
    if index.seed < 0 or index.places < 1:
        yield f"seed is {index.seed} and places {index.places}, expected at least 0 and 1"
    for name in ("empty", "held_out"):
        if not 0 <= getattr(index, name) < 1:
            yield f"{name} is {getattr(index, name):g}, expected 0 to less than 1"
    for kind in ("backgrounds", "foregrounds"):
        pictures: Pictures = getattr(index, kind)
        if not pictures.files:
            yield f"{kind} has no files"
        least, seen = SHORTEST_PX[kind], set[str]()
        for file in pictures.files:
            if twice := {str(PurePosixPath(file.name)), file.sha256} & seen:
                yield f"{kind}: {shown(twice.pop())} is there twice, expected every picture once"
            seen |= {str(PurePosixPath(file.name)), file.sha256}
            if min(file.size) < least or file.bytes < 1:
                yield (
                    f"{kind}, {shown(file.name)}: size is {list(file.size)} and bytes are "
                    f"{file.bytes}, expected [height, width] of {least} or more, and 1 or more"
                )
            if fault := path_fault(file.name):
                yield f"{kind}: name is {shown(file.name)}, {fault}"
            if not _SHA256.fullmatch(file.sha256):
                yield f"{kind}, {file.name}: sha256 is {shown(file.sha256)}, expected 64 hex digits"
