# SPDX-License-Identifier: Apache-2.0
"""The engine cache: built once, trusted only as far as a file proves what it is."""

import logging
import os
import subprocess
import sys
import time

import pytest

from shared_encoder_perception.backends import BackendError
from shared_encoder_perception.backends.engine_cache import EngineCache, default_folder, progress

KEY = {"engine": "test", "version": "1.0", "sha256": "ab", "device": "cpu", "shape": "[1, 3]"}


class Builder:
    """Counts how often it had to work."""

    def __init__(self, payload=b"engine " * 1000):
        self.payload, self.built = payload, 0

    def __call__(self):
        self.built += 1
        return self.payload


@pytest.fixture
def cache(tmp_path):
    return EngineCache(tmp_path / "cache")


def test_an_engine_is_built_once(cache):
    build = Builder()
    assert [cache.load_or_build(KEY, build) for _ in range(3)] == [build.payload] * 3
    assert build.built == 1


@pytest.mark.parametrize("changed", list(KEY))
def test_whatever_it_depends_on_makes_another_engine(cache, changed):
    build = Builder()
    cache.load_or_build(KEY, build)
    cache.load_or_build({**KEY, changed: "other"}, build)
    assert build.built == 2


def test_the_order_of_the_key_does_not_matter(cache):
    build = Builder()
    cache.load_or_build(KEY, build)
    cache.load_or_build(dict(reversed(KEY.items())), build)
    assert build.built == 1


def cut_off(content):
    return content[: len(content) // 2]


def flipped(content):
    return content[:-10] + bytes([content[-10] ^ 1]) + content[-9:]


def foreign(_):
    return b"an engine of somebody else"


def empty(_):
    return b""


@pytest.mark.parametrize("damage", [cut_off, flipped, foreign, empty])
def test_a_damaged_file_is_built_again_and_replaced(cache, damage, caplog):
    build = Builder()
    cache.load_or_build(KEY, build)
    path = cache.path(KEY)
    path.write_bytes(damage(path.read_bytes()))
    assert cache.load_or_build(KEY, build) == build.payload
    assert build.built == 2
    assert "damaged or foreign: built again" in caplog.text
    assert cache.read(KEY) == build.payload


def test_the_engine_of_another_version_under_this_ones_name_is_not_trusted(cache):
    build = Builder()
    other = {**KEY, "version": "0.9"}
    cache.load_or_build(other, build)
    cache.path(other).rename(cache.path(KEY))
    cache.load_or_build(KEY, build)
    assert build.built == 2


def test_a_failed_build_leaves_nothing(cache):
    def fail():
        raise BackendError("no memory")

    with pytest.raises(BackendError, match="no memory"):
        cache.load_or_build(KEY, fail)
    assert not list(cache.folder.iterdir())


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path):
    """A real limit of the kernel on the size of files stands for the disk."""
    code = f"""
import resource, signal
from pathlib import Path
from shared_encoder_perception.backends import BackendError
from shared_encoder_perception.backends.engine_cache import EngineCache
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
cache = EngineCache(Path({str(tmp_path / "full")!r}))
try:
    cache.load_or_build({KEY!r}, lambda: bytes(100_000))
except BackendError as error:
    print(error)
print(sorted(cache.folder.iterdir()))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    message, left = result.stdout.splitlines()
    assert "cannot write to the engine cache" in message and "give another folder" in message
    assert left == "[]"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_said_before_the_work(cache):
    cache.folder.mkdir()
    cache.folder.chmod(0o555)
    build = Builder()
    with pytest.raises(BackendError, match="cannot write to the engine cache"):
        cache.load_or_build(KEY, build)
    assert build.built == 0


def test_a_folder_that_cannot_be_made_is_said_before_the_work(tmp_path):
    (tmp_path / "file").write_text("in the way")
    build = Builder()
    with pytest.raises(BackendError, match=r"cannot write to the engine cache .*file/cache"):
        EngineCache(tmp_path / "file" / "cache").load_or_build(KEY, build)
    assert build.built == 0


def test_a_read_only_folder_still_serves_what_is_in_it(cache):
    build = Builder()
    cache.load_or_build(KEY, build)
    cache.folder.chmod(0o555)
    assert cache.load_or_build(KEY, build) == build.payload
    assert build.built == 1
    cache.folder.chmod(0o755)


def test_an_engine_that_its_runtime_refused_is_forgotten(cache):
    build = Builder()
    cache.load_or_build(KEY, build)
    cache.forget(KEY)
    cache.load_or_build(KEY, build)
    assert build.built == 2


def test_the_folder_follows_the_users_setting(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "shared_encoder_perception" / "engines"


def test_a_long_build_says_that_it_goes_on(caplog):
    caplog.set_level(logging.INFO)
    with progress("building", period_s=0.05):
        time.sleep(0.3)
    assert caplog.text.count("so far") >= 2
    assert "done in" in caplog.text


def test_a_short_build_says_nothing(caplog):
    caplog.set_level(logging.INFO)
    with progress("building"):
        pass
    assert caplog.text == ""


def test_a_new_cache_is_this_users_alone(cache):
    before = os.umask(0)
    try:
        cache.load_or_build(KEY, Builder())
    finally:
        os.umask(before)
    assert cache.folder.stat().st_mode & 0o777 == 0o700
    assert cache.path(KEY).stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("what", ["folder", "file"])
@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_an_engine_that_others_could_have_written_is_built_again(cache, caplog, what, mode):
    build = Builder()
    cache.load_or_build(KEY, build)
    path = cache.path(KEY)
    (cache.folder if what == "folder" else path).chmod(mode)
    assert cache.read(KEY) is None
    assert cache.load_or_build(KEY, build) == build.payload
    assert build.built == 2
    assert f"{path} is not trusted" in caplog.text and f"(mode {mode:o})" in caplog.text
    assert cache.load_or_build(KEY, build) == build.payload
    assert build.built == 2, "what was built is safe now"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("what", ["folder", "file"])
def test_an_engine_of_another_user_is_built_again(cache, caplog, what):
    """Its header and checksum fit: whoever writes it writes those, too."""
    build = Builder()
    cache.load_or_build(KEY, build)
    os.chown(cache.folder if what == "folder" else cache.path(KEY), 12345, 12345)
    assert cache.load_or_build(KEY, build) == build.payload
    assert build.built == 2 and "belongs to another user (uid 12345)" in caplog.text
    assert cache.path(KEY).stat().st_uid == 0


def test_a_pipe_in_the_place_of_an_engine_is_not_waited_for(cache, caplog):
    build = Builder()
    cache.folder.mkdir(mode=0o700)
    os.mkfifo(cache.path(KEY))
    assert cache.load_or_build(KEY, build) == build.payload
    assert "named pipe" in caplog.text
    assert cache.load_or_build(KEY, build) == build.payload
    assert build.built == 1


def test_what_a_killed_build_left_goes_with_the_next(cache):
    cache.folder.mkdir(mode=0o700)
    (cache.folder / ".part-killed").write_bytes(b"half")
    cache.load_or_build(KEY, Builder())
    assert list(cache.folder.iterdir()) == [cache.path(KEY)]


def test_a_provider_with_a_cache_of_its_own_gets_a_folder_of_its_own(cache):
    cache.folder.mkdir(mode=0o777)
    cache.folder.chmod(0o777)
    planted = cache.folder / "onnxruntime" / "x.engine"
    planted.parent.mkdir()
    planted.write_bytes(b"a program")
    planted.chmod(0o666)
    folder = cache.folder_for_others()
    assert folder == planted.parent and not planted.exists()
    assert not (cache.folder.stat().st_mode | folder.stat().st_mode) & 0o022
    if os.geteuid() == 0:
        os.chown(folder, 12345, 12345)
        with pytest.raises(BackendError, match=r"cannot write .*belongs to another user"):
            cache.folder_for_others()
