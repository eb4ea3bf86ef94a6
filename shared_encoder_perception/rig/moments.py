# SPDX-License-Identifier: Apache-2.0
"""Where moments of a rig come from: a source gives the pictures that belong together, in order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from shared_encoder_perception.files.data_paths import path_fault
from shared_encoder_perception.images.frames import SourceError
from shared_encoder_perception.images.listing import (
    IMAGE_SUFFIXES,
    counting,
    is_left_behind,
    pictures_in,
)
from shared_encoder_perception.images.picture_bytes import PictureError
from shared_encoder_perception.images.picture_file import picture_size, read_picture
from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.rig.rig_file import RigFile
from shared_encoder_perception.structures import Size


@dataclass(frozen=True, eq=False)
class RigMoment:
    """Pictures of one moment, and what they are called.

    Attributes:
        frame: The pictures, with the rig that took them.
        pictures: Names of the pictures by camera, each as its own source would call it.
    """

    frame: RigFrame
    pictures: Mapping[str, str]


class RigSource(ABC):
    """Moments of a rig, and word of what could not be read. Reading begins anew each time.

    Attributes:
        path: Where the pictures are.
        rig: That took the first of them.
        problems: What was left out so far, one line each.
        notes: What people may not expect.
    """

    def __init__(self, path: Path, rig: Rig) -> None:
        """Begin."""
        self.path, self.rig = path, rig
        self.problems: list[str] = []
        self.notes: list[str] = []

    @abstractmethod
    def __len__(self) -> int:
        """Return how many moments there should be."""

    def rate_hz(self) -> float | None:
        """Return how many moments a second there are; ``None`` where the source does not say."""
        return None

    @abstractmethod
    def _read(self) -> Iterator[RigMoment | str]:
        """Yield moments, and what is wrong with pictures that cannot be read, in their order."""

    def __iter__(self) -> Iterator[RigMoment]:
        """Read the moments in order; a picture that cannot be read is left out of its moment.

        Raises:
            SourceError: Nothing can be read.
            ValueError: A picture is of another size than its camera's calibration is for.
        """
        self.problems.clear()
        count = 0
        for found in self._read():
            if isinstance(found, str):
                self.problems.append(found)
            elif found.frame.images:
                count += 1
                yield found
        if not count:
            why = f": {self.problems[0]}" if self.problems else ""
            raise SourceError(f"no picture of {self.path} can be read{why}")


class FolderMoments(RigSource):
    """A folder of pictures for each camera, called like it: the n-th of each are of one moment.

    By their names, with numbers as numbers: ``2.png`` before ``10.png``.
    """

    def __init__(self, folder: Path, rig_file: RigFile) -> None:
        """List the pictures.

        Raises:
            SourceError: A camera has no pictures, or not as many as the others; it is named.
            ValueError: The rig cannot be built, or is not of these pictures.
        """
        self._files = {name: _pictures(folder, name) for name in rig_file.names}
        first, *others = rig_file.names
        for name in others:
            count, expected = len(self._files[name]), len(self._files[first])
            if count != expected:
                raise SourceError(
                    f"{folder}: camera {name} has {count} pictures, camera {first} has {expected}: "
                    "the n-th of each belong together, so put in as many of each, or give a "
                    "rigs.jsonl that says which were taken together"
                )
        super().__init__(folder, rig_file.rig(sizes=self._sizes()))
        for other in sorted(folder.iterdir()):
            strange = other.name not in rig_file.names and not is_left_behind(Path(other.name))
            if strange and other.is_dir() and pictures_in(other):
                self.notes.append(f"note: {other} is of no camera of the rig; not used")

    def __len__(self) -> int:
        """Return the number of moments."""
        return len(next(iter(self._files.values())))

    def _sizes(self) -> dict[str, Size]:
        """Return the sizes of the first pictures, of those that can be read."""
        found = {}
        for name, files in self._files.items():
            try:
                found[name] = picture_size(files[0])
            except PictureError:
                continue  # told when its turn comes
        return found

    def _read(self) -> Iterator[RigMoment | str]:
        """Read the pictures."""
        first = next(iter(self._files.values()))
        stems = [path.stem for path in first]
        names = stems if len(set(stems)) == len(stems) else [path.name for path in first]
        for name, *paths in zip(names, *self._files.values(), strict=True):
            taken = dict(zip(self.rig.names, paths, strict=True))
            called = {camera: path.name for camera, path in taken.items()}
            yield from read_moment(name, self.rig, taken, called)


def read_moment(
    name: str, rig: Rig, taken: Mapping[str, Path], called: Mapping[str, str]
) -> Iterator[RigMoment | str]:
    """Yield what is wrong with pictures that cannot be read, then the moment with the others.

    Args:
        name: Of the moment.
        rig: The cameras.
        taken: The files of the pictures, by camera.
        called: What the pictures are called, by camera.
    """
    images = {}
    for camera, path in taken.items():
        try:
            images[camera] = read_picture(path)
        except PictureError as error:
            yield f"camera {camera}: {path} {error}"
    yield RigMoment(RigFrame(name, rig, images), called)


def _pictures(folder: Path, name: str) -> list[Path]:
    """Return the pictures of a camera in the order of their names.

    Raises:
        SourceError: There are none.
    """
    if fault := path_fault(name):
        raise SourceError(f"camera {name!r} has no folder in {folder}: its name is a path {fault}")
    found = pictures_in(folder / name) if (folder / name).is_dir() else []
    if not found:
        there = ", ".join(sorted(one.name for one in folder.iterdir() if one.is_dir())) or "none"
        raise SourceError(
            f"camera {name} has no pictures in {folder / name}: expected a folder of pictures "
            f"({', '.join(IMAGE_SUFFIXES[:3])}, ...) for each camera of the rig, called like it; "
            f"folders there are: {there}"
        )
    return sorted(found, key=lambda path: counting(path.relative_to(folder)))
