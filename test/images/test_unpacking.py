# SPDX-License-Identifier: Apache-2.0
"""What is compressed becomes no more than a camera's data may: in memory, and on the disk."""

import shutil
import struct
import sys
import tracemalloc

import bag_damage
import pytest
from bag_damage import (
    CHUNK,
    COUNT,
    read,
)

from shared_encoder_perception.images.bags import BagError
from shared_encoder_perception.images.sources import open_source
from shared_encoder_perception.images.unpacking import UnpackError, unpack, unpack_file

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def bomb(size):
    """Return zeros as zstd packs them."""
    packer = zstd.ZstdCompressor(3)
    parts = [packer.compress(bytes(2**22)) for _ in range(size // 2**22)]
    return b"".join([*parts, packer.flush()])


def test_a_chunk_that_becomes_too_much_is_left_packed(mcap):
    path = bag_damage.storage(mcap)
    packed, content = bomb(2**31), path.read_bytes()
    chunk = bag_damage.of_kind(path, CHUNK, 0)
    (start_ns,) = struct.unpack_from("<Q", content, chunk.inside)
    for told in (2**31, 2**40, 10):
        body = struct.pack("<QQQI", start_ns, start_ns, told, 0) + bag_damage.text("zstd")
        body += struct.pack("<Q", len(packed)) + packed
        path.write_bytes(content[: chunk.at] + bag_damage.record(CHUNK, body) + content[chunk.at :])
        tracemalloc.start()
        found, problems = read(mcap)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found == list(range(COUNT))
        assert any("in memory" in one or "more than it says" in one for one in problems)
        assert peak < 5e8


def test_a_message_that_becomes_too_much_is_left_packed():
    packed = bomb(2**30)
    with pytest.raises(UnpackError, match=r"would become|more than"):
        unpack(packed)
    assert unpack(zstd.compress(b"a") + zstd.compress(b"b")) == b"ab"
    black = zstd.compress(bytes(24_883_200))
    assert len(unpack(black)) == 24_883_200  # a black picture of 4K


@pytest.mark.parametrize("told", [True, False])
def test_a_file_that_becomes_too_much_is_left_packed(mcap, told):
    storage, size = bag_damage.storage(mcap), 2**31
    packed = storage.with_name(f"{storage.name}.zstd")
    if told:
        options = {zstd.CompressionParameter.content_size_flag: 1}
        packer = zstd.ZstdCompressor(options=options)
        packer.set_pledged_input_size(size)
        parts = [packer.compress(bytes(2**22)) for _ in range(size // 2**22)]
        packed.write_bytes(b"".join([*parts, packer.flush()]))
    else:
        packed.write_bytes(bomb(size))
    storage.unlink()
    bag_damage.change_metadata(mcap, lambda told: told.update(relative_file_paths=[packed.name]))
    with pytest.raises(BagError, match=r"nothing of .*\.mcap\.zstd can be read: .* would become"):
        open_source(mcap)


def test_a_file_for_which_there_is_no_space_is_left_packed(tmp_path, monkeypatch):
    packed = tmp_path / "a.zstd"
    packed.write_bytes(zstd.compress(bytes(3 * 2**20)))
    assert unpack_file(packed, tmp_path / "a") == ""
    usage = shutil.disk_usage(tmp_path)._replace(free=2**28 + 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UnpackError, match="set TMPDIR to a larger disk"):
        unpack_file(packed, tmp_path / "b")
