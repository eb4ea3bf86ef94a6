# SPDX-License-Identifier: Apache-2.0
"""Files that appear only when complete, folders of results: each written by one run at a time."""

from __future__ import annotations

import fcntl
import json
import math
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

WRITING: Final = ".writing"
"""In a folder while a run writes into it; says which. Left behind by a kill it claims nothing."""


class BusyError(ValueError):
    """Another run is writing there; the message says where and what to do."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a name to write to, which becomes ``path`` when the block ends without an error.

    An earlier file is replaced at once, or stays; an error leaves no trace. A symbolic link at
    ``path`` is replaced, never followed.

    Raises:
        BusyError: Another run is writing this file.
        OSError: It cannot be written.
    """
    part = path.with_name(path.name + ".part")
    with _claimed(part, path):
        try:
            yield part
            os.replace(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


@contextmanager
def sole_writer(folder: Path, source: Path | None = None) -> Iterator[None]:
    """Hold a folder of results while a run writes into it; make it if it is not there.

    A folder that was made and stays empty is removed again.

    Args:
        folder: Of the results.
        source: Where the run's pictures come from; results within a folder that is searched for
            pictures would be pictures of the next run.

    Raises:
        BusyError: Another run is writing there.
        ValueError: The folder lies within the source.
        OSError: It cannot be made.
    """
    check_outside(folder, source)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--out {folder} is a file, expected a folder")
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with _lock(folder / WRITING, folder):
            yield
    finally:
        if made:
            with suppress(OSError):  # results are in it
                folder.rmdir()


def check_outside(folder: Path, source: Path | None, option: str = "--out") -> None:
    """Refuse a folder of results within the one that pictures are taken from.

    Raises:
        ValueError: The folder lies within ``source``.
    """
    if source is not None and source.is_dir() and folder.resolve().is_relative_to(source.resolve()):
        raise ValueError(
            f"{option} {folder} is inside of the input {source}: the next run would take what is "
            "written there for input. Choose a folder outside of it"
        )


@contextmanager
def making_folder(folder: Path) -> Iterator[Path]:
    """Give a new folder to fill, which becomes ``folder`` when the block ends without an error.

    Raises:
        BusyError: Another run is making it.
        OSError: It cannot be made.
    """
    part = folder.with_name(folder.name + ".part")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _lock(folder.with_name(folder.name + WRITING), folder):
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        try:
            yield part
            if not folder.exists():  # else another run made it before this one began
                os.replace(part, folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)


@contextmanager
def _lock(mark: Path, what: Path) -> Iterator[None]:
    """Hold ``what`` by a file that says who does, and is there only meanwhile."""
    with _claimed(mark, what):
        mark.write_text(f"process {os.getpid()}", encoding="utf-8")
        try:
            yield
        finally:
            mark.unlink(missing_ok=True)


@contextmanager
def _claimed(lock: Path, what: Path) -> Iterator[None]:
    """Hold the lock of a file, which is made; the system ends it with the process."""
    while True:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(lock, flags, 0o666)
        try:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                raise ValueError(f"{lock} is no file: remove it, or choose another --out")
            if found.st_nlink > 1:
                raise ValueError(
                    f"{lock} is a link to another file: remove it, or choose another --out"
                )
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BusyError(
                    f"{what} is being written by another run{_holder(handle)}: wait until it has "
                    "ended, or choose another --out"
                ) from None
            if _is_named(handle, lock):  # else its holder has just finished with it
                yield
                return
        finally:
            os.close(handle)


def _is_named(handle: int, path: Path) -> bool:
    """Whether an open file is still what ``path`` names."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False


def _holder(handle: int) -> str:
    """Say who holds a folder, if that is written there."""
    text = os.pread(handle, 40, 0).decode("utf-8", "replace")
    return f" ({text})" if text.startswith("process ") and text.isprintable() else ""


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8; an earlier one is replaced at once, or stays.

    Raises:
        BusyError: Another run is writing this file.
        OSError: It cannot be written.
    """
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file; an earlier one is replaced at once, or stays.

    Raises:
        BusyError: Another run is writing this file.
        OSError: It cannot be written.
    """
    with replacing(path) as part:
        part.write_bytes(data)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write JSON for people and programs; NaN, which JSON has not, as null.

    Raises:
        OSError: It cannot be written.
    """
    write_text(path, json.dumps(_nulls(value), indent=2, allow_nan=False) + "\n")


def _nulls(value: Any) -> Any:
    """Replace NaN by ``None``, all the way down."""
    if isinstance(value, Mapping):
        return {key: _nulls(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_nulls(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
