# SPDX-License-Identifier: Apache-2.0
"""Where a model comes from: the commit of its run's code, the data sets, sizes and tasks."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared_encoder_perception.files.typed_json import parse_json
from shared_encoder_perception.structures import Size
from shared_encoder_perception.training.structured import read_values

STARTS: Final = "run.json"
"""In the folder of a run: one entry for each start."""
CONFIG: Final = "config.yaml"
"""And all that was asked for."""


@dataclass(frozen=True)
class Origin:
    """What an artifact says about its training.

    Attributes:
        commit: Of the code; empty when unknown.
        data: The data sets, one line for people.
    """

    commit: str = ""
    data: str = "unknown"


def read_origin(folder: Path) -> Origin:
    """Read the origin of the network in a run's folder."""
    path = folder / STARTS
    if not path.exists():
        return Origin()
    starts = parse_json(path.read_bytes(), str(path))
    sets = {
        f"{Path(item['path']).parent.name or item['path']} ({item['frames']} frames)"
        if item["path"].endswith(".jsonl")
        else "rendered worlds"
        for start in starts
        for item in start["data"]["train"]
    }
    return Origin(starts[-1]["commit"], ", ".join(sorted(sets)))


@dataclass(frozen=True)
class Course:
    """How the run went whose folder a network lies in.

    Attributes:
        size: ``(height, width)`` of its last stage; ``None`` where no run's config is.
        train_only: Tasks that alone were trained; empty for all.
    """

    size: Size | None = None
    train_only: tuple[str, ...] = ()


def read_course(folder: Path) -> Course:
    """Read how the network in the folder of a run, or of a sequence of tasks, was trained.

    Only these keys are looked at: configs of earlier versions may have others.

    Raises:
        ConfigError: The config there cannot be read.
    """
    path = folder / CONFIG
    if not path.is_file():
        return Course()
    found = read_values(path)
    training = found.get("train", found)  # of a sequence: how each task is trained
    try:
        height, width = training["stages"][-1]["size"]
        only = training.get("train_only", ())
        return Course((int(height), int(width)), tuple(map(str, only)))
    except (LookupError, TypeError, ValueError, AttributeError):
        return Course()  # another program's config


def commit() -> str:
    """Return the commit of this source tree, with ``+changes`` where files differ from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(Path(__file__).parent), *arguments],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    try:
        changes = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + ("+changes" if changes else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
