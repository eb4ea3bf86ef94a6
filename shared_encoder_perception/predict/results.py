# SPDX-License-Identifier: Apache-2.0
"""What ``predict`` writes: lines of JSON that have their name in the end, and files they name."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks
from shared_encoder_perception.drawing.pictures import as_png
from shared_encoder_perception.files.data_paths import create, remove_named, write_new
from shared_encoder_perception.images.frames import SourceError
from shared_encoder_perception.structures import Perception

SHEET: Final = "sheet.png"
OVERLAYS: Final = Path("overlays")
NOT_OURS: Final = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What comes of lines that this command has not written."""

Write = Callable[[str, Any], None]
"""Writes the line of something by its name, and its files."""


@dataclass(frozen=True)
class Result:
    """A file of lines, in the folder that is a result.

    Attributes:
        file: Its name.
        key: By which a line names what it is of.
        names: Of the tasks whose answers are in a line.
    """

    file: str
    key: str
    names: Collection[str]

    def remove(self, folder: Path) -> bool:
        """Remove an earlier result, finished or not, and what its lines name; other files stay.

        Returns:
            Whether there was one.
        """
        (folder / SHEET).unlink(missing_ok=True)
        earlier = [path for path in (folder / self.file, self.part(folder)) if path.exists()]
        for path in earlier:
            # What cannot be read as our own lines names no files of ours.
            with path.open("rb") as lines, suppress(*NOT_OURS):
                for line in lines:
                    record = json.loads(line)
                    for named in self.named_files(record):
                        remove_named(folder, named)
                    remove_named(folder, str(OVERLAYS / picture_path(record[self.key])))
            path.unlink()
        return bool(earlier)

    def part(self, folder: Path) -> Path:
        """Return what the file is called until it is finished."""
        return folder / f"{self.file}.part"

    def named_files(self, record: Mapping[str, Any]) -> Iterator[str]:
        """Yield the files that a line names, in the folders that are for them."""
        for room in tasks.parts("record", self.names).values():
            for key, folder in room.FILES.items():
                if Path(record.get(key) or "").parts[:1] == (folder,):
                    yield record[key]

    def files_of(self, name: str) -> Iterator[str]:
        """Yield the files that may be written of something by its name."""
        rooms = tasks.parts("record", self.names).values()
        for folder in (*{folder for room in rooms for folder in room.FILES.values()}, OVERLAYS):
            yield str(folder / picture_path(name))

    @contextmanager
    def written(
        self, out: Path | None, record: Callable[[str, Any, Path], dict[str, Any]]
    ) -> Iterator[Write]:
        """Give what writes lines and their files.

        The file has its name in the end. A killed run may have left files of what it did not come
        to name: what it could have written of something is removed before.

        Args:
            out: The folder; ``None`` to write nothing.
            record: Makes a line of a name and what belongs to it; writes the files that it names.
        """
        if out is None:
            yield lambda name, content: None
            return
        out.mkdir(parents=True, exist_ok=True)
        again = self.remove(out)
        with _removed_if_empty(self.part(out)), create(self.part(out)) as lines:

            def write(name: str, content: Any) -> None:
                for named in self.files_of(name) if again else ():
                    remove_named(out, named)
                lines.write(json.dumps(record(name, content, out)) + "\n")

            yield write
        os.replace(self.part(out), out / self.file)


IMAGES: Final = Result("predictions.jsonl", "image", tasks.ROOMS)
MOMENTS: Final = Result("surround.jsonl", "moment", tasks.RIG_ROOMS)


@contextmanager
def _removed_if_empty(part: Path) -> Iterator[None]:
    """Leave no unfinished result behind that names nothing: not one image could be perceived."""
    try:
        yield
    except SourceError:
        if part.stat().st_size == 0:
            part.unlink()
        raise


def picture_path(name: str) -> Path:
    """Return where below a folder an image's picture is: never outside it, never another's."""
    # The suffix stays in the name: a.jpg and a.png of one folder must not share a picture.
    below = folder_path(name)
    return below.with_name(below.name + ".png")


def folder_path(name: str) -> Path:
    """Return a name as a path below a folder: never outside of it, never another name's."""
    pieces = [piece.replace("%", "%25") for piece in Path(name).parts]
    return Path(*({"/": "%2F", "..": "%2E%2E"}.get(piece, piece) for piece in pieces or ["%2E"]))


def to_record(name: str, perception: Perception, out: Path) -> dict[str, Any]:
    """Return one line of ``predictions.jsonl``; write the files that it names below ``out``."""
    line: dict[str, Any] = {"image": name, "size": list(perception.image_size)}
    for task, record in tasks.parts("record", perception.answers).items():
        line |= record.prediction(perception.answers[task], out, picture_path(name))
    if perception.crop is not None and not perception.crop.covers(perception.image_size):
        line["crop"] = list(perception.crop)
    return line | stage_record(perception.stage_ms)


def stage_record(stage_ms: Mapping[str, float]) -> dict[str, Any]:
    """Return the times of a line."""
    return {"stage_ms": {stage: round(value, 3) for stage, value in stage_ms.items()}}


def write_overlay(out: Path, name: str, picture: NDArray[np.uint8]) -> None:
    """Write the picture, (H, W, 3) uint8 BGR, of what was seen in an image or moment."""
    write_new(out, OVERLAYS / picture_path(name), as_png(picture))
