# SPDX-License-Identifier: Apache-2.0
"""What tells one bag from another, whatever it is called and wherever it lies."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Final

from shared_encoder_perception.images.bags import is_part, storage_files

WHOLE: Final = 2**26
"""Bytes of all files together up to which every one counts; of larger bags, so many are read."""
BLOCK: Final = 2**16
LEAST: Final = 4 * BLOCK
"""Bytes that are read of a file, however many files there are."""


def bag_identity(path: Path) -> str:
    """Return a hash of a bag's content: of all of it, or of blocks spread over it if it is large.

    Recordings of two drives differ in every block: messages carry their times. The metadata do not
    count, since they can be written anew.

    Args:
        path: Folder or file of the bag.
    """
    files = storage_files(path.parent if is_part(path) else path)
    total = sum(file.stat().st_size for file in files)
    digest = sha256()
    for file in files:
        size = file.stat().st_size
        budget = size if total <= WHOLE else max(WHOLE * size // total, LEAST)
        digest.update(f"{size};".encode())
        count = max(budget // BLOCK, 2)
        with file.open("rb") as content:
            if budget >= size or count * BLOCK >= size:
                while block := content.read(BLOCK):
                    digest.update(block)
                continue
            for number in range(count):
                content.seek((size - BLOCK) * number // (count - 1))
                digest.update(content.read(BLOCK))
    return digest.hexdigest()
