# SPDX-License-Identifier: Apache-2.0
"""Several bags, each a job of its own: what belongs to one, and what became of it.

In one process or on many machines, a bag is replayed by the same function into a folder of its own,
and one that fails takes nothing from the others.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared_encoder_perception.replay import checkpoint as checkpoints
from shared_encoder_perception.replay import folder as folders
from shared_encoder_perception.replay.recorder import RESULTS

MARKER: Final = ".shared_encoder_perception_replays"
"""In a folder that holds it, ``summary.json`` is that of several bags, and ours to replace."""
LOCAL: Final = "local"
"""As address of a cluster: one that we start on this machine."""
FAILED: Final = 2
"""Exit status when nothing of a bag could be replayed."""


@dataclass(frozen=True)
class Job:
    """One bag to be replayed.

    Attributes:
        name: Of the bag; no other one has it.
        bag: The rosbag2, absolute.
        out: Folder for its results, absolute.
    """

    name: str
    bag: Path
    out: Path


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        job: The bag.
        status: Exit status of its replay.
        error: Why nothing of it could be replayed; empty if something could.
        tries: How often it was begun.
    """

    job: Job
    status: int
    error: str = ""
    tries: int = 1


Replay = Callable[[Path, Path, argparse.Namespace], int]
"""Replays a bag into a folder and returns the exit status."""


def jobs_of(bags: Sequence[Path], outs: Sequence[Path], names: Sequence[str]) -> list[Job]:
    """Return the jobs; paths become absolute, since other machines have other working folders."""
    return [
        Job(name, bag.absolute(), out.absolute())
        for bag, out, name in zip(bags, outs, names, strict=True)
    ]


def attempt(job: Job, replay: Replay, args: argparse.Namespace) -> Outcome:
    """Replay a bag, and say what went wrong instead of raising it."""
    try:
        return Outcome(job, replay(job.bag, job.out, args))
    except Exception as error:  # the other bags are not to suffer for it
        if args.debug:
            traceback.print_exc()
        text = " ".join(str(error).split()) or type(error).__name__
        return Outcome(job, FAILED, text)


def one_after_another(
    jobs: Sequence[Job], replay: Replay, args: argparse.Namespace
) -> list[Outcome]:
    """Replay bags in this process."""
    outcomes = []
    for job in jobs:
        print(f"\n{job.bag}")
        outcomes.append(attempt(job, replay, args))
        if outcomes[-1].error:
            print(f"error: {outcomes[-1].error}", file=sys.stderr)
    return outcomes


def claim(out: Path, *, resume: bool, force: bool) -> None:
    """Make the folder above the bags' folders ours, without a summary of earlier bags.

    Raises:
        ValueError: What is there is not ours, or must not be replaced unasked.
    """
    summary = out / folders.SUMMARY
    if (out / folders.MARKER).exists() and any(
        (out / name).exists() for name in (RESULTS, summary.name, checkpoints.NAME)
    ):
        raise ValueError(f"{out} holds the replay of a single bag: choose another --out")
    if summary.exists():
        if not (out / MARKER).exists():
            raise ValueError(
                f"{summary} was not written by this command and would be replaced: choose another "
                "--out"
            )
        if not (resume or force):
            raise ValueError(
                f"{out} holds finished replays: add bags or try failed ones again with --resume, "
                "or replace all with --force"
            )
    out.mkdir(parents=True, exist_ok=True)
    (out / MARKER).touch()
    summary.unlink(missing_ok=True)


def begun(folder: Path) -> tuple[tuple[int, int] | None, ...]:
    """Return what tells whether a replay did anything in a folder: equal as long as none did."""
    found: list[tuple[int, int] | None] = []
    for name in (folders.SUMMARY, checkpoints.NAME):
        try:
            stat = os.stat(folder / name)
            found.append((stat.st_ino, stat.st_mtime_ns))
        except FileNotFoundError:
            found.append(None)
    return tuple(found)
