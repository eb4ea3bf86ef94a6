# SPDX-License-Identifier: Apache-2.0
"""What the processes of a soak hold and use, as Linux tells it, and how that grew."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

import numpy as np

PROC: Final = Path("/proc")
WARM_UP: Final = 1 / 3
"""Share of a run in which memory, threads and files may still grow."""

EXECUTOR, MIDDLEWARE, INFERENCE = "executor", "middleware", "inference"
"""Groups of the node's threads: the main one, which receives images and serves; those of DDS; all
others, which are the inference thread with all that it does for an image, and the engine's."""
MIDDLEWARE_THREAD: Final = "dds."
"""How Fast DDS's threads are called; Python's and the engines' carry the process's name."""

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_IDLE_COLUMNS: Final = (3, 4)
"""Of the ``cpu`` line of ``/proc/stat``: idle, and waiting for a disk."""
_BUSY_COLUMNS: Final = 8
"""How many of its columns count; guests' times are in the others already."""


@dataclass(frozen=True)
class Sample:
    """One look at the node's process, and at what else used the machine's cores.

    Attributes:
        at_s: When, by the monotonic clock.
        cpu_s: Seconds of CPU that it used so far, all threads together.
        groups_cpu_s: The same by ``EXECUTOR``, ``MIDDLEWARE`` and ``INFERENCE``; threads that have
            ended are not in it.
        peers_cpu_s: Seconds of CPU of the other processes of the measurement, by name.
        memory_mb: Resident memory in 10^6 bytes, shared segments included.
        private_mb: The part of it that is neither shared nor backed by a file.
        threads: Number of threads.
        files: Number of open file descriptors.
        others_cpu_s: Seconds of CPU that everything else on the machine used so far.
    """

    at_s: float
    cpu_s: float
    groups_cpu_s: Mapping[str, float]
    peers_cpu_s: Mapping[str, float]
    memory_mb: float
    private_mb: float
    threads: int
    files: int
    others_cpu_s: float


@dataclass(frozen=True)
class Growth:
    """How a number changed after the warm-up.

    Attributes:
        start: Where the line through it starts, after the warm-up.
        end: Where it ends.
        per_minute: Its slope.
        percent: What it grew by, of ``start``.
    """

    start: float
    end: float
    per_minute: float
    percent: float


def sample(pid: int, peers: Mapping[str, int]) -> Sample:
    """Look at the node's process.

    Args:
        pid: The process.
        peers: Further processes that belong to the measurement, by name.

    Raises:
        RuntimeError: One has ended, or this system is not Linux.
    """
    folder = PROC / str(pid)
    try:
        status = dict(
            line.split(":", 1) for line in (folder / "status").read_text().splitlines() if line
        )
        files = len(os.listdir(folder / "fd"))
        cpu_s = _cpu_s(folder)
        peers_cpu_s = {name: _cpu_s(PROC / str(peer)) for name, peer in peers.items()}
        return Sample(
            monotonic(),
            cpu_s,
            _groups_cpu_s(folder),
            peers_cpu_s,
            _megabytes(status["VmRSS"]),
            _megabytes(status["RssAnon"]),
            int(status["Threads"]),
            files,
            _machine_cpu_s() - cpu_s - sum(peers_cpu_s.values()),
        )
    except (OSError, KeyError) as error:
        raise RuntimeError(f"process {pid} cannot be watched ({error}): has it ended?") from None


def growth(times_s: Sequence[float], values: Sequence[float], warm_up: float = WARM_UP) -> Growth:
    """Lay a line (least squares) through what came after the warm-up.

    Raises:
        ValueError: Fewer than three values are left.
    """
    times, numbers = after_warm_up(times_s, values, warm_up)
    slope, start = np.polyfit(times - times[0], numbers, 1)
    end = start + slope * (times[-1] - times[0])
    percent = 100.0 * (end - start) / start if start else 0.0
    return Growth(float(start), float(end), float(slope * 60.0), float(percent))


def gain(times_s: Sequence[float], values: Sequence[float], warm_up: float = WARM_UP) -> float:
    """Return by how much the highest value after the warm-up is above that at its end.

    Raises:
        ValueError: Fewer than three values are left.
    """
    _, numbers = after_warm_up(times_s, values, warm_up)
    return float(numbers.max() - numbers[0])


def after_warm_up(
    times_s: Sequence[float], values: Sequence[float], warm_up: float = WARM_UP
) -> tuple[np.ndarray, np.ndarray]:
    """Return the times and values after the warm-up.

    Raises:
        ValueError: Fewer than three are left.
    """
    times, numbers = np.asarray(times_s, float), np.asarray(values, float)
    left = times >= times[0] + warm_up * (times[-1] - times[0]) if len(times) else times > 0
    if left.sum() < 3:
        raise ValueError("the run is too short to tell growth: fewer than three samples are left")
    return times[left], numbers[left]


def _cpu_s(folder: Path) -> float:
    """Return user and system time of a process or thread, also of one that has just ended."""
    # The name, in brackets, may hold blanks and brackets itself.
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _groups_cpu_s(folder: Path) -> dict[str, float]:
    """Return user and system time of a process's threads, group by group."""
    found = dict.fromkeys((EXECUTOR, MIDDLEWARE, INFERENCE), 0.0)
    for thread in (folder / "task").iterdir():
        try:
            name, cpu_s = (thread / "comm").read_text(), _cpu_s(thread)
        except OSError:  # it has ended meanwhile
            continue
        if thread.name == folder.name:
            found[EXECUTOR] += cpu_s
        else:
            found[MIDDLEWARE if name.startswith(MIDDLEWARE_THREAD) else INFERENCE] += cpu_s
    return found


def _machine_cpu_s() -> float:
    """Return the seconds that all cores together were busy since the machine started."""
    columns = [int(text) for text in (PROC / "stat").read_text().split("\n", 1)[0].split()[1:]]
    counted = columns[:_BUSY_COLUMNS]
    return (sum(counted) - sum(counted[index] for index in _IDLE_COLUMNS)) / _TICKS_PER_S


def _megabytes(text: str) -> float:
    """Read what ``/proc`` writes in KiB."""
    return int(text.split()[0]) * 1024 / 1e6
