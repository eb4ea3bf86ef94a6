# SPDX-License-Identifier: Apache-2.0
"""What is no file is refused before anybody hangs on it."""

import os
import socket
from pathlib import Path

import pytest

from shared_encoder_perception.files.plain_file import plain


def test_a_pipe_a_socket_and_a_device_are_named(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        cases = {"pipe": "named pipe", "link": "named pipe", "socket": "socket"}
        for name, words in cases.items():
            with pytest.raises(OSError, match=f"it is a {words}, expected a file") as caught:
                plain(tmp_path / name)
            assert caught.value.filename == str(tmp_path / name)
    with pytest.raises(OSError, match="it is a device"):
        plain(Path("/dev/zero"))


def test_files_folders_and_what_is_missing_are_left_to_who_opens_them(tmp_path):
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path, tmp_path / "gone", Path("a\0b")):
        assert plain(path) is path


def test_a_pipe_of_the_shell_is_read():
    """``command <(zcat file)`` gives a path like this one."""
    read, write = os.pipe()
    try:
        assert plain(Path(f"/dev/fd/{read}"))
    finally:
        os.close(read)
        os.close(write)
