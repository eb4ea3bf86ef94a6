# SPDX-License-Identifier: Apache-2.0
"""What a rosbag2's ``metadata.yaml`` promises: its files, and how many messages on each topic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Final

from ruamel.yaml import YAML  # comes with rosbags

MOST: Final = 2**24
"""Bytes; that of a bag of thousands of files is smaller."""
REINDEX: Final = "`ros2 bag reindex` can restore it"


class MetadataError(ValueError):
    """Metadata that cannot be used; the message says why."""


@dataclass(frozen=True)
class Metadata:
    """What was promised.

    Attributes:
        files: Their names, in the order of time.
        counts: Topic -> messages.
        types: Topic -> their type.
        digests: Type -> its hash, where it is known.
    """

    files: tuple[str, ...]
    counts: Mapping[str, int]
    types: Mapping[str, str]
    digests: Mapping[str, str]


def read_metadata(path: Path) -> Metadata:
    """Read a ``metadata.yaml``.

    Raises:
        MetadataError: It is empty, damaged, or not as rosbag2 writes it.
    """
    if path.stat().st_size > MOST:
        raise MetadataError(f"{path} is too large for what it should be: {REINDEX}")
    try:
        text = path.read_text(encoding="utf-8")
        content = YAML(typ="safe", pure=True).load(text)
    except Exception as error:  # the parser raises many types, also of its own depth
        line = (str(error).splitlines() or [type(error).__name__])[0]
        raise MetadataError(f"{path} cannot be read ({line}): {REINDEX}") from None
    try:
        told = content["rosbag2_bagfile_information"]
        files = tuple(PurePath(_text(name)).name for name in told["relative_file_paths"])
        counts: Counter[str] = Counter()
        digests, types = {}, {}
        for entry in told["topics_with_message_count"]:
            topic, count = entry["topic_metadata"], entry["message_count"]
            if not isinstance(count, int) or count < 0:
                raise TypeError
            counts[_text(topic["name"])] += count
            types[topic["name"]] = _text(topic["type"])
            digests[topic["type"]] = str(topic.get("type_description_hash") or "")
    except (LookupError, TypeError, AttributeError):
        raise MetadataError(
            f"{path} is not as rosbag2 writes it, with relative_file_paths and "
            f"topics_with_message_count: {REINDEX}"
        ) from None
    if not all(files):
        raise MetadataError(f"{path} names a file without a name: {REINDEX}")
    return Metadata(files, dict(counts), types, digests)


def _text(value: Any) -> str:
    """Return a text.

    Raises:
        TypeError: It is none.
    """
    if not isinstance(value, str):
        raise TypeError
    return value
