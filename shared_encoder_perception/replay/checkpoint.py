# SPDX-License-Identifier: Apache-2.0
"""Where a replay is, written down so that a killed one goes on from there.

The files of a replay only grow. A checkpoint holds their lengths and all that the next image
depends on; whoever resumes cuts the files to these lengths first.
"""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shared_encoder_perception import tasks
from shared_encoder_perception.files.data_paths import shown
from shared_encoder_perception.files.installed import PACKAGE
from shared_encoder_perception.replay.recorder import ANSWERS, PART, RESULTS, TIMINGS, Tallies

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
OURS: Final = frozenset(
    f"{PACKAGE}.{name}"
    for name in (
        *("replay.checkpoint", "replay.recorder", "evaluation.scorer"),
        *("images.stamps", "images.counts", "structures", "spec"),
    )
)
"""Modules beside tasks' rooms whose classes it may hold; making others could write files."""
GROWING: Final = frozenset((RESULTS + PART, TIMINGS + PART, ANSWERS))
"""The files of which a checkpoint knows the lengths."""


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


KINDS: Final[Mapping[str, Any]] = {
    "conditions": Mapping,
    "frames": int,
    "done": bool,
    "lengths": Mapping,
    "elapsed_s": (int, float),
    "alone": tuple,
    "drive": tuple,
    "tallies": Tallies,
    "problems": tuple,
    "complete": bool,
}
"""What each field of one that was read must be."""


def write(folder: Path, checkpoint: Checkpoint) -> None:
    """Replace the folder's checkpoint; whatever happens, there is the old one or the new."""
    part = folder / f"{NAME}.new"
    part.unlink(missing_ok=True)  # whatever it is, it is not written through
    with part.open("xb") as file:
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
    if fault := next(_faults(checkpoint), None):
        raise ValueError(f"{path} cannot be used: {fault}: start anew with --force")
    return checkpoint


def _faults(checkpoint: Checkpoint) -> Iterator[str]:
    """Say what a checkpoint, which may be forged, holds that none of ours does."""
    for field, kind in KINDS.items():
        value = vars(checkpoint).get(field)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            yield f"{field} is {shown(value)}"
            return
    if checkpoint.frames < 0:
        yield f"frames is {checkpoint.frames}"
    for name, length in checkpoint.lengths.items():
        if name not in GROWING:
            yield f"lengths names {shown(name)}, expected some of {', '.join(sorted(GROWING))}"
        elif not isinstance(length, int) or length < 0:
            yield f"lengths says that {name} has {shown(length)} bytes"


def cut(folder: Path, checkpoint: Checkpoint) -> None:
    """Cut the files to what they were at the checkpoint.

    Raises:
        ValueError: A file is shorter than that, or missing.
    """
    for path in (folder / name for name in sorted(GROWING)):  # also what it does not name grows
        if path.is_symlink() or (path.is_file() and path.stat().st_nlink > 1):
            raise ValueError(
                f"{path} is a link to another file, which would be cut: start anew with --force"
            )
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
        if module in OURS or module in rooms or module.startswith(f"{PACKAGE}.tasks."):
            found = super().find_class(module, name)
            if isinstance(found, type) and found.__module__ == module:
                return found
        raise pickle.UnpicklingError(f"{module}.{name} does not belong into it")
