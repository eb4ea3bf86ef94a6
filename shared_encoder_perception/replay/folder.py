# SPDX-License-Identifier: Apache-2.0
"""The folder of one replay's results: what is ours in it, finished or not."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from shared_encoder_perception.replay import checkpoint as checkpoints
from shared_encoder_perception.replay.checkpoint import Checkpoint
from shared_encoder_perception.replay.recorder import ANSWERS, PART, RESULTS, TIMINGS

MARKER: Final = ".shared_encoder_perception_replay"
"""In a folder that holds it, the files named here are ours to replace."""
SUMMARY, REPORT, VIDEO, BAG = "summary.json", "report.html", "overlay.mp4", "bag"
COUNTS: Final = "counts.pickle"
"""The last checkpoint: what the scores of several bags are pooled from."""
FINISHED: Final = (RESULTS, TIMINGS, SUMMARY, REPORT, VIDEO, BAG, COUNTS)
UNFINISHED: Final = (
    *(RESULTS + PART, TIMINGS + PART, ANSWERS, checkpoints.NAME),
    f"{checkpoints.NAME}.new",
    *(SUMMARY + PART, REPORT + PART, VIDEO + PART, BAG + PART),
)


def prepare(
    folder: Path, source: Path, conditions: Mapping[str, Any], *, resume: bool, force: bool
) -> Checkpoint | None:
    """Make the folder ready for a replay.

    Args:
        folder: For the results.
        source: The bag, which must survive.
        conditions: Of the replay.
        resume: Go on with an unfinished one.
        force: Replace an earlier one.

    Returns:
        From where to go on; ``None`` for the beginning.

    Raises:
        ValueError: An earlier replay is in the way, or what is there is not ours, or not the same.
    """
    named = (folder / name for name in (*FINISHED, *UNFINISHED))
    ours = [path for path in named if os.path.lexists(path)]  # a link to nothing is there, too
    if ours and not (folder / MARKER).is_file():
        raise ValueError(
            f"{ours[0]} was not written by this command and would be replaced: choose another --out"
        )
    if any(source.resolve().is_relative_to(path.resolve()) for path in ours):
        raise ValueError(f"{source} is a result in {folder} itself: choose another --out")
    if ours and not force:
        if (folder / SUMMARY).exists():
            raise ValueError(
                f"{folder} holds a finished replay: choose another --out, or replace it with "
                "--force"
            )
        if not resume:
            raise ValueError(
                f"{folder} holds an unfinished replay: go on with --resume, or start anew with "
                "--force"
            )
        checkpoint = checkpoints.read(folder)
        if checkpoint is not None:
            _check(folder, checkpoint, conditions)
            for name in set(UNFINISHED) - checkpoints.GROWING - {checkpoints.NAME}:
                remove(folder / name)  # written anew, and if it is a link, not through it
            return checkpoint
    for path in ours:
        remove(path)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).touch()
    return None


def finished_status(folder: Path, conditions: Mapping[str, Any]) -> int | None:
    """Return the exit status of the folder's replay if it is finished, ``None`` if not.

    Raises:
        ValueError: It is finished, but not of these conditions.
    """
    path = folder / SUMMARY
    if not path.is_file():
        return None
    try:
        summary = json.loads(path.read_bytes())
        before, status = dict(summary["conditions"]), int(summary["status"])
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise ValueError(f"{path} is no summary ({error}): start anew with --force") from None
    _compare(folder, before, conditions)
    return status


def _check(folder: Path, checkpoint: Checkpoint, conditions: Mapping[str, Any]) -> None:
    """Refuse to go on with another replay; cut the files of this one to the checkpoint.

    Raises:
        ValueError: The conditions differ, or the files are not what they were.
    """
    _compare(folder, checkpoint.conditions, conditions)
    if not checkpoint.done:
        checkpoints.cut(folder, checkpoint)


def _compare(folder: Path, before: Mapping[str, Any], conditions: Mapping[str, Any]) -> None:
    """Refuse to go on with another replay.

    Raises:
        ValueError: The conditions differ.
    """
    different = [
        f"{key} was {before.get(key)!r} and is {conditions.get(key)!r}"
        for key in sorted({*before, *conditions})
        if before.get(key) != conditions.get(key)
    ]
    if different:
        raise ValueError(
            f"the replay in {folder} cannot go on: {'; '.join(different)}: start anew with --force"
        )


def name_results(folder: Path) -> None:
    """Give the complete results their names."""
    for name in (RESULTS, TIMINGS):
        part = folder / (name + PART)
        if part.exists():
            os.replace(part, folder / name)


def read_counts(folder: Path) -> Checkpoint:
    """Return what was counted of a finished replay.

    Raises:
        ValueError: It is not there, or cannot be read.
    """
    for name in (COUNTS, checkpoints.NAME):  # the latter if it was killed just before ``finish``
        if (found := checkpoints.read(folder, name)) is not None and found.done:
            return found
    raise ValueError(f"{folder / COUNTS} is missing: replay the bag again with --force")


def finish(folder: Path) -> None:
    """Keep the last checkpoint and remove what was needed on the way only."""
    if (folder / checkpoints.NAME).exists():
        os.replace(folder / checkpoints.NAME, folder / COUNTS)
    for name in UNFINISHED:
        remove(folder / name)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
