# SPDX-License-Identifier: Apache-2.0
"""Unpack zstd, and no more than a camera's data may become: in memory, and on the disk."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
"""First bytes of what is compressed; a message that is not begins with a zero."""
FREE: Final = 64 * 2**20
"""So many bytes may come out of anything."""
RATIO: Final = 1000
"""Above that, so many for each packed one: black pictures reach some hundreds."""
MOST: Final = 2**30
"""Never more than that in memory at once."""
SPARE: Final = 256 * 2**20
"""What unpacking leaves free on a disk."""
BLOCK: Final = 2**20
FRAME_HEAD: Final = 18
"""Most bytes of a zstd frame's head."""


class UnpackError(ValueError):
    """What cannot be unpacked, or must not be; the message says why."""


def room(packed: int) -> int:
    """Return the most bytes that so many packed ones may become in memory."""
    return min(max(FREE, RATIO * packed), MOST)


def check_size(packed: int, plain: int) -> None:
    """Refuse what would become too much in memory.

    Args:
        packed: Bytes as they are stored.
        plain: Bytes that they say to become.

    Raises:
        UnpackError: That is more than pictures of a camera need.
    """
    if plain > room(packed):
        raise UnpackError(f"its {megabytes(packed)} would become {megabytes(plain)} in memory")


def unpack(packed: bytes, size: int | None = None) -> bytes:
    """Unpack one message or chunk.

    Args:
        packed: One or several frames of zstd.
        size: Bytes that it says to become; ``None`` if it does not.

    Raises:
        UnpackError: It is damaged, or becomes too much.
    """
    if size is not None:
        check_size(len(packed), size)
    most = room(len(packed)) if size is None else size
    plain, held, left = [], 0, packed
    try:
        while left:
            told = zstd.get_frame_info(left[:FRAME_HEAD]).decompressed_size or 0
            check_size(len(packed), held + told)
            unpacker = zstd.ZstdDecompressor()
            plain.append(unpacker.decompress(left, max_length=most + 1 - held))
            held += len(plain[-1])
            if held > most:
                raise UnpackError(
                    f"its {megabytes(len(packed))} become more than it says, or than "
                    f"{megabytes(most)}"
                )
            if not unpacker.eof:
                raise UnpackError("it is cut off")
            left = unpacker.unused_data
    except zstd.ZstdError as error:
        raise UnpackError(f"it cannot be unpacked: {error}") from None
    return plain[0] if len(plain) == 1 else b"".join(plain)


def unpack_file(path: Path, plain: Path) -> str:
    """Unpack a file into another one, as far as that goes.

    Returns:
        Why it did not go to the end; empty if it did.

    Raises:
        UnpackError: It must not be unpacked: there is no space for it, or it is far larger than
            what was packed may be.
    """
    packed_size = path.stat().st_size
    limit = max(FREE, RATIO * packed_size)
    free = max(shutil.disk_usage(plain.parent).free - SPARE, 0)

    def check(size: int) -> None:
        if size > limit:
            raise UnpackError(
                f"its {megabytes(packed_size)} would become {megabytes(size)} or more, which no "
                f"recording does: more than {RATIO} times as much"
            )
        if size > free:
            raise UnpackError(
                f"it needs {megabytes(size)} or more in {plain.parent}, where {megabytes(free)} "
                "are free to use: unpack it with `zstd -d`, or set TMPDIR to a larger disk"
            )

    written = 0
    with path.open("rb") as packed, plain.open("wb") as out:
        try:
            check(zstd.get_frame_info(packed.read(FRAME_HEAD)).decompressed_size or 0)
            packed.seek(0)
            with zstd.open(packed, "rb") as unpacked:
                while block := unpacked.read(BLOCK):
                    written += len(block)
                    check(written)
                    out.write(block)
        except (EOFError, zstd.ZstdError) as error:
            return (str(error).splitlines() or ["it is cut off"])[0]
    return ""


def megabytes(size: int) -> str:
    """Return a number of bytes for people."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
