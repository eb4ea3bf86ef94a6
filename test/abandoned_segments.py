# SPDX-License-Identifier: Apache-2.0
"""Shared memory that Fast DDS processes left behind because they were killed.

A process that ends by itself removes its segments; one that is killed cannot, and the suite kills
many. Hundreds of them slow every new process down, until one hangs or the memory is full. Whoever
lives holds a lock on a file beside each of its segments, which the kernel takes away when it dies.
"""

from __future__ import annotations

import fcntl
from pathlib import Path

FOLDER = Path("/dev/shm")
LOCK = "_el"


def held(lock: Path) -> bool:
    """Whether a living process owns the segment of a lock file."""
    try:
        with lock.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:  # held, or another user's
        return True
    return False


def remove(folder: Path = FOLDER) -> int:
    """Remove segments whose owner is dead; return how many.

    Without any living owner the ports and their mutexes go too: one that died with a mutex in its
    hand would keep everybody waiting.
    """
    locks = [lock for lock in folder.glob(f"fastrtps_*{LOCK}") if "_port" not in lock.name]
    dead = [lock for lock in locks if not held(lock)]
    for lock in dead:
        lock.with_name(lock.name.removesuffix(LOCK)).unlink(missing_ok=True)
        lock.unlink(missing_ok=True)
    if len(dead) == len(locks):
        for pattern in ("fastrtps_port*", "sem.fastrtps_port*"):
            for path in folder.glob(pattern):
                if not (path.name.endswith(LOCK) and held(path)):
                    path.unlink(missing_ok=True)
    return len(dead)
