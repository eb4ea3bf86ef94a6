"""Where a replay is, written down so that a killed one goes on from there.

The files of a replay only grow. A checkpoint holds their lengths and all that the next image
depends on; whoever resumes cuts the files to these lengths first.
"""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shared_encoder_perception import tasks
from shared_encoder_perception.images.bags import PACKAGE
from shared_encoder_perception.replay.recorder import Tallies

NAME: Final = "checkpoint.part"
ALLOWED: Final = frozenset(
    {
        ("builtins", "set"),
        ("builtins", "slice"),
        ("collections", "Counter"),
        ("collections", "deque"),
        ("itertools", "count"),
        ("types", "MappingProxyType"),
        *(
            (f"numpy.{core}.multiarray", name)
            for core in ("core", "_core")
            for name in ("_reconstruct", "scalar")
        ),
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
    }
)
"""What a checkpoint may name beside our own classes: it is a file, and files can be forged."""


@dataclass(frozen=True)
class Checkpoint:
    """Where a replay is.

    Attributes:
        conditions: What it depends on; another replay must not go on from here.
        frames: Images that are done.
        done: Whether all are.
        lengths: File name -> bytes.
        elapsed_s: Time that it took so far.
        alone: Images and seconds of the predictor alone.
        drive: As ``Drive.state``.
        tallies: As ``Recorder.tallies``.
        problems: What is known to be wrong with the bag.
        complete: Whether all of the bag could be read.
    """

    conditions: Mapping[str, Any]
    frames: int
    done: bool
    lengths: Mapping[str, int]
    elapsed_s: float
    alone: tuple[int, float]
    drive: tuple[object, ...]
    tallies: Tallies
    problems: tuple[str, ...]
    complete: bool


def write(folder: Path, checkpoint: Checkpoint) -> None:
    """Replace the folder's checkpoint; whatever happens, there is the old one or the new."""
    part = folder / f"{NAME}.new"
    with part.open("wb") as file:
        pickle.dump(checkpoint, file, protocol=4)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, folder / NAME)


def read(folder: Path, name: str = NAME) -> Checkpoint | None:
    """Return the folder's checkpoint of that name, ``None`` if there is none.

    Raises:
        ValueError: It cannot be read.
    """
    path = folder / name
    if not path.is_file():
        return None
    try:
        checkpoint = _Unpickler(io.BytesIO(path.read_bytes())).load()
    except Exception as error:  # anything can come of a file that is not ours
        raise ValueError(f"{path} cannot be read ({error}): start anew with --force") from None
    if not isinstance(checkpoint, Checkpoint):
        raise ValueError(f"{path} is no checkpoint: start anew with --force")
    return checkpoint


def cut(folder: Path, checkpoint: Checkpoint) -> None:
    """Cut the files to what they were at the checkpoint.

    Raises:
        ValueError: A file is shorter than that, or missing.
    """
    for name, length in checkpoint.lengths.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size < length:
            raise ValueError(
                f"{path} is not what it was at the checkpoint: start anew with --force"
            )
        os.truncate(path, length)


class _Unpickler(pickle.Unpickler):
    """Loads numbers, arrays and our own classes, and nothing that could run a program."""

    def find_class(self, module: str, name: str) -> Any:
        """Return a class that a checkpoint may hold.

        Raises:
            pickle.UnpicklingError: It may not.
        """
        if (module, name) in ALLOWED:
            return super().find_class(module, name)
        rooms = tuple(tasks.ROOMS.values())  # one that is no package of ours has its own classes
        if module.startswith(f"{PACKAGE}.") or module in rooms:
            found = super().find_class(module, name)
            if isinstance(found, type) and found.__module__ == module:
                return found
        raise pickle.UnpicklingError(f"{module}.{name} does not belong into it")
