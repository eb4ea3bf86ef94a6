# SPDX-License-Identifier: Apache-2.0
"""Where a model comes from: the commit of the code and the data sets of its run."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared_encoder_perception.files.typed_json import parse_json

STARTS: Final = "run.json"
"""In the folder of a run: one entry for each start."""


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
