# SPDX-License-Identifier: Apache-2.0
"""A rosbag2 that is written: all of it or nothing, with its topics as a node offers them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from shared_encoder_perception.images.bags import typestore

BAG_VERSION: Final = 9
FOREVER: Final = QosTime(9223372036, 854775807)
"""How ROS writes an infinite duration."""


@contextmanager
def new_bag(folder: Path) -> Iterator[Any]:
    """Give an open ``Writer`` of a bag, which becomes ``folder`` when the block ends well."""
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    writer = Writer(part, version=BAG_VERSION, storage_plugin=StoragePlugin.MCAP)
    writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
    with writer:
        yield writer
    _name_files(part, folder.name)
    os.replace(part, folder)


def declare(
    writer: Any,
    topic: str,
    kind: str,
    depth: int,
    durability: QosDurability = QosDurability.VOLATILE,
) -> Any:
    """Declare a topic, so that a player offers it as the node does; reliable, keep last."""
    offered = Qos(
        QosHistory.KEEP_LAST,
        depth,
        QosReliability.RELIABLE,
        durability,
        FOREVER,
        FOREVER,
        QosLiveliness.AUTOMATIC,
        FOREVER,
        False,
    )
    return writer.add_connection(topic, kind, typestore=typestore(), offered_qos_profiles=[offered])


def _name_files(folder: Path, name: str) -> None:
    """Call the bag's file by the bag's final name, in its metadata too."""
    before, after = f"{folder.name}.mcap", f"{name}.mcap"
    metadata = folder / "metadata.yaml"
    metadata.write_text(metadata.read_text().replace(before, after))
    os.replace(folder / before, folder / after)
