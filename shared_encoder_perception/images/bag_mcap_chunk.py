# SPDX-License-Identifier: Apache-2.0
"""What is in a chunk of an mcap file, if it is sound and not too large."""

from __future__ import annotations

from zlib import crc32

from shared_encoder_perception.images.bag_mcap_index import CHUNK, HEAD, Fields
from shared_encoder_perception.images.bag_parts import StorageError
from shared_encoder_perception.images.unpacking import UnpackError, check_size, unpack


def content_of(record: bytes, length: int) -> memoryview:
    """Return the records in a chunk, unpacked.

    Args:
        record: The chunk, with its head.
        length: Bytes that it should have.

    Raises:
        StorageError: It is damaged, too large, or compressed in a way that is not known.
    """
    view = memoryview(record)
    if len(view) < HEAD.size or HEAD.unpack_from(view) != (CHUNK, length - HEAD.size):
        raise StorageError("its head is damaged")
    fields = Fields(view[HEAD.size :])
    _, _, size, told_crc = fields.numbers("QQQI")
    packing = fields.text()
    packed = fields.block(fields.numbers("Q")[0])
    try:
        plain = _unpacked(packing, packed, size)
    except UnpackError as error:
        raise StorageError(str(error)) from None
    if len(plain) != size:
        raise StorageError(f"it has {len(plain)} bytes instead of {size}")
    if told_crc and crc32(plain) != told_crc:
        raise StorageError("its checksum does not fit")
    return memoryview(plain)


def _unpacked(packing: str, packed: memoryview, size: int) -> bytes | memoryview:
    """Unpack a chunk's content.

    Raises:
        StorageError, UnpackError: It is damaged, or too large.
    """
    if packing == "":
        return packed
    check_size(len(packed), size)
    if packing == "zstd":
        return unpack(bytes(packed), size)
    if packing != "lz4":
        raise StorageError(f"it is compressed by {packing!r}, expected zstd, lz4 or nothing")
    from lz4.frame import LZ4FrameDecompressor  # type: ignore[import-untyped]  # comes with rosbags

    try:
        plain: bytes = LZ4FrameDecompressor().decompress(bytes(packed), max_length=size + 1)
    except RuntimeError as error:
        raise StorageError(f"it cannot be unpacked: {error}") from None
    return plain
