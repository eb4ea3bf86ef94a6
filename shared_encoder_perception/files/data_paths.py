# SPDX-License-Identifier: Apache-2.0
"""What a path that stands in data may be: it names a file of its own folder, and no other.

Labels, lists, results, checkpoints, metadata of bags and archives come from others. ``inside``
decides for all readers, ``write_new`` for all writers. The folder itself may be a link; links in it
are followed as long as they stay in it. Who keeps pictures elsewhere and links to them names that
place in the environment variable ``LINKED``.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final, TextIO

LINKED: Final = "SHARED_ENCODER_LINKED_FOLDERS"
"""Environment variable: folders, separated as in PATH, into which links in data may lead."""
MOST_BYTES: Final = 4096
"""Of a path, and 255 of each of its parts: what the usual file systems take."""
MOST_BYTES_OF_PART: Final = 255
_DRIVE: Final = re.compile(r"[A-Za-z]:[\\/]")


class PathError(ValueError):
    """A path out of data that must not be followed; the message says which, and why."""


def path_fault(value: object) -> str:
    """Say why a path cannot be one of a file in its folder, as it is written.

    What backslashes would mean elsewhere counts, too: sets travel between systems.

    Args:
        value: What stands in the data.

    Returns:
        What to put behind "KEY is VALUE, "; empty if nothing is wrong.
    """
    if not isinstance(value, str) or not value:
        return "expected a path relative to its folder"
    try:
        encoded = os.fsencode(value)
    except UnicodeEncodeError:
        return "which is no text that a file can be called by"
    if b"\0" in encoded:
        return "which has a zero byte in it"
    if value[0] in "\\/" or _DRIVE.match(value):
        return "which leaves the folder: expected a path relative to it"
    pieces = encoded.replace(b"\\", b"/").split(b"/")
    if b".." in pieces:
        return "which leaves the folder it is relative to"
    if not set(pieces) - {b"", b"."}:
        return "which names no file"
    if len(encoded) > MOST_BYTES_OF_PART and (
        len(encoded) > MOST_BYTES or max(map(len, encoded.split(b"/"))) > MOST_BYTES_OF_PART
    ):
        return f"longer than {MOST_BYTES_OF_PART} bytes in a part or {MOST_BYTES} in all"
    return ""


def inside(folder: Path, value: object, what: str) -> Path:
    """Return the path of a file that data name; it may be missing.

    Args:
        folder: What the path is relative to, and must stay in.
        value: What stands in the data.
        what: Where it stands, for messages: ``"labels.json, line 3: raw_file"``.

    Raises:
        PathError: It is none, leaves the folder as written or by a link, or is a pipe or a device.
    """
    fault = path_fault(value)
    path = folder if fault else folder / str(value)
    if fault := fault or link_fault(folder, path):
        raise PathError(f"{what} is {shown(value)}, {fault}")
    return path


def link_fault(folder: Path, path: Path) -> str:
    """Say why a file that was found or named below a folder must not be followed.

    Args:
        folder: In which it must be, links resolved.
        path: Below it as written.

    Returns:
        What to put behind "PATH is VALUE, "; empty if nothing is wrong, or nothing there.
    """
    place, whole = os.path.join(folder, ""), str(path)
    if place == os.path.join(".", "") and not path.is_absolute():
        place = ""
    below = whole[len(place) :].split(os.sep) if whole.startswith(place) else [".."]
    linked, mode = ".." in below, stat.S_IFREG
    for part in below:  # not resolved at once: most sets have no links, and many files
        place += part
        try:
            mode = os.lstat(place).st_mode
        except OSError:
            break  # whoever opens it says so better
        linked = linked or stat.S_ISLNK(mode)
        place += os.sep
    if linked:
        real = os.path.realpath(path)
        if not _is_below(real, folder):
            return (
                f"a link to {shown(real)}, outside of {folder}: copy the file to here, or, if you "
                f"trust who made the link, name the folder it leads to in {LINKED}"
            )
        with suppress(OSError):
            mode = os.stat(real).st_mode
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode):
        return ""
    return "no file: a pipe, a socket or a device"


def refuse_links_out(folder: Path) -> None:
    """See that a folder to go on in, which may come from others, has no link that leads out of it.

    Raises:
        PathError: It has one; the message names it.
    """
    for place, folders, files in os.walk(folder):
        for path in (Path(place, name) for name in (*folders, *files)):
            if path.is_symlink() and (fault := link_fault(folder, path)):
                raise PathError(f"{shown(str(path))} is {fault}")


def _is_below(real: str, folder: Path) -> bool:
    """Whether a resolved path is in a folder, or where links may lead."""
    allowed = [str(folder), *filter(None, os.environ.get(LINKED, "").split(os.pathsep))]
    return any(_holds(os.path.realpath(place), real) for place in allowed)


def _holds(place: str, real: str) -> bool:
    """Whether ``real`` is ``place`` or below it; both are resolved."""
    return real == place or real.startswith(place.rstrip(os.sep) + os.sep)


def write_new(folder: Path, name: str | Path, data: bytes) -> Path:
    """Write a file of a folder, and the folders above it; never over another one.

    A file that holds the same already is left as it is: work that broke off is done again.

    Args:
        folder: What must not be left. It may be a link.
        name: Of the file, relative to it.
        data: What to write.

    Returns:
        The file's path.

    Raises:
        PathError: The name leaves the folder, as written or by a link that is in the folder.
        FileExistsError: There is another file of this name, or a link. On some systems names are
            one if they differ by upper case only.
        OSError: It cannot be written.
    """
    path = folder / Path(name)
    fault = path_fault(str(name))
    if not fault and not _holds(os.path.realpath(folder), os.path.realpath(path.parent)):
        fault = f"which a link leads out of {folder}"
    if fault:
        raise PathError(f"the file to write is {shown(str(name))}, {fault}")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        file = path.open("xb")
    except FileExistsError:
        if _holds_already(path, data):
            return path
        raise FileExistsError(
            f"{shown(str(path))} is there already and holds something else: nothing is "
            "overwritten; remove it, or choose another folder"
        ) from None
    try:
        with file:
            file.write(data)
    except BaseException:  # a full disk, or Ctrl-C: what is there of it is ours
        path.unlink(missing_ok=True)
        raise
    return path


def create(path: Path) -> TextIO:
    """Open a text file of ours anew: one that was there is removed, not written through.

    Raises:
        OSError: It cannot be written, or is a folder.
    """
    path.unlink(missing_ok=True)
    return path.open("x", encoding="utf-8")


def remove_named(folder: Path, name: object) -> None:
    """Remove a file of a folder that a result of ours names, if it is there.

    What leaves the folder, as written or by a link, is not ours and stays; so do folders.
    """
    if path_fault(name):
        return
    path = folder / str(name)
    if not _holds(os.path.realpath(folder), os.path.realpath(path.parent)):
        return
    with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):
        path.unlink()


def _holds_already(path: Path, data: bytes) -> bool:
    """Whether a file, and no link, has just this content."""
    found = path.lstat()
    return stat.S_ISREG(found.st_mode) and found.st_size == len(data) and path.read_bytes() == data


def shown(value: object) -> str:
    """Return a value for a message: on one line, not all of a long one."""
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:100]}... ({len(text)} characters)"
