# SPDX-License-Identifier: Apache-2.0
"""What is named as a file and is none: a pipe without a writer would hang whoever opens it."""

from __future__ import annotations

import errno
import stat
from pathlib import Path
from typing import Final

_KINDS: Final = (
    (stat.S_ISFIFO, "named pipe"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISCHR, "device"),
    (stat.S_ISBLK, "device"),
)
_OWN: Final = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")
"""Pipes that a shell has opened for us: somebody writes into them."""


def plain(path: Path) -> Path:
    """Return a path to be opened, unless something else than a file or folder is there.

    Args:
        path: As the user gave it; what is missing is left to whoever opens it.

    Raises:
        OSError: It is a named pipe, a socket or a device; ``strerror`` says so.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # whoever opens it says it better
        return path
    if stat.S_ISFIFO(mode) and str(path).startswith(_OWN):
        return path
    for is_kind, words in _KINDS:
        if is_kind(mode):
            raise OSError(errno.EINVAL, f"it is a {words}, expected a file", str(path))
    return path
