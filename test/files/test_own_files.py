# SPDX-License-Identifier: Apache-2.0
"""Caches that others cannot write, and what is left behind by a kill."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shared_encoder_perception.files.own_files import (
    PART,
    SCRATCH,
    NotOwnError,
    make_own,
    part_file,
    read_own,
    remove_doubtful,
    scratch_folder,
)

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
OTHER = 12345


def mode(path):
    return path.stat().st_mode & 0o7777


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o077])
def test_a_new_folder_is_this_users_alone(tmp_path, umask):
    before = os.umask(umask)
    try:
        make_own(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    assert mode(tmp_path / "a" / "b") & ~0o700 == 0


def test_a_folder_that_others_could_write_is_closed_to_them_and_that_is_said(tmp_path, caplog):
    tmp_path.chmod(0o775)
    make_own(tmp_path)
    assert mode(tmp_path) == 0o755 and "others could write into the folder" in caplog.text
    caplog.clear()
    tmp_path.chmod(0o1777)  # as /tmp: nobody can replace what is another's
    make_own(tmp_path)
    assert mode(tmp_path) == 0o1777 and not caplog.text


@pytest.mark.parametrize(
    ("folder", "file", "words"),
    [
        (0o777, 0o644, r"its folder can be written by others \(mode 777\)"),
        (0o770, 0o600, r"its folder can be written by others \(mode 770\)"),
        (0o700, 0o666, r"it can be written by others \(mode 666\)"),
        (0o700, 0o664, r"it can be written by others \(mode 664\)"),
        (0o1777, 0o644, ""),
        (0o755, 0o644, ""),
        (0o500, 0o400, ""),
    ],
)
def test_what_others_could_have_written_is_not_read(tmp_path, folder, file, words):
    home = tmp_path / "cache"
    home.mkdir()
    path = home / "a"
    path.write_bytes(b"engine")
    path.chmod(file)
    home.chmod(folder)
    if not words:
        assert read_own(path) == b"engine"
        return
    with pytest.raises(NotOwnError, match=words):
        read_own(path)
    with pytest.raises(FileNotFoundError):
        read_own(home / "gone")


@ROOT_ONLY
@pytest.mark.parametrize("given", ["folder", "file"])
def test_what_belongs_to_another_user_is_not_read(tmp_path, given):
    path = tmp_path / "cache" / "a"
    path.parent.mkdir(mode=0o755)
    path.write_bytes(b"engine")
    os.chown(path.parent if given == "folder" else path, OTHER, OTHER)
    with pytest.raises(NotOwnError, match=f"belongs to another user .uid {OTHER}"):
        read_own(path)


@ROOT_ONLY
def test_what_others_left_in_a_folder_goes(tmp_path, caplog):
    for name in ("ours", "theirs"):
        (tmp_path / name).write_text(name)
    (tmp_path / "their_folder").mkdir()
    (tmp_path / "link").symlink_to("ours")
    os.chown(tmp_path / "theirs", OTHER, OTHER)
    (tmp_path / "their_folder").chmod(0o777)
    remove_doubtful(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "ours"]
    assert caplog.text.count("is not trusted") == 2


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a")
    with pytest.raises(OSError, match="named pipe"):
        read_own(tmp_path / "a")


def test_a_part_that_was_not_moved_is_removed(tmp_path):
    with part_file(tmp_path) as path:
        path.write_text("whole")
        os.replace(path, tmp_path / "kept")
    with pytest.raises(RuntimeError), part_file(tmp_path) as path:
        raise RuntimeError
    assert [one.name for one in tmp_path.iterdir()] == ["kept"]


HOLD = """
import sys
from pathlib import Path
from shared_encoder_perception.files.own_files import part_file, scratch_folder
folder = Path(sys.argv[1])
with part_file(folder), scratch_folder(folder) as scratch:
    (scratch / "inner").mkdir()
    (scratch / "inner" / "file").write_text("x")
    print("ready", flush=True)
    sys.stdin.read()
"""


def left(folder):
    return sorted(one.name.startswith(SCRATCH) for one in folder.iterdir())


def test_what_a_kill_left_goes_with_the_next_run_and_what_lives_stays(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as living, subprocess.Popen(command, **pipes) as killed:
        for process in (living, killed):
            assert process.stdout.readline() == "ready\n"
        assert left(tmp_path) == [False, False, True, True]
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        with part_file(tmp_path), scratch_folder(tmp_path):
            assert left(tmp_path) == [False, False, True, True]  # the living one's, and ours
        assert left(tmp_path) == [False, True]
        living.stdin.close()
    assert living.returncode == 0 and left(tmp_path) == []


def test_only_what_is_ours_is_swept_away(tmp_path):
    kept = [tmp_path / f"{PART}pipe", tmp_path / f"{PART}link", tmp_path / "other"]
    os.mkfifo(kept[0])
    (tmp_path / "target").write_text("x")
    kept[1].symlink_to("target")
    kept[2].write_text("x")
    (tmp_path / f"{PART}old").write_text("x")
    if os.geteuid() == 0:
        kept.append(tmp_path / f"{PART}theirs")
        kept[-1].write_text("x")
        os.chown(kept[-1], OTHER, OTHER)
    with part_file(tmp_path):
        pass
    assert sorted(tmp_path.iterdir()) == sorted([*kept, tmp_path / "target"])


def test_a_scratch_folder_is_in_the_systems_place_unless_told(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with scratch_folder() as folder:
        assert folder.parent == Path(tmp_path) and mode(folder) == 0o700
    assert not folder.exists()
