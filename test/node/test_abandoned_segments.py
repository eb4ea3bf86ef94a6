# SPDX-License-Identifier: Apache-2.0
"""Shared memory of killed processes goes, that of living ones stays."""

from __future__ import annotations

import fcntl
from pathlib import Path

import abandoned_segments


def segment(folder: Path, name: str) -> Path:
    """Make the two files of a segment; return the lock."""
    (folder / name).write_bytes(bytes(8))
    lock = folder / f"{name}_el"
    lock.touch()
    return lock


def test_only_the_dead_are_removed(tmp_path: Path) -> None:
    lock = segment(tmp_path, "fastrtps_01")
    segment(tmp_path, "fastrtps_02")
    segment(tmp_path, "fastrtps_port7411")
    (tmp_path / "somebody_else").touch()
    with lock.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        assert abandoned_segments.remove(tmp_path) == 1
        assert {path.name for path in tmp_path.iterdir()} == {
            *("fastrtps_01", "fastrtps_01_el", "fastrtps_port7411", "fastrtps_port7411_el"),
            "somebody_else",
        }
    assert abandoned_segments.remove(tmp_path) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["somebody_else"]
