# SPDX-License-Identifier: Apache-2.0
"""Files of this user's own: caches that others cannot write, and what a run needs only meanwhile.

What a killed run left behind goes with the next one; what a living one uses stays.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from shared_encoder_perception.files.plain_file import plain

PART: Final = ".part-"
"""How the name of a file begins that is not complete."""
SCRATCH: Final = ".shared_encoder_perception-"
"""How the name of a folder begins that a run needs only meanwhile."""
PRIVATE: Final = 0o700
OTHERS_MAY_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH

_log = logging.getLogger(__name__)


class NotOwnError(OSError):
    """What others may have written; ``strerror`` says why."""


def user_cache(kind: str) -> Path:
    """Return a folder in the user's cache, by the XDG base directory specification."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "shared_encoder_perception" / kind


def make_own(folder: Path) -> None:
    """Make a folder for this user alone; of one that is there, see that others cannot write it.

    Raises:
        OSError: It cannot be made.
    """
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):  # another run made it just now
            folder.mkdir(mode=PRIVATE)
    found = folder.stat()
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    if found.st_uid == os.geteuid() and _doubt(found):
        folder.chmod(stat.S_IMODE(found.st_mode) & ~OTHERS_MAY_WRITE)
        _log.warning("others could write into the folder %s; now they cannot", folder)


def read_own(path: Path) -> bytes:
    """Read a file that nobody but this user, or root, can have written.

    Raises:
        NotOwnError: It, or its folder, belongs to another user, or others may write there.
        OSError: It cannot be read.
    """
    path.lstat()  # what is not there needs no trust
    check_own(path.parent)
    with open(plain(path), "rb", opener=_at_once) as file:
        if words := _doubt(os.fstat(file.fileno())):
            raise NotOwnError(errno.EPERM, f"it {words}", str(path))
        return file.read()


def check_own(folder: Path) -> None:
    """Refuse a folder in which others can put or replace files.

    Raises:
        NotOwnError: They can.
    """
    if words := _doubt(folder.stat()):
        raise NotOwnError(errno.EPERM, f"its folder {words}", str(folder))


def remove_doubtful(folder: Path) -> None:
    """Remove the files of a folder that another user can have written.

    Raises:
        OSError: It cannot be done.
    """
    for path in folder.iterdir():
        if words := _doubt(path.lstat()):
            _log.warning("%s is not trusted (it %s): removed", path, words)
            path.unlink() if not path.is_dir() or path.is_symlink() else shutil.rmtree(path)


@contextmanager
def part_file(folder: Path) -> Iterator[Path]:
    """Give a new, empty file in a folder; what was not moved away when the block ends is removed.

    Raises:
        OSError: The folder cannot be written.
    """
    _sweep(folder, PART, Path.unlink)
    with _held(lambda: _new_file(folder)) as path:
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


@contextmanager
def scratch_folder(where: Path | None = None) -> Iterator[Path]:
    """Give a new folder, which is removed with all in it when the block ends.

    Args:
        where: Folder to make it in; by default the system's for such.

    Raises:
        OSError: It cannot be made.
    """
    parent = Path(tempfile.gettempdir()) if where is None else where
    _sweep(parent, SCRATCH, shutil.rmtree)
    with _held(lambda: Path(tempfile.mkdtemp(prefix=SCRATCH, dir=parent))) as path:
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)


def _doubt(found: os.stat_result) -> str:
    """Say why others can have written a file or into a folder; empty where they cannot."""
    if found.st_uid not in (os.geteuid(), 0):
        return f"belongs to another user (uid {found.st_uid})"
    # In a folder like /tmp everybody may write, but nobody replace what is another's.
    sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
    if found.st_mode & OTHERS_MAY_WRITE and not sticky and not stat.S_ISLNK(found.st_mode):
        return f"can be written by others (mode {stat.S_IMODE(found.st_mode):o})"
    return ""


def _at_once(path: str, flags: int) -> int:
    """Open without waiting for whoever would write into a pipe."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def _new_file(folder: Path) -> Path:
    """Make an empty file."""
    handle, name = tempfile.mkstemp(prefix=PART, dir=folder)
    os.close(handle)
    return Path(name)


@contextmanager
def _held(make: Callable[[], Path]) -> Iterator[Path]:
    """Hold what ``make`` makes, so that no other run takes it for left behind."""
    while True:
        path = make()
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:  # swept away before it was held
            continue
        try:
            with suppress(OSError):  # a file system without locks: there, nothing is swept away
                fcntl.flock(handle, fcntl.LOCK_EX)
            if path.exists() and os.path.samestat(os.fstat(handle), path.stat()):
                yield path
                return
        finally:
            os.close(handle)


def _sweep(folder: Path, prefix: str, remove: Callable[[Path], object]) -> None:
    """Remove what killed runs of this user left behind."""
    try:
        names = [name for name in os.listdir(folder) if name.startswith(prefix)]
    except OSError:
        return
    for path in (folder / name for name in names):
        with suppress(OSError):  # gone meanwhile, held by a living run, or no locks here
            found = path.lstat()
            kind_fits = stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
            if found.st_uid != os.geteuid() or not kind_fits:
                continue
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove(path)
            finally:
                os.close(handle)
